"""What a client says to a service and in what order, without doing any of it."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from ketline.client.decoding import (
    read_accepted,
    read_page,
    read_statistics,
    read_task,
    read_validation,
    read_workers,
)
from ketline.client.errors import BatchIncomplete, ClientError, RequestRefused, TaskNotFound, WaitTimeout
from ketline.client.models import Accepted, Statistics, Task, TaskPage, Validation, Worker
from ketline.client.problems import document_of, error_of, not_ketline
from ketline.client.programs import Options, body_of
from ketline.client.retries import Retries, pause_before_retry
from ketline.client.wire import Flow, Lost, Pause, Request, Response, sent
from ketline.domain.task import TaskStatus

# Proxies tend to cut what is silent for a minute.
LONGEST_WAIT_SECONDS = 30
# How long a submission is waited with for the end of its task, before its id is known here.
FIRST_WAIT_SECONDS = 1
# What one request may take: as many programs as the service does, in a body that it takes as well.
MOST_IN_A_REQUEST = 1000
MOST_BYTES_IN_A_REQUEST = 4 << 20
# Pauses between looks at a task, where the service does not wait.
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS, LOOK_GROWTH = 0.02, 2.0, 1.5
QUICK_SECONDS = 0.5

JSON = {"content-type": "application/json"}


@dataclass(slots=True, kw_only=True)
class Flows:
    """Conversations with the service at `url`; `silence_seconds` is the longest that it may say nothing.

    Once it has `answered`, patience with it is longer.
    """

    url: str
    retries: Retries
    silence_seconds: float
    now: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    answered: bool = False

    def call(self, request: Request, *, deadline: float = inf) -> Flow[Response]:
        """Ask until there is an answer, or patience ends, or the deadline has come.

        Raises:
            RequestRefused: the answer is a refusal.
            ServiceUnreachable: there was none.
        """
        began, attempt = self.now(), 0
        if request.silence_seconds is None:
            request = replace(request, silence_seconds=self.silence_seconds)
        while True:
            outcome = yield from sent(request)
            if isinstance(outcome, Response) and 200 <= outcome.status < 300:
                self.answered = True
                return outcome
            pause = self.pause(outcome, began, attempt)
            if pause is None or self.now() + pause >= deadline:
                raise self._given_up(outcome, attempt, in_time=pause is None)
            yield Pause(pause)
            attempt += 1

    def pause(self, outcome: Response | Lost, began: float, attempt: int) -> float | None:
        """Seconds to let pass before asking again, None for no more."""
        self.answered = self.answered or isinstance(outcome, Response)
        return pause_before_retry(
            outcome,
            attempt=attempt,
            spent_seconds=self.now() - began,
            retries=self.retries if self.answered else self.retries.at_first_contact,
            draw=self.draw(),
            now=datetime.now(UTC),
        )

    def _given_up(self, outcome: Response | Lost, attempt: int, *, in_time: bool) -> ClientError:
        error = error_of(outcome, self.url)
        error.attempts = attempt + 1
        if in_time:
            return error
        late = WaitTimeout(f"The time to wait is up: {error}")
        late.__cause__ = error
        return late

    def ask(self, request: Request, read: Callable[[Any], Any], *, deadline: float = inf) -> Flow[Any]:
        """Ask for JSON, and read it.

        Raises:
            ClientError: as for `call`.
            UnexpectedAnswer: it is not JSON of this kind.
        """
        response = yield from self.call(request, deadline=deadline)
        document = document_of(response, self.url)
        try:
            return read(document)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise not_ketline(self.url) from error

    def submit(self, program: str, options: Options, key: str) -> Flow[Accepted]:
        """Have a program stored as a task."""
        accepted: Accepted = yield from self.ask(_submission(program, options, key), read_accepted)
        return accepted

    def run(self, program: str, options: Options, key: str) -> Flow[Accepted | Task]:
        """Have a program stored as a task; gives the task itself if it ends at once."""
        request = _submission(program, options, key, {"prefer": f"wait={FIRST_WAIT_SECONDS}"})
        answer: Accepted | Task = yield from self.ask(request, _read_either)
        return answer

    def submit_batch(
        self, programs: Sequence[tuple[str, Options]], key: str, make: Callable[[Accepted], Any]
    ) -> Flow[Sequence[Accepted]]:
        """Have programs stored as tasks: each part that fits into a request is stored whole or not at all.

        Raises:
            BatchIncomplete: some parts were stored; `make` makes of each task what the error holds.
        """
        accepted: list[Accepted] = []
        for number, part in enumerate(parts_of([body_of(program, options) for program, options in programs])):
            body = b'{"tasks":[' + b",".join(part) + b"]}"
            headers = {**JSON, "idempotency-key": f"{key}-{number}" if number else key}
            request = Request(method="POST", path="/tasks/batch", body=body, headers=headers)
            try:
                accepted += yield from self.ask(request, lambda answer: [read_accepted(one) for one in answer["tasks"]])
            except ClientError as error:
                if not accepted:
                    raise
                text = f"{len(accepted)} of {len(programs)} programs were submitted, the rest was not: {error}"
                raise BatchIncomplete(text, tasks=[make(one) for one in accepted]) from error
        return accepted

    def read(self, task_id: UUID, *, wait_seconds: int = 0, deadline: float = inf, queue: bool = False) -> Flow[Task]:
        """Read a task, once it has ended or after so many seconds; `queue` asks for its place as well."""
        # Preferred rather than asked for: the service cuts it to the longest that it waits.
        headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        silence = wait_seconds + min(self.silence_seconds, max(deadline - self.now(), 1.0))
        path = f"/tasks/{task_id}?queue=true" if queue else f"/tasks/{task_id}"
        request = Request(method="GET", path=path, headers=headers, silence_seconds=silence)
        task: Task = yield from self.ask(request, read_task, deadline=deadline)
        return task

    def wait(self, task_id: UUID, timeout_seconds: float | None) -> Flow[Task]:
        """Read a task once it has ended.

        Raises:
            WaitTimeout: it has not in time.
        """
        deadline = inf if timeout_seconds is None else self.now() + timeout_seconds
        pause = FIRST_LOOK_SECONDS
        while True:
            asked = self.now()
            wait = int(min(LONGEST_WAIT_SECONDS, max(deadline - asked, 0)))
            task = yield from self.read(task_id, wait_seconds=wait, deadline=deadline)
            if task.ended:
                return task
            if (left := deadline - self.now()) <= 0:
                raise WaitTimeout(f"Task {task_id} is still {task.status} after {timeout_seconds:g} s.")
            if self.now() - asked < QUICK_SECONDS:
                # It was not waited for: the service is stopping, or waits for nobody.
                yield Pause(min(pause, left))
                pause = min(pause * LOOK_GROWTH, LONGEST_LOOK_SECONDS)

    def cancel(self, task_id: UUID) -> Flow[Task]:
        """Cancel a task; one that is cancelled already is as good."""
        try:
            task: Task = yield from self.ask(Request(method="POST", path=f"/tasks/{task_id}/cancel"), read_task)
        except RequestRefused as error:
            if error.task_status != TaskStatus.CANCELLED:
                raise
            task = yield from self.read(task_id)
        return task

    def rerun(self, task_id: UUID, asked: Mapping[str, object], key: str) -> Flow[Accepted]:
        """Run a task's program again, as a new task."""
        request = _posted(f"/tasks/{task_id}/rerun", asked, {"idempotency-key": key})
        accepted: Accepted = yield from self.ask(request, read_accepted)
        return accepted

    def change(self, task_id: UUID, changes: Mapping[str, object]) -> Flow[Task]:
        """Give a task another name, other tags or metadata, or another time to run at."""
        body = json.dumps(changes).encode()
        request = Request(method="PATCH", path=f"/tasks/{task_id}", body=body, headers=JSON)
        task: Task = yield from self.ask(request, read_task)
        return task

    def enqueue(self, task_id: UUID) -> Flow[Task]:
        """Release a held task; it does no harm to ask twice."""
        task: Task = yield from self.ask(Request(method="POST", path=f"/tasks/{task_id}/enqueue"), read_task)
        return task

    def delete(self, task_id: UUID) -> Flow[None]:
        """Delete a task that has ended."""
        request = Request(method="DELETE", path=f"/tasks/{task_id}")
        try:
            yield from self.call(request)
        except TaskNotFound as error:
            # Asked more than once, an earlier request may have deleted it, whose answer was lost.
            if error.attempts == 1:
                raise

    def circuit(self, task_id: UUID, form: str) -> Flow[str]:
        """A task's circuit: `source`, `text`, `svg` or `flat`."""
        response = yield from self.call(Request(method="GET", path=f"/tasks/{task_id}/circuit?format={quote(form)}"))
        return response.body.decode()

    def counts(self, task_id: UUID, asked: Mapping[str, object]) -> Flow[Any]:
        """A task's counts alone, in a form that is asked for."""
        return (yield from self.ask(Request(method="GET", path=_address(f"/tasks/{task_id}/counts", asked)), _as_is))

    def page(self, asked: Mapping[str, object]) -> Flow[TaskPage]:
        """The first page of a list."""
        return (yield from self.page_at(_address("/tasks", asked)))

    def page_at(self, address: str) -> Flow[TaskPage]:
        """The page of a list that another page named."""
        page: TaskPage = yield from self.ask(Request(method="GET", path=address), read_page)
        return page

    def validate(self, program: str, options: Options) -> Flow[Validation]:
        """What is wrong with a program, or how it would be run."""
        validation: Validation = yield from self.ask(_posted("/validate", body_of(program, options)), read_validation)
        return validation

    def workers(self) -> Flow[Sequence[Worker]]:
        found: Sequence[Worker] = yield from self.ask(Request(method="GET", path="/workers"), read_workers)
        return found

    def statistics(self) -> Flow[Statistics]:
        found: Statistics = yield from self.ask(Request(method="GET", path="/tasks/stats"), read_statistics)
        return found

    def backends(self) -> Flow[Any]:
        return (yield from self.ask(Request(method="GET", path="/backends"), lambda answer: answer["backends"]))


