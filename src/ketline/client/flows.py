"""The client's calls as flows: generators that say which requests to send and how to retry, without any I/O.

`Client` and `AsyncClient` run them by the drivers of `http.py`.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

from ketline.client.decoding import (
    read_accepted,
    read_backends,
    read_ended,
    read_page,
    read_principal,
    read_statistics,
    read_task,
    read_validation,
    read_workers,
)
from ketline.client.errors import (
    BatchIncomplete,
    ClientError,
    RequestInvalid,
    RequestRefused,
    TaskNotFound,
    WaitTimeout,
)
from ketline.client.models import Accepted, EndedTasks, Principal, Statistics, Task, TaskPage, Validation, Worker
from ketline.client.problems import document_of, error_of, not_ketline
from ketline.client.programs import Options, body_of
from ketline.client.retries import Retries, pause_before_retry
from ketline.client.steps import Flow, Lost, Pause, Request, Response, send
from ketline.domain.limits import MAX_BATCH_TASKS
from ketline.domain.status import TaskStatus

# Below the minute after which many proxies close a connection without traffic.
MAX_WAIT_SECONDS = 30
# How long a submission waits for its task to end before it returns the task's id.
FIRST_WAIT_SECONDS = 1
# A batch request of more bytes is split.
MAX_BYTES_IN_A_REQUEST = 4 << 20
# Pauses between polls of a task, if the service does not wait.
FIRST_POLL_SECONDS, MAX_POLL_SECONDS, POLL_GROWTH = 0.02, 2.0, 1.5
QUICK_SECONDS = 0.5

# A service may show tasks in the shape of older services to clients that do not prefer another.
FULL_SHAPE = "shape=full"
JSON = {"content-type": "application/json"}


@dataclass(slots=True, kw_only=True)
class Flows:
    """Makes the flows of one client; `read_timeout_seconds` is the longest time without a byte of the response.

    While the service has not `answered` yet, requests are retried for a shorter time, because `url` may be wrong.
    """

    url: str
    retries: Retries
    read_timeout_seconds: float
    now: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    answered: bool = False

    def call(self, request: Request, *, deadline: float = inf) -> Flow[Response]:
        """Send a request, and retry it until it succeeds, the retry time ends or the deadline comes.

        Raises:
            RequestRefused: the service rejected the request.
            ServiceUnreachable: no response arrived.
            WaitTimeout: the deadline came before the request succeeded.
        """
        began, attempt = self.now(), 0
        if request.read_timeout_seconds is None:
            request = replace(request, read_timeout_seconds=self.read_timeout_seconds)
        while True:
            outcome = yield from send(request)
            if isinstance(outcome, Response) and 200 <= outcome.status < 300:
                self.answered = True
                return outcome
            pause = self.pause(outcome, began, attempt)
            if pause is None or self.now() + pause >= deadline:
                raise self._failure(outcome, attempt, in_time=pause is None)
            yield Pause(pause)
            attempt += 1

    def pause(self, outcome: Response | Lost, began: float, attempt: int) -> float | None:
        """Seconds to wait before the next attempt, None to give up."""
        self.answered = self.answered or isinstance(outcome, Response)
        return pause_before_retry(
            outcome,
            attempt=attempt,
            spent_seconds=self.now() - began,
            retries=self.retries if self.answered else self.retries.at_first_contact,
            draw=self.draw(),
            now=datetime.now(UTC),
        )

    def _failure(self, outcome: Response | Lost, attempt: int, *, in_time: bool) -> ClientError:
        error = error_of(outcome, self.url)
        error.attempts = attempt + 1
        if in_time:
            return error
        late = WaitTimeout(f"The timeout has ended: {error}")
        late.__cause__ = error
        return late

    def request_json(self, request: Request, read: Callable[[Any], Any], *, deadline: float = inf) -> Flow[Any]:
        """Send a request and decode the JSON of the response with `read`.

        Raises:
            ClientError: as for `call`.
            UnexpectedAnswer: the response is not JSON, or not of the expected shape.
        """
        response = yield from self.call(request, deadline=deadline)
        document = document_of(response, self.url)
        try:
            return read(document)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise not_ketline(self.url) from error

    def submit(self, program: str, options: Options, key: str) -> Flow[Accepted]:
        """Submit a program."""
        accepted: Accepted = yield from self.request_json(_submission(program, options, key), read_accepted)
        return accepted

    def run(self, program: str, options: Options, key: str) -> Flow[Accepted | Task]:
        """Submit a program; return the task itself if it ends within a second."""
        request = _submission(program, options, key, {"prefer": f"wait={FIRST_WAIT_SECONDS}"})
        answer: Accepted | Task = yield from self.request_json(request, _read_either)
        return answer

    def submit_batch(
        self, programs: Sequence[tuple[str, Options]], key: str, make: Callable[[Accepted], Any]
    ) -> Flow[Sequence[Accepted]]:
        """Submit a batch, in as many requests as needed; each request stores all of its programs or none.

        Raises:
            BatchIncomplete: only some requests succeeded; `make` converts their tasks for the exception.
        """
        accepted: list[Accepted] = []
        for number, part in enumerate(parts_of([body_of(program, options) for program, options in programs])):
            body = b'{"tasks":[' + b",".join(part) + b"]}"
            headers = {**JSON, "idempotency-key": f"{key}-{number}" if number else key}
            request = Request(method="POST", path="/tasks/batch", body=body, headers=headers)
            try:
                accepted += yield from self.request_json(
                    request, lambda answer: [read_accepted(one) for one in answer["tasks"]]
                )
            except ClientError as error:
                if not accepted:
                    raise
                text = f"{len(accepted)} of {len(programs)} programs were submitted, the others were not: {error}"
                raise BatchIncomplete(text, tasks=[make(one) for one in accepted]) from error
        return accepted

    def read(self, task_id: UUID, *, wait_seconds: int = 0, deadline: float = inf, queue: bool = False) -> Flow[Task]:
        """Read a task, once it has ended or after `wait_seconds`; with `queue`, also its position in the queue."""
        # `Prefer` instead of parameters: the service shortens a wait to its own limit, and ignores unknown preferences.
        preferences = [FULL_SHAPE, *([f"wait={wait_seconds}"] if wait_seconds else [])]
        read_timeout = self._read_timeout_with(wait_seconds, deadline)
        path = f"/tasks/{task_id}?queue=true" if queue else f"/tasks/{task_id}"
        request = Request(
            method="GET", path=path, headers={"prefer": ", ".join(preferences)}, read_timeout_seconds=read_timeout
        )
        task: Task = yield from self.request_json(request, read_task, deadline=deadline)
        return task

    def wait(self, task_id: UUID, timeout_seconds: float | None) -> Flow[Task]:
        """Wait until a task has ended, and read it.

        Raises:
            WaitTimeout: the task has not ended in time.
        """
        deadline = inf if timeout_seconds is None else self.now() + timeout_seconds
        pause = FIRST_POLL_SECONDS
        while True:
            started = self.now()
            wait = int(min(MAX_WAIT_SECONDS, max(deadline - started, 0)))
            task = yield from self.read(task_id, wait_seconds=wait, deadline=deadline)
            if task.ended:
                return task
            if (left := deadline - self.now()) <= 0:
                raise WaitTimeout(f"Task {task_id} is still {task.status} after {timeout_seconds:g} s.")
            if self.now() - started < QUICK_SECONDS:
                # The service did not wait: it is stopping, or has waiting turned off.
                yield Pause(min(pause, left))
                pause = min(pause * POLL_GROWTH, MAX_POLL_SECONDS)

    def wait_for_all(self, task_ids: Sequence[UUID], timeout_seconds: float | None) -> Flow[Mapping[UUID, Task | None]]:
        """Wait until all these tasks have ended, and read them, many in one request; None for a task that is missing.

        Raises:
            WaitTimeout: not all of them have ended in time.
        """
        deadline = inf if timeout_seconds is None else self.now() + timeout_seconds
        found: dict[UUID, Task | None] = {}
        left = list(dict.fromkeys(task_ids))
        while left:
            try:
                found |= yield from self.wait_for_some(left[:MAX_BATCH_TASKS], "all", deadline)
            except WaitTimeout as error:
                text = f"{len(left)} of the tasks have not ended after {timeout_seconds:g} s."
                raise WaitTimeout(text) from error
            left = [task_id for task_id in left if task_id not in found]
        return found

    def wait_for_some(
        self, task_ids: Sequence[UUID], until: Literal["all", "any"], deadline: float
    ) -> Flow[dict[UUID, Task | None]]:
        """Wait until all or any of up to 1,000 tasks have ended, and read those that have, at least one.

        When the service stops waiting before all have ended, some of them may be read.

        Raises:
            WaitTimeout: none has ended in time.
        """
        pause = FIRST_POLL_SECONDS
        while True:
            started = self.now()
            wait = int(min(MAX_WAIT_SECONDS, max(deadline - started, 0)))
            if found := (yield from self._ended(task_ids, until, wait, deadline)):
                return found
            if (seconds_left := deadline - self.now()) <= 0:
                raise WaitTimeout("The timeout has ended; the tasks continue.")
            if self.now() - started < QUICK_SECONDS:
                # The service did not wait, see `wait`.
                yield Pause(min(pause, seconds_left))
                pause = min(pause * POLL_GROWTH, MAX_POLL_SECONDS)

    def _ended(
        self, task_ids: Sequence[UUID], until: Literal["all", "any"], wait_seconds: int, deadline: float
    ) -> Flow[dict[UUID, Task | None]]:
        """Wait for tasks and read those that have ended; one whose result is too large to be read with others alone."""
        headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else None
        request = _post("/tasks/ended", {"task_ids": list(map(str, task_ids)), "until": until}, headers)
        request = replace(request, read_timeout_seconds=self._read_timeout_with(wait_seconds, deadline))
        ended: EndedTasks = yield from self.request_json(request, read_ended, deadline=deadline)
        requested = set(task_ids)
        found: dict[UUID, Task | None] = {task.task_id: task for task in ended.tasks if task.task_id in requested}
        if ended.unread and not found:
            try:
                found[ended.unread[0]] = yield from self.read(ended.unread[0], deadline=deadline)
            except TaskNotFound:
                found[ended.unread[0]] = None
        return found | dict.fromkeys(requested.intersection(ended.missing))

    def _read_timeout_with(self, wait_seconds: int, deadline: float) -> float:
        """How long the response to a request that waits may take."""
        return wait_seconds + min(self.read_timeout_seconds, max(deadline - self.now(), 1.0))

    def cancel(self, task_id: UUID) -> Flow[Task]:
        """Cancel a task; a task that is already cancelled is returned as it is."""
        try:
            task: Task = yield from self.request_json(
                Request(method="POST", path=f"/tasks/{task_id}/cancel"), read_task
            )
        except RequestRefused as error:
            if error.task_status != TaskStatus.CANCELLED:
                raise
            task = yield from self.read(task_id)
        return task

    def rerun(self, task_id: UUID, parameters: Mapping[str, object], key: str) -> Flow[Accepted]:
        """Run a task's program again, as a new task."""
        request = _post(f"/tasks/{task_id}/rerun", parameters, {"idempotency-key": key})
        accepted: Accepted = yield from self.request_json(request, read_accepted)
        return accepted

    def change(self, task_id: UUID, changes: Mapping[str, object]) -> Flow[Task]:
        """Change a task's name, tags, metadata, schedule or priority."""
        body = json.dumps(changes).encode()
        request = Request(method="PATCH", path=f"/tasks/{task_id}", body=body, headers=JSON)
        task: Task = yield from self.request_json(request, read_task)
        return task

    def enqueue(self, task_id: UUID) -> Flow[Task]:
        """Release a held task; a task that was released before stays as it is."""
        task: Task = yield from self.request_json(Request(method="POST", path=f"/tasks/{task_id}/enqueue"), read_task)
        return task

    def delete(self, task_id: UUID) -> Flow[None]:
        """Delete a task that has ended."""
        request = Request(method="DELETE", path=f"/tasks/{task_id}")
        try:
            yield from self.call(request)
        except TaskNotFound as error:
            # After a retry, an earlier attempt whose response was lost may have deleted the task.
            if error.attempts == 1:
                raise

    def circuit(self, task_id: UUID, form: str) -> Flow[str]:
        """Read a task's circuit as `source`, `text`, `svg` or `flat`."""
        response = yield from self.call(Request(method="GET", path=f"/tasks/{task_id}/circuit?format={quote(form)}"))
        return response.body.decode()

    def counts(self, task_id: UUID, parameters: Mapping[str, object]) -> Flow[Any]:
        """Read only a task's counts, with the query `parameters`."""
        return (
            yield from self.request_json(
                Request(method="GET", path=_address(f"/tasks/{task_id}/counts", parameters)), _as_is
            )
        )

    def page(self, parameters: Mapping[str, object]) -> Flow[TaskPage]:
        """Read the first page of a list of tasks, with the query `parameters`."""
        return (yield from self.page_at(_address("/tasks", parameters)))

    def page_at(self, address: str) -> Flow[TaskPage]:
        """Read the page of a list at the address `next` of another page."""
        page: TaskPage = yield from self.request_json(Request(method="GET", path=address), read_page)
        return page

    def validate(self, program: str, options: Options) -> Flow[Validation]:
        """Validate a program without running it."""
        validation: Validation = yield from self.request_json(
            _post("/validate", body_of(program, options)), read_validation
        )
        return validation

    def workers(self) -> Flow[Sequence[Worker]]:
        found: Sequence[Worker] = yield from self.request_json(Request(method="GET", path="/workers"), read_workers)
        return found

    def statistics(self) -> Flow[Statistics]:
        found: Statistics = yield from self.request_json(Request(method="GET", path="/tasks/stats"), read_statistics)
        return found

    def usage(self, parameters: Mapping[str, object]) -> Flow[Mapping[str, Any]]:
        """Read what tasks took, with the query `parameters`."""
        found: Mapping[str, Any] = yield from self.request_json(
            Request(method="GET", path=_address("/usage", parameters)), _as_is
        )
        return found

    def history(self, parameters: Mapping[str, object]) -> Flow[Mapping[str, Any]]:
        """Read the history of statistics, with the query `parameters`."""
        found: Mapping[str, Any] = yield from self.request_json(
            Request(method="GET", path=_address("/tasks/stats/history", parameters)), _as_is
        )
        return found

    def whoami(self) -> Flow[Principal]:
        found: Principal = yield from self.request_json(Request(method="GET", path="/whoami"), read_principal)
        return found

    def backends(self) -> Flow[Sequence[Mapping[str, Any]]]:
        """Read the service's own backends, and the external ones after them."""
        found: Sequence[Mapping[str, Any]] = yield from self.request_json(
            Request(method="GET", path="/backends"), read_backends
        )
        return found

    def devices(self) -> Flow[Sequence[Mapping[str, Any]]]:
        """Read the list of devices."""
        found: Sequence[Mapping[str, Any]] = yield from self.request_json(
            Request(method="GET", path="/devices"), lambda answer: tuple(answer["devices"])
        )
        return found

    def device(self, name: str) -> Flow[Mapping[str, Any]]:
        """Read a device."""
        found: Mapping[str, Any] = yield from self.request_json(Request(method="GET", path=_device_path(name)), _as_is)
        return found

    def put_device(self, device: Mapping[str, Any], name: str | None) -> Flow[Mapping[str, Any]]:
        """Store a device under its own name or another one."""
        chosen = str(device.get("name", "")) if name is None else name
        body = json.dumps({**device, "name": chosen}).encode()
        request = Request(method="PUT", path=_device_path(chosen), body=body, headers=JSON)
        stored: Mapping[str, Any] = yield from self.request_json(request, _as_is)
        return stored

    def remove_device(self, name: str) -> Flow[None]:
        """Remove a device."""
        try:
            yield from self.call(Request(method="DELETE", path=_device_path(name)))
        except RequestRefused as error:
            # After a retry, an earlier attempt whose response was lost may have removed it.
            if error.code != "device_not_found" or error.attempts == 1:
                raise

    def deliveries(self, task_id: UUID) -> Flow[Sequence[Mapping[str, Any]]]:
        """Read the delivery of the message that a task has ended."""
        return (yield from self._deliveries(f"/tasks/{task_id}/deliveries"))

    def recent_deliveries(self, parameters: Mapping[str, object]) -> Flow[Sequence[Mapping[str, Any]]]:
        """Read the newest deliveries, with the query `parameters`."""
        return (yield from self._deliveries(_address("/deliveries", parameters)))

    def redeliver(self, task_id: UUID) -> Flow[Mapping[str, Any]]:
        """Deliver the message of a task once more."""
        request = Request(method="POST", path=f"/tasks/{task_id}/redeliver")
        found: Mapping[str, Any] = yield from self.request_json(request, _as_is)
        return found

    def redeliver_dead(self) -> Flow[int]:
        """Deliver dead messages once more."""
        request = Request(method="POST", path="/deliveries/redeliver")
        repeated: int = yield from self.request_json(request, lambda answer: answer["repeated"])
        return repeated

    def _deliveries(self, path: str) -> Flow[Sequence[Mapping[str, Any]]]:
        found: Sequence[Mapping[str, Any]] = yield from self.request_json(
            Request(method="GET", path=path), lambda answer: tuple(answer["deliveries"])
        )
        return found


