"""Delivers messages about ended tasks to their callbacks; one loop runs in every process, and they share the work."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from ketline.domain.errors import ServiceUnavailable
from ketline.domain.operations.metrics import WEBHOOK_ATTEMPTS
from ketline.domain.webhooks.deliveries import Attempt, AttemptLimits, ClaimedDelivery, DeliveryState, retry_seconds
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.webhooks import CallbackSender, DeliveryQueue
from ketline.service.loop import Loop

log = structlog.get_logger()

INTERVAL_SECONDS = 1.0
BATCH = 100
# The interval of corrections of times, in case the clock of the database was set back.
CORRECTION_SECONDS = 30.0
# How long after the time limit of an attempt another process may make the next one, if this process is killed.
SPARE = timedelta(seconds=15)
# The share of the concurrent attempts that one host may take, so that a slow host does not delay the others.
SHARE_OF_A_HOST = 0.25
# The share of one project, whose members choose the hosts.
SHARE_OF_A_PROJECT = 0.5


@dataclass(slots=True)
class DeliverMessages:
    """Creates deliveries for tasks that have ended, and attempts due deliveries, up to `most` at once.

    With `most` 0 this process makes no deliveries: another process of the service must.
    """

    queue: DeliveryQueue
    sender: CallbackSender
    clock: Clock
    most: int
    timeout: timedelta
    draw: Callable[[], float] = random.random
    metrics: Metrics = field(default_factory=NoMetrics)
    # A delivery is in it twice if it was claimed again meanwhile: after its repetition, or when its lease has ended.
    _under_way: list[ClaimedDelivery] = field(default_factory=list, init=False)
    _correct_at: float = field(default=0.0, init=False)
    _freed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Deliver until cancelled; another process then repeats the attempts that were under way."""
        if not self.most:
            return
        async with asyncio.TaskGroup() as group:
            await Loop(
                partial(self._round, group),
                INTERVAL_SECONDS,
                delayed="webhook.delayed",
                crashed="webhook.crashed",
                wake=self._freed,
                retry_seconds=INTERVAL_SECONDS,
            ).run()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        await self._correct_times()
        if await self.queue.make(BATCH) == BATCH:
            # Further ones follow at once, but after the attempts that are due.
            self._freed.set()
        free = self.most - len(self._under_way)
        if not free:
            return
        for claimed in await self.queue.claim(free, self.timeout + SPARE, list(self._under_way), self._limits()):
            self._under_way.append(claimed)
            group.create_task(self._attempt(claimed))

    def _limits(self) -> AttemptLimits:
        host, project = (max(1, int(self.most * share)) for share in (SHARE_OF_A_HOST, SHARE_OF_A_PROJECT))
        return AttemptLimits(host=host, project=project)

    async def _correct_times(self) -> None:
        if self.clock.monotonic() < self._correct_at:
            return
        if corrected := await self.queue.correct_times():
            log.warning("webhook.times_corrected", deliveries=corrected)
        self._correct_at = self.clock.monotonic() + CORRECTION_SECONDS

    async def _attempt(self, claimed: ClaimedDelivery) -> None:
        try:
            await self._record(claimed, await self.sender.send(claimed))
        except ServiceUnavailable as error:
            # Whatever the response was, the delivery is attempted again when its lease ends.
            log.warning("webhook.not_recorded", **_named(claimed), code=error.code)
        except Exception:
            log.exception("webhook.crashed", **_named(claimed))
        finally:
            self._under_way.remove(claimed)
            self._freed.set()

    async def _record(self, claimed: ClaimedDelivery, attempt: Attempt) -> None:
        if attempt.error is None:
            await self.queue.delivered(claimed, attempt)
            self.metrics.count(WEBHOOK_ATTEMPTS, DeliveryState.DELIVERED)
            log.info("webhook.delivered", **_named(claimed), status=attempt.status)
            return
        pause = max(retry_seconds(claimed.attempt, self.draw()), attempt.pause_seconds)
        state = await self.queue.failed(claimed, attempt, timedelta(seconds=pause))
        # None: another process has begun the next attempt.
        self.metrics.count(WEBHOOK_ATTEMPTS, state or DeliveryState.WAITING)
        event = "webhook.dead" if state is DeliveryState.DEAD else "webhook.failed"
        log.warning(event, **_named(claimed), status=attempt.status, error=attempt.error)


def _named(claimed: ClaimedDelivery) -> dict[str, object]:
    """The fields of log lines about a delivery, without its URL, which may contain a secret of its receiver."""
    return {
        "delivery_id": str(claimed.delivery_id),
        "task_id": str(claimed.task_id),
        "host": claimed.host,
        "attempt": claimed.attempt,
    }
