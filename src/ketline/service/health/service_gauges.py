"""The gauges of the whole service: read from database and broker when a scrape needs them, and cached.

`Scrape` refreshes them in API processes.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from ketline.domain.errors import QueueUnavailable, ServiceUnavailable
from ketline.domain.operations import metrics as table
from ketline.domain.operations.measurements import QueueMeasurement, ServiceMeasurement
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, Reading, ServiceMeasurer
from ketline.ports.tasks.queue import DeadLetterBox

log = structlog.get_logger()

# The most values of the label `queue`: operators may configure any number of backends.
MAX_QUEUES = 100


@dataclass(slots=True)
class ServiceGauges:
    """Reads at most once in `fresh_seconds`, one reading at a time; a scrape waits for it for `wait_seconds`.

    A reading that takes longer continues in the background. Meanwhile, and when a reading fails, the last one is shown
    until it is `kept_seconds` old.
    """

    measurer: ServiceMeasurer
    dead_letter_box: DeadLetterBox | None
    clock: Clock
    fresh_seconds: float = 5.0
    wait_seconds: float = 1.5
    kept_seconds: float = 60.0
    _reading: asyncio.Task[None] | None = field(default=None, init=False)
    _measured: tuple[float, ServiceMeasurement] | None = field(default=None, init=False)
    _dead_letters: tuple[float, int] | None = field(default=None, init=False)

    def register(self, metrics: Metrics) -> None:
        """Register the gauges, which are shown at each scrape."""
        metrics.on_scrape(table.MEASUREMENT_SUCCESS, lambda: {(): float(self._age() <= self.fresh_seconds)})
        metrics.on_scrape(table.QUEUE_TASKS, self._tasks)
        metrics.on_scrape(table.QUEUE_OLDEST, self._oldest)
        metrics.on_scrape(
            table.QUEUE_PREDICTED, lambda: _by_queue(self._queues(), lambda queue: queue.predicted_seconds)
        )
        metrics.on_scrape(
            table.QUEUE_BUSY, lambda: _by_queue(self._queues(), lambda queue: queue.durations.running.tasks)
        )
        metrics.on_scrape(table.QUEUE_WORKERS, lambda: _by_queue(self._queues(), lambda queue: queue.workers))
        metrics.on_scrape(table.WORKERS, lambda: self._of_service(lambda service: service.workers))
        metrics.on_scrape(
            table.WORKERS_BROKEN, lambda: self._of_service(lambda service: service.workers_without_simulator)
        )
        metrics.on_scrape(table.WORKERS_DRAINING, lambda: self._of_service(lambda service: service.workers_draining))
        metrics.on_scrape(table.CLAIM_PAUSES, lambda: self._of_service(lambda service: service.claim_pauses))
        metrics.on_scrape(table.WEBHOOKS_WAITING, lambda: self._of_service(lambda service: service.webhooks_waiting))
        metrics.on_scrape(
            table.WEBHOOKS_OLDEST, lambda: self._of_service(lambda service: service.oldest_webhook_seconds or 0.0)
        )
        metrics.on_scrape(table.DATABASE_SIZE, lambda: self._of_service(lambda service: service.database_bytes))
        metrics.on_scrape(table.DEAD_LETTERS, self._count_of_dead_letters)

    async def refresh(self) -> None:
        """Return when the gauges are fresh, or after `wait_seconds`."""
        if self._age() <= self.fresh_seconds:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait([self._reading], timeout=self.wait_seconds)

    async def _read(self) -> None:
        await asyncio.gather(self._measure(), self._look_at_dead_letters())

    async def _measure(self) -> None:
        try:
            measurement = await self.measurer.measure()
        except ServiceUnavailable as error:
            log.debug("metrics.not_measured", code=error.code)
        except Exception:
            log.exception("metrics.crashed")
        else:
            self._measured = (self.clock.monotonic(), measurement)

    async def _look_at_dead_letters(self) -> None:
        if self.dead_letter_box is None:
            return
        try:
            letters = await self.dead_letter_box.look(0)
        except QueueUnavailable as error:
            log.debug("metrics.dead_letters_not_counted", code=error.code)
        except Exception:
            log.exception("metrics.crashed")
        else:
            self._dead_letters = (self.clock.monotonic(), letters.count)

    def _age(self) -> float:
        return float("inf") if self._measured is None else self.clock.monotonic() - self._measured[0]

    def _service(self) -> ServiceMeasurement | None:
        return self._measured[1] if self._measured is not None and self._age() <= self.kept_seconds else None

    def _of_service(self, value: Callable[[ServiceMeasurement], float]) -> Reading:
        service = self._service()
        return {} if service is None else {(): value(service)}

    def _queues(self) -> Mapping[str, QueueMeasurement]:
        service = self._service()
        return {} if service is None else dict(sorted(service.queues.items())[:MAX_QUEUES])

    def _tasks(self) -> Reading:
        return {
            (name, state): value
            for name, queue in self._queues().items()
            for state, value in (
                ("waiting", queue.waiting),
                ("delayed", queue.delayed),
                ("processing", queue.processing),
            )
        }

    def _oldest(self) -> Reading:
        return _by_queue(self._queues(), lambda queue: queue.oldest_seconds or 0.0)

    def _count_of_dead_letters(self) -> Reading:
        if self._dead_letters is None or self.clock.monotonic() - self._dead_letters[0] > self.kept_seconds:
            return {}
        return {(): self._dead_letters[1]}


def _by_queue(queues: Mapping[str, QueueMeasurement], value: Callable[[QueueMeasurement], float]) -> Reading:
    return {(name,): value(queue) for name, queue in queues.items()}
