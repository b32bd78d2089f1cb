"""A task's status in SQL: the type of its columns, and constants of that type, for tables and conditions."""

from typing import Any

from sqlalchemy import ColumnElement, Enum, literal_column

from ketline.domain.status import TaskStatus


def status_type() -> Enum:
    """The type of a column that holds a status."""
    return Enum(TaskStatus, name="taskstatus", values_callable=lambda statuses: [status.value for status in statuses])


def status_constant(status: TaskStatus) -> ColumnElement[Any]:
    """A status written into the statement itself, not bound: a partial index serves constants only."""
    return literal_column(f"'{status.value}'")
