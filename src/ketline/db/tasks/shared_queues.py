"""Remembers which queues several projects share, so that a claim begins with the statement that serves it.

`repository` checks it before each claim. It affects only the order of statements: each of them is safe by itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ketline.domain.queues import TaskQueue

# How long claims of a queue begin with the next task in turn, after a message was used for another task than its own.
MEMORY_SECONDS = 1.0


@dataclass(slots=True)
class SharedQueues:
    """The queues on which a message was recently used for another task than the one it names."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)

    def note(self, queue: TaskQueue) -> None:
        """Records that a message of this queue was used for another task, because its own was not the next in turn."""
        self._until[queue.name] = self.clock() + MEMORY_SECONDS

    def __contains__(self, queue: TaskQueue) -> bool:
        """Whether that was recorded within the last second."""
        return self.clock() < self._until.get(queue.name, 0.0)
