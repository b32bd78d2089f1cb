"""The queues that tasks travel on: one for each kind of task, and one for each backend that is not Ketline's own.

The dispatcher publishes a task to its queue, and a worker consumes the queues that it serves.
"""

from dataclasses import dataclass

from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """The queue of the tasks of one kind; only tasks of kind `run` have a `backend`, which has a queue of its own."""

    kind: TaskKind = TaskKind.SIMULATE
    backend: str | None = None

    @property
    def name(self) -> str:
        """`simulate`, `convert` or `run.<backend>`; the broker's queues are named after it."""
        return self.kind.value if self.backend is None else f"{self.kind.value}.{self.backend}"

    @classmethod
    def named(cls, name: str) -> "TaskQueue":
        """The queue with this name.

        Raises:
            ValueError: it is not the name of a queue.
        """
        kind, _, backend = name.partition(".")
        return cls(TaskKind(kind), backend or None)


SIMULATIONS = TaskQueue(TaskKind.SIMULATE)
CONVERSIONS = TaskQueue(TaskKind.CONVERT)


def queue_of(spec: TaskSpec) -> TaskQueue:
    """The queue that a task travels on."""
    return TaskQueue(spec.kind, spec.backend)
