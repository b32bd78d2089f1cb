"""Remembers which queues several projects share, so that a claim begins with the statement that serves it.

`repository` checks it before each claim. It affects only the order of tasks: each statement is safe by itself.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ketline.domain.ids import TaskId
from ketline.domain.tasks.queues import TaskQueue

# How long claims of a queue begin with the next task in turn, after a message was used for another task than its own.
MEMORY_SECONDS = 1.0
# Most tasks whose messages were used for others are claimed by their rank before so much time has passed. The others
# are then let overtake, which is an update of the row and all its index entries.
LOST_SECONDS = MEMORY_SECONDS / 2


@dataclass(slots=True)
class SharedQueues:
    """The queues on which a message was recently used for another task than the one it names, and these tasks."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)
    _lost: defaultdict[str, deque[tuple[float, TaskId]]] = field(default_factory=lambda: defaultdict(deque))

    def note(self, queue: TaskQueue, lost: TaskId | None = None) -> None:
        """Records that a message of this queue was used for another task, and that task `lost` is to overtake."""
        self._until[queue.name] = self.clock() + MEMORY_SECONDS
        if lost is not None:
            self._lost[queue.name].append((self.clock(), lost))

    def __contains__(self, queue: TaskQueue) -> bool:
        """Whether that was recorded within the last second, or tasks are still to overtake.

        Until they do, a claim of the task that a message names could pass over them.
        """
        return self.clock() < self._until.get(queue.name, 0.0) or bool(self._lost[queue.name])  # guard: shared.lost

    @contextmanager
    def overtaking(self, queue: TaskQueue) -> Iterator[Sequence[TaskId]]:
        """Gives each task that is to overtake once, many at a time; again if the block raises an error."""
        noted, at = self._lost[queue.name], self.clock()
        taken: list[tuple[float, TaskId]] = []
        if noted and noted[0][0] <= at - MEMORY_SECONDS:
            while noted and noted[0][0] <= at - LOST_SECONDS:
                taken.append(noted.popleft())
        try:
            yield [task_id for _, task_id in taken]
        except BaseException:
            noted.extendleft(reversed(taken))
            raise
