"""Reads many ended tasks at once, with their results as text, for `SqlTaskCatalogue.ended`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Text, cast, func, select

from ketline.db.schema.rows import to_failure, to_profile
from ketline.db.schema.sizes import stored_size
from ketline.db.schema.tables import tasks
from ketline.db.schema.visibility import is_of
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.lists import EndedTask, EndedTasks


def find_ended(connection: Connection, project: ProjectName, task_ids: Sequence[TaskId], most_bytes: int) -> EndedTasks:
    """Read those of these tasks of a project that have ended.

    Their results have up to `most_bytes` in total; the small ones are read first.
    """
    size = func.coalesce(stored_size(tasks.c.result), 0).label("size")
    found = select(tasks.c.task_id, tasks.c.current_status, size).where(tasks.c.task_id.in_(task_ids), is_of(project))
    known = {row.task_id: row for row in connection.execute(found)}
    sizes = {task_id: row.size for task_id, row in known.items() if row.current_status.terminal}
    read = _read(connection, _fitting(sizes, most_bytes))
    present = [task_id for task_id in task_ids if task_id in known]
    return EndedTasks(
        tasks=[read[task_id] for task_id in present if task_id in read],
        unread=[task_id for task_id in present if task_id in sizes and task_id not in read],
        running=[task_id for task_id in present if task_id not in sizes],
    )


def _fitting(sizes: dict[UUID, int], most_bytes: int) -> Sequence[UUID]:
    fitting: list[UUID] = []
    total = 0
    for task_id in sorted(sizes, key=sizes.__getitem__):
        total += sizes[task_id]
        if total > most_bytes:
            break
        fitting.append(task_id)
    return fitting


def _read(connection: Connection, task_ids: Sequence[UUID]) -> dict[UUID, EndedTask]:
    if not task_ids:
        return {}
    found = select(
        tasks.c.task_id,
        tasks.c.current_status,
        tasks.c.submitted_at,
        tasks.c.completed_at,
        tasks.c.shots,
        tasks.c.seed,
        tasks.c.correlation_id,
        tasks.c.error_code,
        tasks.c.error_message,
        tasks.c.error_line,
        tasks.c.error_column,
        tasks.c.profile,
        cast(tasks.c.result, Text).label("result_text"),
    ).where(tasks.c.task_id.in_(task_ids))
    return {row.task_id: _to_ended(row) for row in connection.execute(found)}


def _to_ended(row: Any) -> EndedTask:
    return EndedTask(
        task_id=TaskId(row.task_id),
        status=row.current_status,
        submitted_at=row.submitted_at,
        completed_at=row.completed_at,
        shots=row.shots,
        seed=row.seed,
        correlation_id=CorrelationId(row.correlation_id),
        failure=to_failure(row),
        profile=to_profile(row.profile) if row.profile else None,
        result=row.result_text,
    )