def parts_of(items: Sequence[Mapping[str, object]]) -> Iterator[Sequence[bytes]]:
    """Items as JSON, in parts that fit into one request each; the same items make the same parts."""
    part: list[bytes] = []
    size = 0
    for item in items:
        written = json.dumps(item, separators=(",", ":")).encode()
        if part and (len(part) == MOST_IN_A_REQUEST or size + len(written) > MOST_BYTES_IN_A_REQUEST):
            yield part
            part, size = [], 0
        part.append(written)
        size += len(written)
    if part:
        yield part


def _submission(program: str, options: Options, key: str, headers: Mapping[str, str] | None = None) -> Request:
    return _posted("/tasks", body_of(program, options), {"idempotency-key": key, **(headers or {})})


def _posted(path: str, body: object, headers: Mapping[str, str] | None = None) -> Request:
    return Request(method="POST", path=path, body=json.dumps(body).encode(), headers={**JSON, **(headers or {})})


def _address(path: str, asked: Mapping[str, object]) -> str:
    given = [(name, _text(value)) for name, value in asked.items() if value is not None]
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _text(value: object) -> object:
    # The service takes no time without an offset; one that has none is local, as datetime has it.
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _read_either(document: Mapping[str, Any]) -> Accepted | Task:
    return read_task(document) if "status" in document else read_accepted(document)


def _as_is(document: Any) -> Any:
    return document
