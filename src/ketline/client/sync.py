"""The client for programs without asyncio: each call blocks until it has its result."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID, uuid4

from ketline.client.address import request_headers, service_url, shown_url
from ketline.client.errors import RequestInvalid
from ketline.client.flows import Flows
from ketline.client.handle import TaskHandle
from ketline.client.models import (
    Accepted,
    Event,
    Principal,
    Result,
    Statistics,
    Task,
    TaskPage,
    Validation,
    Worker,
)
from ketline.client.programs import BatchItem, Options, Program, as_text, changes_of, items_of
from ketline.client.retries import Retries
from ketline.client.steps import Flow
from ketline.client.watch import Completion, follow_task, follow_tasks
from ketline.domain.status import TaskStatus

T = TypeVar("T")
READ_TIMEOUT_SECONDS = 30.0
AGENT = "ketline-python"
# Timeouts of the requests that a notebook sends to display a task: they must not block it for long.
DISPLAY_SECONDS = 5.0
DISPLAY_RETRIES = Retries(max_seconds=1.0)


class Client:
    """Submits programs to a service, and reads their tasks and results.

    `url` defaults to `KETLINE_URL`, or to `http://127.0.0.1:8000` if that is not set; `api_key` defaults to
    `KETLINE_API_KEY`, or to no key. Several threads may share a client. Failed requests are sent again as `retries`
    says; this is safe, because a program that is submitted twice with one idempotency key is stored once. A request
    fails if no byte of its response arrives for `read_timeout_seconds`. `transport` is an httpx transport, for tests.

    A copy is the client itself. A pickled client has no API key and no password: where it is loaded, it uses
    `KETLINE_API_KEY`.

    Raises:
        AddressInvalid: `url` is not an HTTP URL, or `api_key` has characters that a header cannot have.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        transport: Any = None,
    ) -> None:
        from ketline.client.http import HttpDriver  # httpx takes longer to import than this whole package

        self.url = service_url(url)
        self._own_transport = transport is not None
        self._driver = HttpDriver(self.url, request_headers(api_key, AGENT), read_timeout_seconds, transport)
        shown = shown_url(self.url)
        self._flows = Flows(url=shown, retries=retries or Retries(), read_timeout_seconds=read_timeout_seconds)
        self._display_flows = Flows(
            url=shown, retries=DISPLAY_RETRIES, read_timeout_seconds=min(DISPLAY_SECONDS, read_timeout_seconds)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._flows.url}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._own_transport:
            raise TypeError("A client with a transport of its own cannot be pickled.")
        flows = self._flows
        return partial(type(self), retries=flows.retries, read_timeout_seconds=flows.read_timeout_seconds), (flows.url,)

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def submit(self, program: Program, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> TaskHandle:
        """Submit a program; return as soon as it is stored. It is OpenQASM text, or a circuit of another library.

        The same `idempotency_key` gives the same task, also from another process; by default each call makes a new key.

        Raises:
            CircuitNotConvertible: a part of the circuit is not supported.
            RequestRefused: the service rejected the program or an option.
            ServiceUnreachable: it is unknown whether the program was stored; submit again with the same key.
        """
        text, options = as_text(program, options)
        accepted = self._run(self._flows.submit(text, options, key_of(idempotency_key)))
        return self._handle(accepted, text)

    def run(
        self,
        program: Program,
        *,
        timeout_seconds: float | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Result:
        """Submit a program and wait for its result. Raises as `submit` and `TaskHandle.result` do."""
        text, options = as_text(program, options)
        answer = self._run(self._flows.run(text, options, key_of(idempotency_key)))
        handle = self._handle(answer, text)
        handle.task = answer if isinstance(answer, Task) else None
        return handle.result(timeout_seconds=timeout_seconds)

    def submit_batch(
        self, programs: Iterable[BatchItem], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> list[TaskHandle]:
        """Submit many programs: those of `submit`, or mappings with `program` and options that override `options`.

        Up to 1,000 programs of 4 MB in total are sent in one request, which stores all of them or none; more are sent
        in several requests.

        Raises:
            BatchIncomplete: only some of several requests succeeded.
            RequestRefused: the service rejected the first request.
        """
        items = items_of(programs, options)
        texts = iter([text for text, _ in items])
        flow = self._flows.submit_batch(
            items, key_of(idempotency_key), lambda accepted: self._handle(accepted, next(texts))
        )
        accepted = self._run(flow)
        return [self._handle(task, text) for task, (text, _) in zip(accepted, items, strict=True)]

    def wait_for_all(self, tasks: Iterable[TaskHandle], *, timeout_seconds: float | None = None) -> None:
        """Wait until all of these tasks have ended, and read them into their handles, many in one request.

        The tasks have no history and labels; `refresh` reads these. A handle whose task was deleted meanwhile
        stays as it is.

        Raises:
            WaitTimeout: not all of them have ended in time.
        """
        handles = list(tasks)
        found = self._run(self._flows.wait_for_all([handle.task_id for handle in handles], timeout_seconds))
        for handle in handles:
            handle.task = found[handle.task_id] or handle.task

    def as_completed(
        self, tasks: Iterable[TaskHandle], *, timeout_seconds: float | None = None
    ) -> Iterator[TaskHandle]:
        """Yield each of these tasks as soon as it has ended.

        The tasks may have no history and labels; `refresh` reads these.

        Raises:
            WaitTimeout: some tasks have not ended in time.
        """
        for handle, status in self._watch(tasks, timeout_seconds, changes=False):
            if status is None or status.terminal:
                yield handle

    def watch(
        self, tasks: Iterable[TaskHandle], *, timeout_seconds: float | None = None
    ) -> Iterator[tuple[TaskHandle, TaskStatus | None]]:
        """Yield each change of status of these tasks until all have ended; None is the status of a deleted task.

        Raises:
            WaitTimeout: some tasks have not ended in time.
        """
        return self._watch(tasks, timeout_seconds, changes=True)

    def task(self, task_id: UUID | str) -> TaskHandle:
        """Return a handle of a stored task, without reading it."""
        return TaskHandle(self, as_id(task_id))

    def get(self, task_id: UUID | str) -> Task:
        """Read a task.

        Raises:
            TaskNotFound: no task has this id.
        """
        return self._run(self._flows.read(as_id(task_id), queue=True))

    def glance(self, task_id: UUID) -> Task:
        """Read a task for display, with a short timeout."""
        return self._run(self._display_flows.read(task_id))

    def glance_at_circuit(self, task_id: UUID) -> str:
        """Read the drawing of a task's circuit for display, with a short timeout."""
        return self._run(self._display_flows.circuit(task_id, "svg"))

    def counts(
        self,
        task_id: UUID | str,
        *,
        top: int | None = None,
        register: int | str | None = None,
        point: int | None = None,
        key_format: str | None = None,
    ) -> Any:
        """Read only a task's counts.

        `top`: only the most frequent outcomes. `register`: only this register, by name or index. `point`: only this
        point of a sweep. `key_format`: `binary` or `hex`.

        Raises:
            NoResult: the task has no counts.
        """
        parameters = {"top": top, "register": register, "point": point, "format": key_format}
        return self._run(self._flows.counts(as_id(task_id), parameters))

    def wait(self, task_id: UUID | str, *, timeout_seconds: float | None = None) -> Task:
        """Wait until a task has ended, and return it whatever its status.

        Raises:
            WaitTimeout: the task has not ended in time.
        """
        return self._run(self._flows.wait(as_id(task_id), timeout_seconds))

    def cancel(self, task_id: UUID | str) -> Task:
        """Cancel a task that has not ended; a task that is already cancelled is returned as it is."""
        return self._run(self._flows.cancel(as_id(task_id)))

    def rerun(
        self,
        task_id: UUID | str,
        *,
        seed: int | str = "same",
        shots: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskHandle:
        """Run the program of a task again, as a new task; `seed` is "same", "new", or a number."""
        parameters = {"seed": seed, **({} if shots is None else {"shots": shots})}
        return self._handle(self._run(self._flows.rerun(as_id(task_id), parameters, key_of(idempotency_key))), None)

    def change(self, task_id: UUID | str, **changes: Any) -> Task:
        """Change a task: its `name`, `tags`, `metadata`, `scheduled_for` or `priority`."""
        return self._run(self._flows.change(as_id(task_id), changes_of(changes)))

    def enqueue(self, task_id: UUID | str) -> Task:
        """Enqueue a task that was submitted with `hold`; one that was enqueued before stays as it is."""
        return self._run(self._flows.enqueue(as_id(task_id)))

    def delete(self, task_id: UUID | str) -> None:
        """Delete a task that has ended. This cannot be undone."""
        self._run(self._flows.delete(as_id(task_id)))

    def circuit(self, task_id: UUID | str, form: str = "text") -> str:
        """Read a task's circuit as `text` or `svg`, as `flat` OpenQASM 3, or its `source`."""
        return self._run(self._flows.circuit(as_id(task_id), form))

    def events(self, task_id: UUID | str, *, after: int = 0) -> Iterator[Event]:
        """Yield each change of a task's status as it happens, until it ends; broken connections are opened again."""
        return self._driver.iterate(follow_task(self._flows, as_id(task_id), after))

    def follow(self, *, tags: Sequence[str] = (), after: int | None = None) -> Iterator[Event]:
        """Yield each change of all tasks with these tags, from now on or after the event `after`, without end."""
        return self._driver.iterate(follow_tasks(self._flows, tags, after))

    def tasks(self, *, most: int | None = None, **filters: Any) -> Iterator[Task]:
        """Yield up to `most` stored tasks, newest first; filters are those of `GET /tasks` (status, tag, name, …)."""
        page = self.page(**filters)
        yielded = 0
        while True:
            for task in page.tasks:
                if yielded == most:
                    return
                yield task
                yielded += 1
            if page.next is None:
                return
            page = self._run(self._flows.page_at(page.next))

    def page(self, **filters: Any) -> TaskPage:
        """Read the first page of a list of tasks; the filters are those of `tasks`."""
        return self._run(self._flows.page(filters))

    def validate(self, program: Program, **options: Unpack[Options]) -> Validation:
        """Validate a program without running it."""
        return self._run(self._flows.validate(*as_text(program, options)))

    def workers(self) -> Sequence[Worker]:
        """List the live workers."""
        return self._run(self._flows.workers())

    def statistics(self) -> Statistics:
        """Count the tasks of each status and queue."""
        return self._run(self._flows.statistics())

    def usage(
        self,
        first_day: date | None = None,
        last_day: date | None = None,
        groups: Sequence[str] = ("day",),
        project: str | None = None,
    ) -> Mapping[str, Any]:
        """Read what the tasks of a project took that ended on some days in UTC, by default the last 30.

        `groups` are "day", "owner" or both. Administrators may name another `project`, or "*" for all.
        """
        parameters = {"from": first_day, "to": last_day, "group": ",".join(groups), "project": project}
        return self._run(self._flows.usage(parameters))

    def history(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        step: timedelta | None = None,
        *,
        queue: str | None = None,
        project: str | None = None,
    ) -> Mapping[str, Any]:
        """Read how many tasks waited, ran and ended in periods of the past, by default of the last 24 hours.

        `step` is the length of a period, a multiple of a minute. A period of which nothing was recorded has no point.
        Administrators may name another `project`, or "*" for the whole service.
        """
        seconds = None if step is None else round(step.total_seconds())
        parameters = {"from": start, "to": end, "step": seconds, "queue": queue, "project": project}
        return self._run(self._flows.history(parameters))

    def whoami(self) -> Principal:
        """Read the project, the role and the owner of the client's credentials."""
        return self._run(self._flows.whoami())

    def backends(self) -> Sequence[Mapping[str, Any]]:
        """Read the gates, methods and limits of the service's own simulators, which come first, and what each external
        backend is: only those have a `queue`. Tasks of kind "run" name one as their `backend`.
        """
        return self._run(self._flows.backends())

    def devices(self) -> Sequence[Mapping[str, Any]]:
        """Read what devices there are, those that are shipped first, without their qubits and gates."""
        return self._run(self._flows.devices())

    def device(self, name: str) -> Mapping[str, Any]:
        """Read a device, in the format in which it is stored."""
        return self._run(self._flows.device(name))

    def put_device(self, device: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
        """Store a device under its own name or `name`, instead of the one of that name, and read its entry."""
        return self._run(self._flows.put_device(device, name))

    def remove_device(self, name: str) -> None:
        """Remove a device. Tasks that were submitted with it keep what it was."""
        self._run(self._flows.remove_device(name))

    def deliveries(self, task_id: UUID | str) -> Sequence[Mapping[str, Any]]:
        """Read the delivery of the message about a task to its callback; there is none before the task has ended."""
        return self._run(self._flows.deliveries(as_id(task_id)))

    def recent_deliveries(self, *, state: str | None = None, limit: int = 50) -> Sequence[Mapping[str, Any]]:
        """Read the newest deliveries of the project, all or those that are "waiting", "delivered" or "dead"."""
        return self._run(self._flows.recent_deliveries({"state": state, "limit": limit}))

    def redeliver(self, task_id: UUID | str) -> Mapping[str, Any]:
        """Deliver the message of a task once more, and retry for another day."""
        return self._run(self._flows.redeliver(as_id(task_id)))

    def redeliver_dead(self) -> int:
        """Deliver up to 1000 messages once more that were given up, and return how many; for operators."""
        return self._run(self._flows.redeliver_dead())

    def _watch(
        self, tasks: Iterable[TaskHandle], timeout_seconds: float | None, *, changes: bool
    ) -> Iterator[tuple[TaskHandle, TaskStatus | None]]:
        handles = {handle.task_id: handle for handle in tasks}
        times = {task_id: handle.submitted_at for task_id, handle in handles.items()}
        completion = Completion(self._flows, times, timeout_seconds, changes=changes)
        for task_id, status, task in self._driver.iterate(completion()):
            handles[task_id].task = task or handles[task_id].task
            yield handles[task_id], status

    def _run(self, flow: Flow[T]) -> T:
        return self._driver.run(flow)

    def _handle(self, known: Accepted | Task, program: str | None) -> TaskHandle:
        return TaskHandle(self, known.task_id, submitted_at=known.submitted_at, program=program)


def key_of(idempotency_key: str | None) -> str:
    """Return the idempotency key of a submission: the given one, or a new one.

    Raises:
        RequestInvalid: the key has characters that a header cannot have.
    """
    key = idempotency_key or uuid4().hex
    if not (key.isascii() and key.isprintable() and key.strip()):
        raise RequestInvalid("An idempotency key must consist of printable ASCII characters, not all of them blank.")
    return key


def as_id(task_id: UUID | str) -> UUID:
    """Convert a task id to a UUID.

    Raises:
        ValueError: the text is not a UUID.
    """
    return task_id if isinstance(task_id, UUID) else UUID(str(task_id))
