"""Remembers which queues several projects share, so that a claim begins with the statement that serves it.

`repository` asks it before each claim. It decides only about the order of statements: each of them is safe by itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ketline.domain.queues import TaskQueue

# So long after a message had to be used for another task than its own, claims begin with the next task in turn.
MEMORY_SECONDS = 1.0


@dataclass(slots=True)
class SharedQueues:
    """The queues on which a message was lately used for another task than the one it names."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)

    def note(self, queue: TaskQueue) -> None:
        """Notes that the task which a message of this queue named was not the next in turn, but another was."""
        self._until[queue.name] = self.clock() + MEMORY_SECONDS

    def __contains__(self, queue: TaskQueue) -> bool:
        """Whether that was noted within the last second."""
        return self.clock() < self._until.get(queue.name, 0.0)
