"""The fence of a lease: an attempt records its outcome only while its lease holds.

Every statement that records something for an attempt has it as a condition.
"""

from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, and_

from ketline.db.engine.planner_hints import checked
from ketline.db.schema.tables import tasks
from ketline.domain.attempts.claim import Lease
from ketline.domain.status import TaskStatus


class LeaseColumns(Protocol):
    """A lease in SQL: bind parameters, or columns of a table of requests."""

    task_id: ColumnElement[Any]
    attempt: ColumnElement[Any]
    token: ColumnElement[Any]


def is_attempt_of(table: FromClause, lease: Lease | LeaseColumns) -> ColumnElement[bool]:
    """Whether a row of `tasks` or `status_history` carries the attempt and the token of a lease."""
    return and_(
        table.c.attempt == lease.attempt,  # guard: fence.attempt
        table.c.lease_token == lease.token,  # guard: fence.token
    )


def is_held(lease: Lease | LeaseColumns) -> ColumnElement[bool]:
    """Whether the lease holds: its task is processing, and in the same attempt."""
    return and_(
        tasks.c.task_id == lease.task_id,
        checked(tasks.c.current_status == TaskStatus.PROCESSING),  # guard: fence.status
        is_attempt_of(tasks, lease),
    )
