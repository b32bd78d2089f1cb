"""The dispatcher: publishes due tasks to the queue, and publishes tasks again whose messages were lost."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import PublishFailed, QueueFull, QueueUnavailable, ServiceUnavailable
from ketline.domain.operations import metrics as table
from ketline.domain.tasks.queues import TaskQueue
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.queue import TaskPublisher
from ketline.ports.tasks.repositories import TaskUpkeep
from ketline.service.loop import Loop

log = structlog.get_logger()

REPUBLISH_DELAY = timedelta(seconds=1)
LOST_MESSAGE_CHECK_SECONDS = 5.0
LONG_OVERDUE = timedelta(hours=1)


@dataclass(slots=True)
class Dispatcher:
    """Publishes due tasks; one runs in every process, and they share the work without a leader."""

    repository: TaskUpkeep
    publisher: TaskPublisher
    clock: Clock
    interval_seconds: float
    batch: int = 100
    tracing: Tracing = NO_TRACING
    metrics: Metrics = field(default_factory=NoMetrics)
    _ready: list[Dispatch] = field(default_factory=list, init=False)
    _poll_at: float = field(default=0.0, init=False)
    _next_check_at: float = field(default=0.0, init=False)
    _nudged: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _queue_down: bool = field(default=False, init=False)

    def nudge(self) -> None:
        """Look for due tasks now rather than at the next interval."""
        self._poll_at = 0.0
        self._nudged.set()

    def has_room(self) -> bool:
        """Whether a task may be stored as already taken, to be `put` here after the commit."""
        return not self._queue_down and len(self._ready) < self.batch

    def put(self, dispatch: Dispatch) -> None:
        """Publish a task that was stored as already taken; if this process dies first, the task becomes overdue."""
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
            # While the queue is down, each new task would otherwise cause another attempt to reach it.
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
        await self._check_for_lost_messages()  # guard: redispatch

    def _until_poll(self) -> float:
        return max(0.0, self._poll_at - self.clock.monotonic())  # guard: dispatch.poll

    async def dispatch(self) -> int:
        """Publish one batch of due tasks, and return how many the queue accepted.

        Raises:
            ServiceUnavailable: the database or the queue is unavailable.
        """
        await self._require_queue()
        return await self._send(await self.repository.take_due(self.batch))

    async def redispatch(self) -> int:
        """Publish a batch of tasks of each queue again whose messages seem lost; return the largest number accepted.

        A waiting task has a message on its queue. So overdue tasks are published again only if more tasks were
        dispatched than the queue holds messages, and only as many as the difference. Tasks that are overdue by an hour
        are published again in any case, because messages of other tasks may distort that number. A message that was
        delivered but not acknowledged counts as missing: its task is claimed in a moment.

        Raises:
            ServiceUnavailable: the database or the queue is unavailable.
        """
        dispatched = await self.repository.count_dispatched()
        return max([await self._redispatch(queue, count) for queue, count in dispatched.items()], default=0)

    async def _redispatch(self, queue: TaskQueue, dispatched: int) -> int:
        missing = dispatched - await self.publisher.depth(queue)  # guard: redispatch.depth
        if missing > 0:
            return await self._send_again(
                await self.repository.take_overdue(min(missing, self.batch), by=timedelta(), queue=queue)
            )
        # guard: redispatch.overdue
        return await self._send_again(await self.repository.take_overdue(self.batch, by=LONG_OVERDUE, queue=queue))

    async def _send_again(self, overdue: Sequence[Dispatch]) -> int:
        self.metrics.count(table.TASKS_REDISPATCHED, by=len(overdue))
        return await self._send(overdue)

    async def _require_queue(self) -> None:
        if self._queue_down:
            await self.publisher.ping()  # guard: dispatch.queue_down
            self._queue_down = False

    async def _send_ready(self) -> None:
        # One batch for each round, so that new tasks cannot delay those that are due in the database.
        if self._ready:  # guard: dispatch.turn
            await self._require_queue()
            ready, self._ready = self._ready, []
            await self._send(ready)

    async def _check_for_lost_messages(self) -> None:
        if self.clock.monotonic() < self._next_check_at:
            return
        while await self.redispatch() == self.batch:
            pass
        self._next_check_at = self.clock.monotonic() + LOST_MESSAGE_CHECK_SECONDS

    async def _send(self, due: Sequence[Dispatch]) -> int:
        errors = await asyncio.gather(*map(self._publish, due))
        failed = [dispatch.task_id for dispatch, error in zip(due, errors, strict=True) if error is not None]
        self.metrics.count(table.MESSAGES_PUBLISHED, by=len(due) - len(failed))
        if failed:
            self.metrics.count(table.MESSAGES_REJECTED, by=len(failed))
            await self.repository.postpone(failed, REPUBLISH_DELAY)  # guard: publish.postpone
        # A full queue does not keep tasks from the other queues; a broker that does not answer does.
        if any(error is not None and not isinstance(error, QueueFull) for error in errors):
            self._queue_down = True
            raise QueueUnavailable(
                f"{len(failed)} of {len(due)} tasks could not be queued; they will be published again."
            )
        return len(due) - len(failed)

    async def _publish(self, dispatch: Dispatch) -> PublishFailed | None:
        """Publish one task; return the error if the queue did not accept it, else None."""
        trace = self.tracing.publication(dispatch)
        try:
            await self.publisher.publish(trace.dispatch)
        except PublishFailed as error:
            trace.end(str(error))
            log.warning(
                "task.not_queued",
                task_id=str(dispatch.task_id),
                correlation_id=dispatch.correlation_id,
                error=str(error),
            )
            return error
        trace.end()
        log.debug("task.queued", task_id=str(dispatch.task_id), correlation_id=dispatch.correlation_id)
        return None
