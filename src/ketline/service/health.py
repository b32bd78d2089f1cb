"""Tell, in bounded time, whether the database and the queue answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ketline.domain.errors import ServiceUnavailable
from ketline.ports.tasks import TaskPublisher, TaskRepository


@dataclass(frozen=True, slots=True)
class HealthReport:
    database_connected: bool
    queue_connected: bool

    @property
    def healthy(self) -> bool:
        return self.database_connected and self.queue_connected


class CheckHealth:
    """Asks both at once and gives neither more than `timeout_seconds`; callers at the same time share the questions."""

    def __init__(self, repository: TaskRepository, publisher: TaskPublisher, timeout_seconds: float) -> None:
        self._database = _Question(repository.ping, timeout_seconds)
        self._queue = _Question(publisher.ping, timeout_seconds)

    async def __call__(self) -> HealthReport:
        database, queue = await asyncio.gather(self._database.answered(), self._queue.answered())
        return HealthReport(database_connected=database, queue_connected=queue)


class _Question:
    """One question under way at a time: what hangs must not be asked again and again."""

    def __init__(self, ping: Callable[[], Awaitable[None]], timeout_seconds: float) -> None:
        self._ping = ping
        self._timeout_seconds = timeout_seconds
        self._asking: asyncio.Task[bool] | None = None

    async def answered(self) -> bool:
        """Whether an answer came in time; a question without one is left to end by itself.

        Cancelling it would wait for it: database transactions run to their end.
        """
        # This caller's own question: by the time that it is answered another caller may have put the next one.
        asking = self._asking
        if asking is None or asking.done():
            asking = self._asking = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait([asking], timeout=self._timeout_seconds)
        return bool(done) and asking.result()

    async def _ask(self) -> bool:
        try:
            await self._ping()
        except ServiceUnavailable:
            return False
        return True
