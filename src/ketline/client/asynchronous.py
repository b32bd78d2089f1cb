"""The client for programs with asyncio: the same as `Client`, to be awaited."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

from ketline.client.address import request_headers, service_url, shown_url
from ketline.client.async_handle import AsyncTaskHandle
from ketline.client.flows import Flows
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
from ketline.client.sync import AGENT, SILENCE_SECONDS, as_id, key_of
from ketline.client.watch import Completion, follow_task, follow_tasks
from ketline.client.wire import Flow
from ketline.domain.task import TaskStatus

T = TypeVar("T")


class AsyncClient:
    """Submits programs to a service and reads what became of them.

    Without a `url` it is that of `KETLINE_URL`, or else `http://127.0.0.1:8000`; the API key likewise that of
    `KETLINE_API_KEY`, or none. To be used in one event loop. Every request may be sent again safely, and is, until
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
        from ketline.client.http import AsyncHttpWire  # httpx takes longer to import than all of this package

        self.url = service_url(url)
        self._wire = AsyncHttpWire(self.url, request_headers(api_key, AGENT), silence_seconds, transport)
        shown = shown_url(self.url)
        self._say = Flows(url=shown, retries=retries or Retries(), silence_seconds=silence_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncClient of {self._say.url}>"

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()

    async def submit(
        self, program: str, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> AsyncTaskHandle:
        """Have an OpenQASM 3 program run; returns as soon as it is stored.

        The same `idempotency_key` names the same task, also from another process; without one a new one is made.

        Raises:
            RequestRefused: the service does not take it.
            ServiceUnreachable: it is not known whether it did; submit again with the same key to know.
        """
        accepted = await self._hold(self._say.submit(program, options, key_of(idempotency_key)))
        return self._handle(accepted, program)

    async def run(
        self,
        program: str,
        *,
        timeout_seconds: float | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[Options],
    ) -> Result:
        """Have a program run, and wait for its outcomes. Raises as `submit` and `AsyncTaskHandle.result` do."""
        answer = await self._hold(self._say.run(program, options, key_of(idempotency_key)))
        handle = self._handle(answer, program)
        handle.task = answer if isinstance(answer, Task) else None
        return await handle.result(timeout_seconds=timeout_seconds)

    async def submit_batch(
        self, programs: Iterable[BatchItem], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> list[AsyncTaskHandle]:
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
        accepted = await self._hold(flow)
        return [self._handle(one, text) for one, (text, _) in zip(accepted, items, strict=True)]

    async def as_completed(
        self, tasks: Iterable[AsyncTaskHandle], *, timeout_seconds: float | None = None
    ) -> AsyncIterator[AsyncTaskHandle]:
        """Each of these tasks as soon as it has ended, in the order in which they end.

        Raises:
            WaitTimeout: some have not ended in time.
        """
        async for handle, status in self._watch(tasks, timeout_seconds, changes=False):
            if status is None or status.terminal:
                yield handle

    def watch(
        self, tasks: Iterable[AsyncTaskHandle], *, timeout_seconds: float | None = None
    ) -> AsyncIterator[tuple[AsyncTaskHandle, TaskStatus | None]]:
        """Each change of status of these tasks, until all have ended: what they come to, None for one that was deleted.

        Raises:
            WaitTimeout: some have not ended in time.
        """
        return self._watch(tasks, timeout_seconds, changes=True)

    def task(self, task_id: UUID | str) -> AsyncTaskHandle:
        """A handle of a task that was submitted before; nothing is read yet."""
        return AsyncTaskHandle(self, as_id(task_id))

    async def get(self, task_id: UUID | str) -> Task:
        """A task as it stands.

        Raises:
            TaskNotFound: there is none with this id.
        """
        return await self._hold(self._say.read(as_id(task_id), queue=True))

    async def counts(
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
        return await self._hold(self._say.counts(as_id(task_id), asked))

    async def wait(self, task_id: UUID | str, *, timeout_seconds: float | None = None) -> Task:
        """A task once it has ended, however it ended.

        Raises:
            WaitTimeout: it has not in time.
        """
        return await self._hold(self._say.wait(as_id(task_id), timeout_seconds))

    async def cancel(self, task_id: UUID | str) -> Task:
        """Cancel a task that has not ended; one that is cancelled already is as good."""
        return await self._hold(self._say.cancel(as_id(task_id)))

    async def rerun(
        self,
        task_id: UUID | str,
        *,
        seed: int | str = "same",
        shots: int | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncTaskHandle:
        """Run the program of a task again, as a new task; `seed` is "same", "new", or a number."""
        asked = {"seed": seed, **({} if shots is None else {"shots": shots})}
        return self._handle(await self._hold(self._say.rerun(as_id(task_id), asked, key_of(idempotency_key))), None)

    async def change(self, task_id: UUID | str, **changes: Any) -> Task:
        """Give a task another `name`, other `tags` or `metadata`, or another time it is `scheduled_for`."""
        return await self._hold(self._say.change(as_id(task_id), changes_of(changes)))

    async def enqueue(self, task_id: UUID | str) -> Task:
        """Release a task that was submitted with `hold`; one that was released before stays as it is."""
        return await self._hold(self._say.enqueue(as_id(task_id)))

    async def delete(self, task_id: UUID | str) -> None:
        """Delete a task that has ended. This cannot be undone."""
        await self._hold(self._say.delete(as_id(task_id)))

    async def circuit(self, task_id: UUID | str, form: str = "text") -> str:
        """The circuit of a task as `text` or `svg`, as `flat` OpenQASM 3, or its `source`."""
        return await self._hold(self._say.circuit(as_id(task_id), form))

    def events(self, task_id: UUID | str, *, after: int = 0) -> AsyncIterator[Event]:
        """Each line of a task's history as it is written, to the last; connections that break are made again."""
        return self._wire.listen(follow_task(self._say, as_id(task_id), after))

    def follow(self, *, tags: Sequence[str] = (), after: int | None = None) -> AsyncIterator[Event]:
        """Each change of all tasks with these tags, from now on or from after an event, without end."""
        return self._wire.listen(follow_tasks(self._say, tags, after))

    async def tasks(self, *, most: int | None = None, **filters: Any) -> AsyncIterator[Task]:
        """Stored tasks, newest first, page by page; filters are those of `GET /tasks` (status, tag, name, …)."""
        page = await self.page(**filters)
        given = 0
        while True:
            for task in page.tasks:
                if given == most:
                    return
                yield task
                given += 1
            if page.next is None:
                return
            page = await self._hold(self._say.page_at(page.next))

    async def page(self, **filters: Any) -> TaskPage:
        """The first page of a list of tasks."""
        return await self._hold(self._say.page(filters))

    async def validate(self, program: str, **options: Unpack[Options]) -> Validation:
        """What is wrong with a program, or how it would be run; nothing is."""
        return await self._hold(self._say.validate(program, options))

    async def workers(self) -> Sequence[Worker]:
        """The workers that live."""
        return await self._hold(self._say.workers())

    async def statistics(self) -> Statistics:
        """How many tasks there are of each status."""
        return await self._hold(self._say.statistics())

    async def backends(self) -> Sequence[Mapping[str, Any]]:
        """What programs are run on, and its limits, as the service tells it."""
        found: Sequence[Mapping[str, Any]] = await self._hold(self._say.backends())
        return found

    async def _watch(
        self, tasks: Iterable[AsyncTaskHandle], timeout_seconds: float | None, *, changes: bool
    ) -> AsyncIterator[tuple[AsyncTaskHandle, TaskStatus | None]]:
        handles = {handle.task_id: handle for handle in tasks}
        times = {task_id: handle.submitted_at for task_id, handle in handles.items()}
        completion = Completion(self._say, times, timeout_seconds, changes=changes)
        async for task_id, status, task in self._wire.listen(completion()):
            handles[task_id].task = task or handles[task_id].task
            yield handles[task_id], status

    async def _hold(self, flow: Flow[T]) -> T:
        return await self._wire.hold(flow)

    def _handle(self, known: Accepted | Task, program: str | None) -> AsyncTaskHandle:
        return AsyncTaskHandle(self, known.task_id, submitted_at=known.submitted_at, program=program)
