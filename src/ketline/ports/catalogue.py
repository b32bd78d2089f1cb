"""What the services need to find, change and delete stored tasks, as promises that `db` keeps; see also `ports`."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from ketline.domain.lists import Position, TaskChange, TaskPage, TaskQuery, TaskStatistics
from ketline.domain.priority import QueuePosition
from ketline.domain.spec import TaskSpec
from ketline.domain.task import Accepted, IdempotencyKey, TaskId, TaskLine


class TaskCatalogue(Protocol):
    """The stored tasks for those who neither submit nor run them.

    Every method that changes something is one transaction, as those of `ports.repositories` are, and raises
    `DatabaseUnavailable` as they do.
    """

    async def find(self, query: TaskQuery) -> TaskPage:
        """Give a page of a list, in bounded time however many tasks there are.

        Tasks that are there all the while are found exactly once by following `next`, whatever comes and goes
        meanwhile. A page may be short where many tasks had to be looked at.
        """
        ...

    async def last_line(self) -> int:
        """Give the id of the newest line of all histories, 0 when there is none."""
        ...

    async def lines(self, tags: Sequence[str], *, after: int, known: Collection[int], limit: int) -> Sequence[TaskLine]:
        """Give lines of the histories of tasks that have all these tags, lowest id first.

        They are up to `limit` lines after `after`, and before them the young ones up to it that are not `known`: what
        is committed later can have a lower id.
        """
        ...

    async def summarize(self) -> TaskStatistics:
        """Count the tasks; slow enough not to be asked for each request."""
        ...

    async def queue_position(self, task_id: TaskId) -> QueuePosition | None:
        """Tell where a task stands in the queue, None where it does not wait for a worker."""
        ...

    async def change(self, task_id: TaskId, change: TaskChange) -> None:
        """Change a task; of a concurrent claim and a change of schedule one comes first, and decides.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotPending: the schedule or the priority was to be changed, and the task has been started or has ended.
        """
        ...

    async def spec(self, task_id: TaskId) -> TaskSpec:
        """Give what the task was submitted with, its seed included.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def accepted_under(self, key: IdempotencyKey) -> Accepted | None:
        """Give the task that was made under a key before, None where there is none or the key has expired.

        Raises:
            IdempotencyKeyReused: the key was used for something else.
        """
        ...

    async def delete(self, task_id: TaskId) -> None:
        """Delete a task that has ended, with its history, its labels and the keys that name it.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotEnded: it is pending or being processed.
        """
        ...

    async def forget_older(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` tasks that ended longer ago than `age`, and give how many it were.

        Concurrent callers delete different tasks, and wait for nobody.
        """
        ...

    async def last_kept(self, keep: int) -> Position | None:
        """Give the task that ended as the `keep`th from the end, None where fewer have ended.

        It takes as many steps as tasks are kept, and holds nobody up who writes.
        """
        ...

    async def forget_before(self, last_kept: Position, limit: int) -> int:
        """Delete up to `limit` tasks that ended before the one `last_kept` found; else as `forget_older`."""
        ...
