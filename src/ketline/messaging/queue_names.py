"""The names of the queues on a broker; the adapters for RabbitMQ and for Redis use them."""

from dataclasses import dataclass

from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue

DEFAULT_QUEUE_NAME = "quantum_tasks"


@dataclass(frozen=True, slots=True)
class QueueNames:
    """The names that are derived from the configured one, which is the name of the queue of simulations."""

    base: str = DEFAULT_QUEUE_NAME

    @property
    def dead(self) -> str:
        """The dead-letter queue of all queues."""
        return f"{self.base}.dead"

    def of(self, queue: TaskQueue) -> str:
        """The name of a queue: `quantum_tasks`, `quantum_tasks.convert` or `quantum_tasks.run.<backend>`."""
        return self.base if queue == SIMULATIONS else f"{self.base}.{queue.name}"

    def origin(self, name: str) -> str:
        """The queue to which a dead letter from the queue `name` returns: that one, if it is one of ours."""
        is_ours = name.startswith(f"{self.base}.") and name != self.dead
        return name if is_ours else self.base
