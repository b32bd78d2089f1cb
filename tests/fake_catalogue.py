"""A stand-in for the catalogue of a `FakeTaskRepository`."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from ketline.api.tasks.line_reader import LATE_LINES
from ketline.api.tasks.views import view_task
from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import IdempotencyKeyReused, TaskNotEnded, TaskNotPending
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.lists import (
    WHILE_PENDING,
    Changeable,
    EndedTask,
    EndedTasks,
    ListedTask,
    Position,
    QueueCounts,
    Rate,
    TaskChange,
    TaskPage,
    TaskQuery,
    TaskStatistics,
)
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.queues import TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, IdempotencyKey
from ketline.domain.tasks.task import Task, TaskLine
from tests.fakes import FakeTaskRepository


class FakeTaskCatalogue:
    """Lists all tasks of the repository in the order they came, whatever is requested, and notes what that is.

    How lists are filtered and sorted is the SQL catalogue's business and is tested there.
    """

    def within(self, project: ProjectName) -> Self:
        """The fake has the tasks of one project."""
        return self

    def __init__(self, repository: FakeTaskRepository) -> None:
        self.repository = repository
        self.queries: list[TaskQuery] = []
        self.next: Position | None = None
        self.counts = 0
        self.batches: list[int] = []
        self.last: Position | None = None
        self.bounds: list[int] = []
        self.deletions: list[tuple[object, int]] = []
        self.feed: list[TaskLine] = []
        self.late: list[TaskLine] = []
        self.last_read = 0
        self.line_reads = 0
        self.places: dict[TaskId, QueuePosition] = {}

    async def find(self, query: TaskQuery) -> TaskPage:
        await self.repository.ping()
        self.queries.append(query)
        listed = [ListedTask(task=task, worker_id=None) for task in self.repository.tasks.values()]
        return TaskPage(tasks=listed[: query.limit], next=self.next)

    async def ended(self, task_ids: Sequence[TaskId], most_bytes: int) -> EndedTasks:
        await self.repository.ping()
        stored = [self.repository.tasks[task_id] for task_id in task_ids if task_id in self.repository.tasks]
        ended = [await self._ended(task) for task in stored if task.status.terminal]
        fitting: set[TaskId] = set()
        for task in sorted(ended, key=lambda one: len(one.result or "")):
            most_bytes -= len(task.result or "")
            if most_bytes >= 0:
                fitting.add(task.task_id)
        return EndedTasks(
            tasks=[task for task in ended if task.task_id in fitting],
            unread=[task.task_id for task in ended if task.task_id not in fitting],
            running=[task.task_id for task in stored if not task.status.terminal],
        )

    async def _ended(self, task: Task) -> EndedTask:
        return EndedTask(
            task_id=task.task_id,
            status=task.status,
            submitted_at=task.submitted_at,
            completed_at=task.completed_at,
            shots=task.shots,
            seed=task.options.seed,
            correlation_id=task.correlation_id,
            failure=task.failure,
            profile=task.profile,
            result=await self.repository.result_text(task.task_id) if view_task(task).result else None,
        )

    async def last_line(self) -> int:
        await self.repository.ping()
        return max((line.change.line_id for line in self.feed), default=0)

    async def lines(
        self, tags: Sequence[str], *, after: int, upto: int, known: Collection[int], limit: int
    ) -> Sequence[TaskLine]:
        await self.repository.ping()
        self.line_reads += 1
        wanted = [line for line in self.feed if set(tags) <= set(self.repository.tasks[line.task_id].labels.tags)]
        wanted.sort(key=lambda line: line.change.line_id)
        young = {line.change.line_id for line in self.late}
        recent = [
            line
            for line in wanted
            if after - LATE_LINES < line.change.line_id <= after and line.change.line_id in young
        ]
        late = [line for line in recent if line.change.line_id not in known]
        found = late + [line for line in wanted if after < line.change.line_id <= upto][:limit]
        labels = {task_id: task.labels for task_id, task in self.repository.tasks.items()}
        read = [line if tags else replace(line, tags=labels[line.task_id].tags) for line in found]
        self.last_read = max(self.last_read, *(line.change.line_id for line in read), 0)
        return read

    async def queue_position(self, task_id: TaskId) -> QueuePosition | None:
        await self.repository.ping()
        return self.places.get(task_id)

    async def summarize(self) -> TaskStatistics:
        await self.repository.ping()
        self.counts += 1
        statuses = [task.status for task in self.repository.tasks.values()]
        counts: Mapping[TaskStatus, int] = {status: statuses.count(status) for status in TaskStatus}
        rates: Sequence[Rate] = [Rate(minutes=5, completed_per_minute=1.5, failed_per_minute=0.0)]
        return TaskStatistics(
            at=datetime.now(UTC), counts=counts, oldest_pending_seconds=None, rates=rates, queues=self._queues()
        )

    def _queues(self) -> Mapping[str, QueueCounts]:
        tasks = self.repository.tasks.values()
        found = Counter((TaskQueue(task.kind, task.backend).name, task.status) for task in tasks)
        names = sorted({name for name, status in found if not status.terminal})
        return {
            name: QueueCounts(waiting=found[name, TaskStatus.PENDING], processing=found[name, TaskStatus.PROCESSING])
            for name in names
        }

    async def change(self, task_id: TaskId, change: TaskChange) -> None:
        task = await self.repository.get(task_id)
        if WHILE_PENDING & change.fields and task.status is not TaskStatus.PENDING:
            raise TaskNotPending(f"Task {task_id} is {task.status}.", status=task.status)
        if Changeable.SCHEDULED_FOR in change.fields:
            task = replace(task, scheduled_for=change.scheduled_for)
        if Changeable.PRIORITY in change.fields:
            task = replace(task, priority=change.priority)
        old, new = task.labels, change.labels
        labels = Labels(
            name=new.name if Changeable.NAME in change.fields else old.name,
            tags=new.tags if Changeable.TAGS in change.fields else old.tags,
            metadata=new.metadata if Changeable.METADATA in change.fields else old.metadata,
        )
        self.repository.tasks[task_id] = replace(task, labels=labels)

    async def spec(self, task_id: TaskId) -> TaskSpec:
        await self.repository.get(task_id)
        return next(one.spec for one in self.repository.submissions if one.task_id == task_id)

    async def accepted_under(self, key: IdempotencyKey) -> Accepted | None:
        await self.repository.ping()
        known, accepted = self.repository.keys.get(key.key, (None, None))
        if accepted is None or accepted.task_id not in self.repository.tasks:
            return None
        if known != key.fingerprint:
            raise IdempotencyKeyReused("the key names another submission")
        return replace(accepted, repeated=True)

    async def delete(self, task_id: TaskId, actor: Actor) -> None:
        task = await self.repository.get(task_id)
        if not task.status.terminal:
            raise TaskNotEnded(f"Task {task_id} is {task.status}.", status=task.status)
        del self.repository.tasks[task_id]

    async def delete_older(self, age: timedelta, limit: int) -> int:
        return await self._delete_batch(age, limit)

    async def last_kept(self, keep: int) -> Position | None:
        await self.repository.ping()
        self.bounds.append(keep)
        return self.last

    async def delete_before(self, last_kept: Position, limit: int) -> int:
        return await self._delete_batch(last_kept, limit)

    async def _delete_batch(self, bound: object, limit: int) -> int:
        """As many as the next of `batches` says."""
        await self.repository.ping()
        self.deletions.append((bound, limit))
        return self.batches.pop(0) if self.batches else 0
