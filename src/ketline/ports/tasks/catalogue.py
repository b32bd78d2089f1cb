"""Lists, changes and deletes stored tasks, for requests that neither submit nor run them."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol, Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.tasks.lists import EndedTasks, Position, TaskChange, TaskPage, TaskQuery, TaskStatistics
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, IdempotencyKey
from ketline.domain.tasks.task import TaskLine


class TaskCatalogue(Protocol):
    """The stored tasks of a project, as lists and as single tasks that change; retention deletes tasks of all projects.

    Every method that changes something is one transaction and raises `DatabaseUnavailable`, as in
    `ports.repositories`.
    """

    def within(self, project: ProjectName) -> Self:
        """Return the port for the tasks of another project."""
        ...

    async def find(self, query: TaskQuery) -> TaskPage:
        """Return a page of a list, in bounded time however many tasks there are.

        A caller that follows `next` finds each task that exists during the whole time exactly once. A page may be short
        if many tasks had to be examined.
        """
        ...

    async def ended(self, task_ids: Sequence[TaskId], most_bytes: int) -> EndedTasks:
        """Return those of these tasks that have ended, in this order; ids without a task are left out.

        Results are read up to a total of `most_bytes` in the database, the small ones first; a larger one never is.
        """
        ...

    async def last_line(self) -> int:
        """Return the id of the newest line of all histories of all projects, 0 if there is none."""
        ...

    async def lines(
        self, tags: Sequence[str], *, after: int, upto: int, known: Collection[int], limit: int
    ) -> Sequence[TaskLine]:
        """Return lines of the histories of tasks that have all these tags, lowest id first.

        They are the first `limit` lines from `after`, which is excluded, to `upto`, preceded by recent lines before
        that are not `known`: a line that is committed later can have a lower id. Without tags they are lines of all
        tasks, with the tags of each.
        """
        ...

    async def summarize(self) -> TaskStatistics:
        """Count the tasks by status; too slow to be called for each request."""
        ...

    async def queue_position(self, task_id: TaskId) -> QueuePosition | None:
        """Return the queue position of a task among those of its project, None if it does not wait for a worker."""
        ...

    async def change(self, task_id: TaskId, change: TaskChange) -> None:
        """Change a task. If a claim and a change of schedule are concurrent, the second fails.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotPending: the schedule or the priority cannot change, because the task has started or has ended.
        """
        ...

    async def spec(self, task_id: TaskId) -> TaskSpec:
        """Return the spec of a task, with its seed.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def accepted_under(self, key: IdempotencyKey) -> Accepted | None:
        """Return the task that was created under this key, None if there is none or the key has expired.

        Raises:
            IdempotencyKeyReused: the key was used for something else.
        """
        ...

    async def delete(self, task_id: TaskId, actor: Actor) -> None:
        """Delete a task that has ended, with its history, its labels and the keys that name it, and record who did it.

        Its usage remains.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotEnded: it is pending or being processed.
        """
        ...

    async def delete_older(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` tasks that ended longer ago than `age`, and return their number.

        Concurrent callers delete different tasks, and wait for each other only to add up the usage of these.
        """
        ...

    async def last_kept(self, keep: int) -> Position | None:
        """Return the position of the `keep`th task from the end in the order of ends, None if fewer have ended.

        Its time grows with `keep`, and it blocks no writer.
        """
        ...

    async def delete_before(self, last_kept: Position, limit: int) -> int:
        """Delete up to `limit` tasks that ended before the position of `last_kept`, otherwise like `delete_older`."""
        ...