def parts_of(items: Sequence[Mapping[str, object]]) -> Iterator[Sequence[bytes]]:
    """The items as JSON, split into parts of one request each; the same items are always split in the same way."""
    part: list[bytes] = []
    size = 0
    for item in items:
        written = json.dumps(item, separators=(",", ":")).encode()
        if part and (len(part) == MAX_BATCH_TASKS or size + len(written) > MAX_BYTES_IN_A_REQUEST):
            yield part
            part, size = [], 0
        part.append(written)
        size += len(written)
    if part:
        yield part


def _submission(program: str, options: Options, key: str, headers: Mapping[str, str] | None = None) -> Request:
    return _post("/tasks", body_of(program, options), {"idempotency-key": key, **(headers or {})})


def _post(path: str, body: object, headers: Mapping[str, str] | None = None) -> Request:
    return Request(method="POST", path=path, body=json.dumps(body).encode(), headers={**JSON, **(headers or {})})


def _address(path: str, parameters: Mapping[str, object]) -> str:
    given = [(name, _text(value)) for name, value in parameters.items() if value is not None]
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _device_path(name: str) -> str:
    # The path of no name would be that of the list, and dots are segments of their own.
    if not name.strip("."):
        raise RequestInvalid(f"{name!r} is no name of a device.")
    return f"/devices/{quote(name, safe='')}"


def _text(value: object) -> object:
    # The service rejects times without an offset; a naive datetime means local time.
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _read_either(document: Mapping[str, Any]) -> Accepted | Task:
    return read_task(document) if "status" in document else read_accepted(document)


def _as_is(document: Any) -> Any:
    return document
