"""Conditions on the status of a task, as partial indexes need them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement

from ketline.db.schema.status_type import status_constant
from ketline.db.schema.tables import tasks
from ketline.domain.status import TaskStatus

ENDED = tuple(status for status in TaskStatus if status.terminal)


def has_status(statuses: Sequence[TaskStatus]) -> ColumnElement[bool]:
    """A condition on the status with constants in the statement, because partial indexes serve only constants."""
    values: list[ColumnElement[Any]] = [status_constant(status) for status in statuses]
    return tasks.c.current_status == values[0] if len(values) == 1 else tasks.c.current_status.in_(values)
