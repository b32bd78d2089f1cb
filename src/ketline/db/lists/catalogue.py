"""Lists, changes and deletes stored tasks, on the database of a `SqlTaskRepository`."""

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Connection, Row, Select

from ketline.db.audit import write_entry
from ketline.db.engine.database import Database
from ketline.db.lists import changes
from ketline.db.lists.ended import find_ended
from ketline.db.lists.optional_columns import count_fitting, read_optional_columns, to_listed
from ketline.db.lists.pages import Search
from ketline.db.lists.statistics import summarize
from ketline.db.schema.rows import to_change
from ketline.db.schema.spec import to_spec
from ketline.db.tasks import queries
from ketline.db.tasks.rank import queue_position_of
from ketline.db.tasks.statements import lock_task
from ketline.db.tasks.submissions import find_accepted
from ketline.domain.access.audit import Action, Actor, task_record
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import TaskNotEnded, TaskNotFound, TaskNotPending
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import EndedTasks, Position, TaskChange, TaskPage, TaskQuery, TaskStatistics
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, IdempotencyKey
from ketline.domain.tasks.task import TaskLine


@dataclass(frozen=True, slots=True)
class SqlTaskCatalogue:
    """A `TaskCatalogue` on the database of a `SqlTaskRepository`, of the tasks of `project`.

    About `looked_at` tasks are examined for a page.
    """

    database: Database
    looked_at: int = 500
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def find(self, query: TaskQuery) -> TaskPage:
        query = replace(query, which=replace(query.which, project=self.project))

        def work(connection: Connection) -> TaskPage:
            rows, following = Search(connection, query, self.looked_at).find()
            ids = [row.task_id for row in rows]
            fitting = count_fitting(connection, ids, query.parts)
            if fitting < len(rows):
                rows, ids = rows[:fitting], ids[:fitting]
                following = Position(at=rows[-1].at, task_id=TaskId(ids[-1]))
            parts = read_optional_columns(connection, ids, query.parts)
            return TaskPage(tasks=[to_listed(row, parts) for row in rows], next=following)

        return await self.database.read(work)

    async def ended(self, task_ids: Sequence[TaskId], most_bytes: int) -> EndedTasks:
        return await self.database.read(lambda connection: find_ended(connection, self.project, task_ids, most_bytes))

    async def last_line(self) -> int:
        return await self.database.read(lambda connection: connection.execute(queries.select_last_line()).scalar_one())

    async def lines(
        self, tags: Sequence[str], *, after: int, upto: int, known: Collection[int], limit: int
    ) -> Sequence[TaskLine]:
        def work(connection: Connection) -> Sequence[TaskLine]:
            recent = connection.execute(queries.select_recent_line_ids(self.project, tags, after)).scalars()
            late = [line_id for line_id in recent if line_id not in known]
            rows = list(connection.execute(queries.select_lines_by_id(late))) if late else []
            if limit > 0 and upto > after:
                rows += connection.execute(queries.select_lines_after(self.project, tags, after, upto, limit))
            of_tasks = _tags_of(connection, {row.task_id for row in rows}) if rows and not tags else {}
            return [
                TaskLine(task_id=TaskId(row.task_id), change=to_change(row), tags=of_tasks.get(row.task_id, ()))
                for row in rows
            ]

        return await self.database.read(work)

    async def summarize(self) -> TaskStatistics:
        return await self.database.read(lambda connection: summarize(connection, self.project))

    async def queue_position(self, task_id: TaskId) -> QueuePosition | None:
        return await self.database.read(lambda connection: queue_position_of(connection, task_id, self.project))

    async def change(self, task_id: TaskId, change: TaskChange) -> None:
        runs = itertools.count()

        def work(connection: Connection) -> TaskStatus | None:
            repeated = next(runs) > 0
            if change.fields and changes.change_task(connection, self.project, task_id, change):
                return None
            row = connection.execute(changes.select_changeable(task_id, self.project)).one_or_none()
            if row is None:
                raise _not_found(task_id)
            # If a repeated transaction finds the change made, its first run may have made it.
            own = repeated and changes.is_made(change, row)
            return row.current_status if change.fields and not own else None

        status = await self.database.write(work)
        if status is not None:
            raise TaskNotPending(
                f"Task {task_id} is {status}: its schedule and its priority cannot be changed any more.", status=status
            )

    async def spec(self, task_id: TaskId) -> TaskSpec:
        def work(connection: Connection) -> Row[Any] | None:
            return connection.execute(changes.select_spec(task_id, self.project)).one_or_none()

        row = await self.database.read(work)
        if row is None:
            raise _not_found(task_id)
        spec = to_spec(row)
        if row.stored_noise is None:
            return spec
        return replace(spec, options=replace(spec.options, noise=json.loads(row.stored_noise)))

    async def accepted_under(self, key: IdempotencyKey) -> Accepted | None:
        return await self.database.read(lambda connection: find_accepted(connection, self.project, key))

    async def delete(self, task_id: TaskId, actor: Actor) -> None:
        record = task_record(Action.TASK_DELETED, actor, self.project, task_id)
        runs = itertools.count()

        def work(connection: Connection) -> TaskStatus | None:
            repeated = next(runs) > 0
            row = connection.execute(lock_task(task_id, self.project)).one_or_none()
            if row is None and repeated:
                # Its first run may well have deleted it.
                return None
            if row is None:
                raise _not_found(task_id)
            status: TaskStatus = row.current_status
            if not status.terminal:  # guard: delete.ended
                return status
            changes.delete_tasks(connection, [task_id])
            write_entry(connection, record)
            return None

        status = await self.database.write(work)
        if status is not None:
            raise TaskNotEnded(f"Task {task_id} is {status}: cancel it first.", status=status)

    async def delete_older(self, age: timedelta, limit: int) -> int:
        return await self._delete_batch(changes.select_older(age, limit))

    async def last_kept(self, keep: int) -> Position | None:
        statement = changes.select_last_kept(keep)
        row = await self.database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else Position(at=row.at, task_id=TaskId(row.task_id))

    async def delete_before(self, last_kept: Position, limit: int) -> int:
        return await self._delete_batch(changes.select_before(last_kept, limit))

    async def _delete_batch(self, found: Select[Any]) -> int:
        def work(connection: Connection) -> int:
            ids: Sequence[Any] = connection.execute(found).scalars().all()
            if ids:
                changes.delete_tasks(connection, ids)
            return len(ids)

        return await self.database.write(work)


def _tags_of(connection: Connection, task_ids: Collection[UUID]) -> Mapping[UUID, Sequence[str]]:
    return {row.task_id: row.tags or () for row in connection.execute(queries.select_tags(task_ids))}


def _not_found(task_id: TaskId) -> TaskNotFound:
    return TaskNotFound(f"Task {task_id} was not found; check the id.")
