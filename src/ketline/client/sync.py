"""The client for ordinary programs: each call returns with its answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    Result,
    Statistics,
    Task,
    TaskPage,
    Validation,
    Worker,
)
from ketline.client.programs import BatchItem, Options, changes_of, items_of
from ketline.client.retries import Retries
from ketline.client.watch import Completion, follow_task, follow_tasks
from ketline.client.wire import Flow
from ketline.domain.task import TaskStatus

T = TypeVar("T")
SILENCE_SECONDS = 30.0
AGENT = "ketline-python"
# What a notebook shows is to be there soon or not at all.
GLANCE_SECONDS = 5.0
GLANCE = Retries(patience_seconds=1.0)


class Client:
    """Submits programs to a service and reads what became of them.

    Without a `url` it is that of `KETLINE_URL`, or else `http://127.0.0.1:8000`; the API key likewise that of
    `KETLINE_API_KEY`, or none. May be used by several threads. Every request may be sent again safely, and is, until
    the patience of `retries` ends: what was submitted once is stored once.

    Raises:
        AddressInvalid: the address or the key cannot be one.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        transport: Any = None,
    ) -> None:
        from ketline.client.http import HttpWire  # httpx takes longer to import than all of this package

        self.url = service_url(url)
        self._wire = HttpWire(self.url, request_headers(api_key, AGENT), silence_seconds, transport)
        shown = shown_url(self.url)
        self._say = Flows(url=shown, retries=retries or Retries(), silence_seconds=silence_seconds)
        self._glance = Flows(url=shown, retries=GLANCE, silence_seconds=min(GLANCE_SECONDS, silence_seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._say.url}>"

    def close(self) -> None:
        """Close its connections."""
        self._wire.close()

    def submit(self, program: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> TaskHandle:
        """Have an OpenQASM 3 program run; returns as soon as it is stored.

        The same `idempotency_key` names the same task, also from another process; without one a new one is made.

        Raises:
            RequestRefused: the service does not take it.
            ServiceUnreachable: it is not known whether it did; submit again with the same key to know.
        """
        accepted = self._hold(self._say.submit(program, options, key_of(idempotency_key)))
        return self._handle(accepted, program)

    def run(
        self,
        program: str,
        *,
        timeout_seconds: float | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Result:
        """Have a program run, and wait for its outcomes. Raises as `submit` and `TaskHandle.result` do."""
        answer = self._hold(self._say.run(program, options, key_of(idempotency_key)))
        handle = self._handle(answer, program)
        handle.task = answer if isinstance(answer, Task) else None
        return handle.result(timeout_seconds=timeout_seconds)

    def submit_batch(
        self, programs: Iterable[BatchItem], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> list[TaskHandle]:
        """Have many programs run: texts, or mappings of `program` and options; `options` hold where an item has none.

        Up to 1,000 programs of 4 MB together are stored all or none; more go in several requests.

        Raises:
            BatchIncomplete: only some of several requests were taken.
            RequestRefused: none was.
        """
        items = items_of(programs, options)
        made = iter([text for text, _ in items])
        flow = self._say.submit_batch(
            items, key_of(idempotency_key), lambda accepted: self._handle(accepted, next(made))
        )
        accepted = self._hold(flow)
        return [self._handle(one, text) for one, (text, _) in zip(accepted, items, strict=True)]

    def as_completed(
        self, tasks: Iterable[TaskHandle], *, timeout_seconds: float | None = None
    ) -> Iterator[TaskHandle]:
        """Each of these tasks as soon as it has ended, in the order in which they end.

        Raises:
            WaitTimeout: some have not ended in time.
        """
        for handle, status in self._watch(tasks, timeout_seconds, changes=False):
            if status is None or status.terminal:
                yield handle

    def watch(
        self, tasks: Iterable[TaskHandle], *, timeout_seconds: float | None = None
    ) -> Iterator[tuple[TaskHandle, TaskStatus | None]]:
        """Each change of status of these tasks, until all have ended: what they come to, None for one that was deleted.

        Raises:
            WaitTimeout: some have not ended in time.
        """
        return self._watch(tasks, timeout_seconds, changes=True)

    def task(self, task_id: UUID | str) -> TaskHandle:
        """A handle of a task that was submitted before; nothing is read yet."""
        return TaskHandle(self, as_id(task_id))

    def get(self, task_id: UUID | str) -> Task:
        """A task as it stands.

        Raises:
            TaskNotFound: there is none with this id.
        """
        return self._hold(self._say.read(as_id(task_id), queue=True))

    def glance(self, task_id: UUID) -> Task:
        """A task as it stands, for showing it: with little patience."""
        return self._hold(self._glance.read(task_id))

    def glance_at_circuit(self, task_id: UUID) -> str:
        """The drawing of a task's circuit, for showing it: with little patience."""
        return self._hold(self._glance.circuit(task_id, "svg"))

    def counts(
        self,
        task_id: UUID | str,
        *,
        top: int | None = None,
        register: int | str | None = None,
        point: int | None = None,
        key_format: str | None = None,
    ) -> Any:
        """A task's counts alone: of the most frequent outcomes, of one register, or of one point of a sweep.

        `key_format` is `binary` or `hex`.

        Raises:
            NoResult: it has none.
        """
        asked = {"top": top, "register": register, "point": point, "format": key_format}
        return self._hold(self._say.counts(as_id(task_id), asked))

    def wait(self, task_id: UUID | str, *, timeout_seconds: float | None = None) -> Task:
        """A task once it has ended, however it ended.

        Raises:
            WaitTimeout: it has not in time.
        """
        return self._hold(self._say.wait(as_id(task_id), timeout_seconds))

    def cancel(self, task_id: UUID | str) -> Task:
        """Cancel a task that has not ended; one that is cancelled already is as good."""
        return self._hold(self._say.cancel(as_id(task_id)))

    def rerun(
        self,
        task_id: UUID | str,
        *,
        seed: int | str = "same",
        shots: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskHandle:
        """Run the program of a task again, as a new task; `seed` is "same", "new", or a number."""
        asked = {"seed": seed, **({} if shots is None else {"shots": shots})}
        return self._handle(self._hold(self._say.rerun(as_id(task_id), asked, key_of(idempotency_key))), None)

    def change(self, task_id: UUID | str, **changes: Any) -> Task:
        """Give a task another `name`, other `tags` or `metadata`, or another time it is `scheduled_for`."""
        return self._hold(self._say.change(as_id(task_id), changes_of(changes)))

    def enqueue(self, task_id: UUID | str) -> Task:
        """Release a task that was submitted with `hold`; one that was released before stays as it is."""
        return self._hold(self._say.enqueue(as_id(task_id)))

    def delete(self, task_id: UUID | str) -> None:
        """Delete a task that has ended. This cannot be undone."""
        self._hold(self._say.delete(as_id(task_id)))

    def circuit(self, task_id: UUID | str, form: str = "text") -> str:
        """The circuit of a task as `text` or `svg`, as `flat` OpenQASM 3, or its `source`."""
        return self._hold(self._say.circuit(as_id(task_id), form))

    def events(self, task_id: UUID | str, *, after: int = 0) -> Iterator[Event]:
        """Each line of a task's history as it is written, to the last; connections that break are made again."""
        return self._wire.listen(follow_task(self._say, as_id(task_id), after))

    def follow(self, *, tags: Sequence[str] = (), after: int | None = None) -> Iterator[Event]:
        """Each change of all tasks with these tags, from now on or from after an event, without end."""
        return self._wire.listen(follow_tasks(self._say, tags, after))

    def tasks(self, *, most: int | None = None, **filters: Any) -> Iterator[Task]:
        """Stored tasks, newest first, page by page; filters are those of `GET /tasks` (status, tag, name, …)."""
        page = self.page(**filters)
        given = 0
        while True:
            for task in page.tasks:
                if given == most:
                    return
                yield task
                given += 1
            if page.next is None:
                return
            page = self._hold(self._say.page_at(page.next))

    def page(self, **filters: Any) -> TaskPage:
        """The first page of a list of tasks."""
        return self._hold(self._say.page(filters))

    def validate(self, program: str, **options: Unpack[Options]) -> Validation:
        """What is wrong with a program, or how it would be run; nothing is."""
        return self._hold(self._say.validate(program, options))

    def workers(self) -> Sequence[Worker]:
        """The workers that live."""
        return self._hold(self._say.workers())

    def statistics(self) -> Statistics:
        """How many tasks there are of each status."""
        return self._hold(self._say.statistics())

    def backends(self) -> Sequence[Mapping[str, Any]]:
        """What programs are run on, and its limits, as the service tells it."""
        found: Sequence[Mapping[str, Any]] = self._hold(self._say.backends())
        return found

    def _watch(
        self, tasks: Iterable[TaskHandle], timeout_seconds: float | None, *, changes: bool
    ) -> Iterator[tuple[TaskHandle, TaskStatus | None]]:
        handles = {handle.task_id: handle for handle in tasks}
        times = {task_id: handle.submitted_at for task_id, handle in handles.items()}
        completion = Completion(self._say, times, timeout_seconds, changes=changes)
        for task_id, status, task in self._wire.listen(completion()):
            handles[task_id].task = task or handles[task_id].task
            yield handles[task_id], status

    def _hold(self, flow: Flow[T]) -> T:
        return self._wire.hold(flow)

    def _handle(self, known: Accepted | Task, program: str | None) -> TaskHandle:
        return TaskHandle(self, known.task_id, submitted_at=known.submitted_at, program=program)


def key_of(idempotency_key: str | None) -> str:
    """The name of one submission: the one given, or one that no other has.

    Raises:
        RequestInvalid: it has characters that a header cannot have.
    """
    key = idempotency_key or uuid4().hex
    if not (key.isascii() and key.isprintable() and key.strip()):
        raise RequestInvalid("An idempotency key has printable ASCII characters only, not only blanks.")
    return key


def as_id(task_id: UUID | str) -> UUID:
    """The id of a task.

    Raises:
        ValueError: it is none.
    """
    return task_id if isinstance(task_id, UUID) else UUID(str(task_id))
