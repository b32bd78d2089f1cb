"""Writes the rows of `task_labels`: one for a task's name, and one for each of its tags.

Submissions and changes of labels call it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Connection, Text, column, func, insert, literal, select, true, union_all

from ketline.db.schema.tables import task_labels
from ketline.domain.access.principals import ProjectName
from ketline.domain.tasks.labels import Labels

NAME = "name"
TAG = "tag"
_COLUMNS = ["task_id", "submitted_at", "project", "kind", "value"]

Label = tuple[str, str]


def labels_of(labels: Labels) -> Sequence[Label]:
    """Kind and value of each row."""
    names = [(NAME, labels.name)] if labels.name is not None else []
    return [*names, *((TAG, tag) for tag in labels.tags)]


def write_labels(
    connection: Connection, task_id: UUID, submitted_at: datetime, project: ProjectName, labels: Sequence[Label]
) -> None:
    if labels:
        rows = [(task_id, submitted_at, project, *label) for label in labels]
        connection.execute(insert(task_labels), [dict(zip(_COLUMNS, row, strict=True)) for row in rows])


def insert_labels(stored: CTE) -> CTE:
    """The part of the statement that inserts tasks which inserts their labels; PostgreSQL only."""
    tags: Any = func.jsonb_array_elements_text(stored.c.tags).table_valued(column("value", Text)).render_derived("each")
    of_task = (stored.c.task_id, stored.c.submitted_at, stored.c.project)
    tagged = select(*of_task, literal(TAG), tags.c.value).join_from(stored, tags, true())
    named = select(*of_task, literal(NAME), stored.c.name)
    labels = union_all(tagged, named.where(stored.c.name.is_not(None)))
    return insert(task_labels).from_select(_COLUMNS, labels).cte("labelled")
