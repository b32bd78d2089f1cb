"""The large optional columns of the tasks of a page: read separately, up to a total size.

`catalogue.py` reads them after it has found the tasks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Text, cast, func, select

from ketline.db.schema.rows import task_of
from ketline.db.schema.tables import status_history, tasks
from ketline.db.tasks.queries import LINE
from ketline.domain.ids import WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import ListedTask, TaskPart

# Characters of programs and results in one page; a single task may have more.
MAX_LARGE_CHARACTERS = 8 * 1024 * 1024
# Measuring a value reads all of it: small batches measure few tasks that are not on the page.
_MEASURE_BATCH_TASKS = 4

_LARGE: Mapping[TaskPart, Any] = {TaskPart.CIRCUIT: tasks.c.circuit, TaskPart.RESULT: tasks.c.result}


@dataclass(frozen=True, slots=True)
class OptionalColumns:
    """Programs, results and lines of history by task, those that were requested."""

    circuits: Mapping[UUID, str]
    results: Mapping[UUID, Any]
    lines: Mapping[UUID, Sequence[Row[Any]]]


def count_fitting(connection: Connection, task_ids: Sequence[UUID], parts: Collection[TaskPart]) -> int:
    """The number of tasks, from the first on, that fit into a page with their large parts; at least one."""
    columns = _large(parts)
    if not columns:
        return len(task_ids)
    total = 0
    for count, size in enumerate(_measure(connection, task_ids, columns)):
        total += size
        if total > MAX_LARGE_CHARACTERS:
            return max(1, count)
    return len(task_ids)


def _measure(connection: Connection, task_ids: Sequence[UUID], columns: Sequence[Any]) -> Iterator[int]:
    """Yield the number of characters of each task's columns, measured for a few tasks at a time."""
    for first in range(0, len(task_ids), _MEASURE_BATCH_TASKS):
        some = task_ids[first : first + _MEASURE_BATCH_TASKS]
        found = select(tasks.c.task_id, *map(_size, columns)).where(tasks.c.task_id.in_(some))
        sized = {task_id: sum(sizes) for task_id, *sizes in connection.execute(found)}
        yield from (sized.get(task_id, 0) for task_id in some)


def read_optional_columns(
    connection: Connection, task_ids: Sequence[UUID], parts: Collection[TaskPart]
) -> OptionalColumns:
    """Read the requested parts of these tasks; lines of history are in the order in which they were written."""

    def read(part: TaskPart) -> Mapping[UUID, Any]:
        if part not in parts or not task_ids:
            return {}
        found = select(tasks.c.task_id, _LARGE[part]).where(tasks.c.task_id.in_(task_ids))
        return {row.task_id: getattr(row, part) for row in connection.execute(found)}

    lines: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    if TaskPart.HISTORY in parts and task_ids:
        history = (
            select(status_history.c.task_id, *LINE)
            .where(status_history.c.task_id.in_(task_ids))
            .order_by(status_history.c.id)
        )
        for line in connection.execute(history):
            lines[line.task_id].append(line)
    return OptionalColumns(circuits=read(TaskPart.CIRCUIT), results=read(TaskPart.RESULT), lines=lines)


def to_listed(row: Row[Any], parts: OptionalColumns) -> ListedTask:
    """A task from a row of `Search.find`."""
    # It may have been recorded since the row was read.
    result = parts.results.get(row.task_id) if row.current_status is TaskStatus.COMPLETED else None
    return ListedTask(
        task=task_of(row, result, parts.lines.get(row.task_id, ())),
        worker_id=WorkerId(row.lease_owner) if row.lease_owner else None,
        circuit=parts.circuits.get(row.task_id),
    )


def _large(parts: Collection[TaskPart]) -> list[Any]:
    return [_LARGE[part] for part in sorted(parts) if part in _LARGE]


def _size(column: Any) -> ColumnElement[int]:
    return func.coalesce(func.length(cast(column, Text)), 0)
