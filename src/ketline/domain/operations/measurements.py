"""Measurements of the service as a whole in the database: its queues, its workers and its size."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ketline.domain.attempts.predicted_work import QueueDurations


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMeasurement:
    """Tasks of one queue that have not ended, in all projects, and the live workers that take them.

    `delayed` tasks are scheduled, held, or pause before a retry. `oldest_seconds` is how long the oldest waiting task
    has waited, None if none waits. `durations` are those of its recent tasks.
    """

    waiting: int = 0
    delayed: int = 0
    processing: int = 0
    oldest_seconds: float | None = None
    workers: int = 0
    durations: QueueDurations = field(default_factory=QueueDurations)

    @property
    def predicted_seconds(self) -> float:
        """The seconds of slots that waiting and processing tasks are predicted to take in all."""
        return self.durations.predict_seconds(self.waiting + self.processing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMeasurement:
    """The queues by name, the live workers, the size of the database, and the number of pauses.

    Of the workers it has those that can start no simulator, and those that are being drained. `webhooks_waiting` are
    messages to callbacks that are still to be delivered, and `oldest_webhook_seconds` is the age of the oldest.
    """

    queues: Mapping[str, QueueMeasurement]
    workers: int
    workers_without_simulator: int
    workers_draining: int = 0
    claim_pauses: int = 0
    webhooks_waiting: int = 0
    oldest_webhook_seconds: float | None = None
    database_bytes: int
