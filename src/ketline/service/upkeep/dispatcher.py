"""The loop that makes lost messages harmless: it dispatches what is due, for the first time or again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from ketline.domain.errors import PublishFailed, QueueUnavailable, ServiceUnavailable
from ketline.domain.task import Dispatch, TaskId
from ketline.ports.repositories import TaskUpkeep
from ketline.ports.tasks import Clock, TaskPublisher
from ketline.service.loop import Loop

log = structlog.get_logger()

REPUBLISH_DELAY = timedelta(seconds=1)
LOST_MESSAGE_LOOK_SECONDS = 5.0
LONG_OVERDUE = timedelta(hours=1)


@dataclass(slots=True)
class Dispatcher:
    """Puts due tasks on the queue; one runs in every process, and they share the work without a leader."""

    repository: TaskUpkeep
    publisher: TaskPublisher
    clock: Clock
    interval_seconds: float
    batch: int = 100
    _ready: list[Dispatch] = field(default_factory=list, init=False)
    _poll_at: float = field(default=0.0, init=False)
    _look_again_at: float = field(default=0.0, init=False)
    _nudged: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _queue_down: bool = field(default=False, init=False)

    def nudge(self) -> None:
        """Look for due tasks now rather than at the next interval."""
        self._poll_at = 0.0
        self._nudged.set()

    def has_room(self) -> bool:
        """Whether a task may be stored as taken already, to be `put` here next."""
        return not self._queue_down and len(self._ready) < self.batch

    def put(self, dispatch: Dispatch) -> None:
        """Publish a task that was stored as taken; one that is lost here is overdue in time, as any other."""
        self._ready.append(dispatch)
        self._nudged.set()

    async def run(self) -> None:
        """Dispatch until cancelled."""
        loop = Loop(
            self._round,
            self.interval_seconds,
            delayed="dispatch.delayed",
            crashed="dispatch.crashed",
            until_next=self._until_poll,
            wake=self._nudged,
            # New tasks must not have the queue tried again for each of them while it is down.
            retry_seconds=self.interval_seconds,
        )
        try:
            await loop.run()
        finally:
            if self._ready:
                with suppress(ServiceUnavailable):
                    # guard: outbox.rest
                    await self.repository.postpone([dispatch.task_id for dispatch in self._ready], timedelta())

    async def _round(self) -> None:
        await self._send_ready()
        if self.clock.monotonic() >= self._poll_at:
            self._poll_at = self.clock.monotonic() + self.interval_seconds
            while await self.dispatch() == self.batch:
                pass
        await self._look_for_lost_messages()  # guard: redispatch

    def _until_poll(self) -> float:
        return max(0.0, self._poll_at - self.clock.monotonic())  # guard: dispatch.poll

    async def dispatch(self) -> int:
        """Publish one batch of due tasks, and give how many the queue took.

        Raises:
            ServiceUnavailable: the database or the queue is away.
        """
        await self._require_queue()
        return await self._send(await self.repository.take_due(self.batch))

    async def redispatch(self) -> int:
        """Publish tasks again whose message seems lost, and give how many the queue took.

        A task that merely waits has its message on the queue. So tasks are published again only as far as more of
        them were dispatched than the queue holds; those overdue by long are in any case, should the count be misled
        by messages that are not theirs. A message in a consumer's hands counts as missing: it is claimed in a moment,
        and idle consumers, which have none, must not hide a lost one.

        Raises:
            ServiceUnavailable: the database or the queue is away.
        """
        dispatched = await self.repository.count_dispatched()
        missing = dispatched - await self.publisher.depth()  # guard: redispatch.depth
        if missing > 0:
            return await self._send(await self.repository.take_overdue(min(missing, self.batch), by=timedelta()))
        # guard: redispatch.overdue
        return await self._send(await self.repository.take_overdue(self.batch, by=LONG_OVERDUE))

    async def _require_queue(self) -> None:
        if self._queue_down:
            await self.publisher.ping()  # guard: dispatch.queue_down
            self._queue_down = False

    async def _send_ready(self) -> None:
        # Once, however many come meanwhile: what is due in the database must have its turn.
        if self._ready:  # guard: dispatch.turn
            await self._require_queue()
            ready, self._ready = self._ready, []
            await self._send(ready)

    async def _look_for_lost_messages(self) -> None:
        if self.clock.monotonic() < self._look_again_at:
            return
        while await self.redispatch() == self.batch:
            pass
        self._look_again_at = self.clock.monotonic() + LOST_MESSAGE_LOOK_SECONDS

    async def _send(self, due: Sequence[Dispatch]) -> int:
        failed = [task_id for task_id in await asyncio.gather(*map(self._publish, due)) if task_id is not None]
        if failed:
            self._queue_down = True
            await self.repository.postpone(failed, REPUBLISH_DELAY)  # guard: publish.postpone
            raise QueueUnavailable(f"{len(failed)} of {len(due)} tasks could not be queued; they are tried again.")
        return len(due)

    async def _publish(self, dispatch: Dispatch) -> TaskId | None:
        """None, or the id of the task when the queue did not take it."""
        try:
            await self.publisher.publish(dispatch)
        except PublishFailed as error:
            log.warning(
                "task.not_queued",
                task_id=str(dispatch.task_id),
                correlation_id=dispatch.correlation_id,
                error=str(error),
            )
            return dispatch.task_id
        log.debug("task.queued", task_id=str(dispatch.task_id), correlation_id=dispatch.correlation_id)
        return None
