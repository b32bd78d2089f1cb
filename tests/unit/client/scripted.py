"""A driver that runs the client's flows without a network: a script answers, and time passes only in pauses."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from uuid import UUID

from ketline.client.flows import Flows
from ketline.client.retries import Retries
from ketline.client.steps import (
    Close,
    Emit,
    Flow,
    Lost,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Send,
    StepResult,
)

T = TypeVar("T")
TASK_ID = UUID("109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f")
URL = "http://ketline.test"

Answers = Callable[[Request], Response | Lost]


class Scripted:
    """A scripted service; `requests` are the requests in order, `pauses` the seconds of each pause."""

    def __init__(self, answer: Answers, streams: Iterable[Iterable[bytes | Lost]] = ()) -> None:
        self.time = 1000.0
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.streams = iter(streams)
        self.flows = Flows(
            url=URL, retries=Retries(), read_timeout_seconds=30.0, now=lambda: self.time, draw=lambda: 1.0
        )
        self._answer = answer
        self._chunks: Iterator[bytes | Lost] = iter(())

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result; the items that it emits are dropped."""
        outcome: StepResult = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._perform(step)

    def emitted(self, flow: Flow[None]) -> Iterator[Any]:
        """Run a flow and yield the items that it emits."""
        outcome: StepResult = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration:
                return
            if isinstance(step, Emit):
                yield step.item
            outcome = self._perform(step)

    def _perform(self, step: object) -> StepResult:
        match step:
            case Send(request):
                self.requests.append(request)
                return self._answer(request)
            case Pause(seconds):
                self.pauses.append(seconds)
                self.time += seconds
            case Open(request):
                self.requests.append(request)
                chunks = next(self.streams, None)
                self._chunks = iter(chunks or ())
                return self._answer(request) if chunks is None else Response(status=200)
            case Read():
                return next(self._chunks, b"")
            case Emit() | Close():
                pass
        return None


def in_turn(*answers: Response | Lost) -> Answers:
    """Return these responses in order, and the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def answered(document: object, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=json.dumps(document).encode())


def problem(code: str, status: int, **more: object) -> Response:
    return answered({"code": code, "detail": f"It is {code}.", "status": status, **more}, status)


def task(status: str = "completed", task_id: UUID = TASK_ID, **more: object) -> dict[str, object]:
    result = {"result": {"counts": {"00": 3, "11": 4}, "shots": 7, "success": True}} if status == "completed" else {}
    return {
        "task_id": str(task_id),
        "status": status,
        "submitted_at": "2026-01-02T03:04:05.678901Z",
        "shots": 7,
        "correlation_id": "c",
        "status_history": [],
        **result,
        **more,
    }


def accepted(task_id: UUID = TASK_ID) -> dict[str, object]:
    return {"task_id": str(task_id), "submitted_at": "2026-01-02T03:04:05.678901Z", "correlation_id": "c"}


def event(event_id: int, status: str, task_id: UUID = TASK_ID) -> bytes:
    data = {"task_id": str(task_id), "status": status, "transitioned_at": "2026-01-02T03:04:05.678901Z"}
    return f"event: status\ndata: {json.dumps(data)}\nid: {event_id}\n\n".encode()
