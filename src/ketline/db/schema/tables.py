"""The schema as SQLAlchemy tables; `migrations` creates it, and a test checks that both are equal."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    false,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB

from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.status_type import status_constant, status_type
from ketline.domain.task import TaskStatus


def _json_type() -> Any:
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "fk": "%(table_name)s_%(column_0_name)s_fkey"},
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", Uuid, primary_key=True),
    Column("circuit", Text, nullable=False),
    Column("shots", Integer, nullable=False),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("current_status", status_type(), nullable=False),
    Column("completed_at", UtcDateTime),
    Column("result", _json_type()),
    Column("error_message", Text),
    Column("error_code", Text),
    Column("error_line", Integer),
    Column("error_column", Integer),
    Column("profile", _json_type()),
    Column("correlation_id", Text, nullable=False),
    Column("trace_context", Text),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("spent_attempts", Integer, nullable=False, server_default="0"),
    Column("crashed_attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("time_limit_seconds", Float),
    # Unknown for tasks of before there were such options.
    Column("seed", BigInteger),
    Column("method", Text),
    Column("memory", Boolean),
    Column("inputs", _json_type()),
    Column("program_format", Text),
    Column("observables", _json_type()),
    Column("name", Text),
    # For readers; who looks for tasks by name or tag goes by `task_labels`.
    Column("tags", _json_type()),
    Column("metadata", _json_type()),
    Column("scheduled_for", UtcDateTime),
    # No foreign key: the task it names may be deleted first.
    Column("rerun_of", Uuid),
    Column("priority", Integer, nullable=False, server_default="0"),
    # Null in rows that ended before there were ranks, or were stored by an API of before.
    Column("rank_at", UtcDateTime),
    # Whether a message about a task of higher rank may be taken for this one: it has priority, or lost its own message.
    Column("overtakes", Boolean, nullable=False, server_default=false()),
    # Whether it waits to be released, and when it was; null in rows of before there were holds.
    Column("hold", Boolean),
    Column("released_at", UtcDateTime),
    # Whether it was found too long for the simulator that runs short programs while all slots are occupied.
    Column("is_long", Boolean, nullable=False, server_default=false()),
    Column("available_at", UtcDateTime, nullable=False),
    Column("dispatch_due_at", UtcDateTime),
    Column("dispatch_count", Integer, nullable=False, server_default="0"),
    Column("claimed_at", UtcDateTime),
    Column("lease_token", Uuid),
    Column("lease_owner", Text),
    # Not indexed: renewals would no longer be heap-only updates. The reaper goes by idx_task_status.
    Column("lease_expires_at", UtcDateTime),
    Index("idx_task_status", "current_status"),
    Index("idx_task_submitted_at", "submitted_at"),
    postgresql_with={"fillfactor": 70},
)
# Tasks that never were dispatched come first: they are looked for all the time, the others now and then.
Index(
    "idx_task_dispatch_due",
    tasks.c.dispatch_count,
    tasks.c.dispatch_due_at,
    postgresql_where=tasks.c.dispatch_due_at.is_not(None),
    sqlite_where=tasks.c.dispatch_due_at.is_not(None),
)

# The order in which tasks are taken that have a message on the queue, and those among them that may overtake others.
_READY = tasks.c.dispatch_due_at.is_not(None) & (tasks.c.dispatch_count > literal_column("0"))
_PREFERRED = _READY & tasks.c.overtakes
Index("idx_task_rank", tasks.c.rank_at, postgresql_where=_READY, sqlite_where=_READY)
Index("idx_task_preferred", tasks.c.rank_at, postgresql_where=_PREFERRED, sqlite_where=_PREFERRED)

# Lists by status, newest first. A task that is processing is left out: there are few, and each claim would pay. A
# statement is served by the index only where it repeats this condition.
LISTED_BY_STATUS = tasks.c.current_status != status_constant(TaskStatus.PROCESSING)
Index(
    "idx_task_status_submitted",
    tasks.c.current_status,
    tasks.c.submitted_at,
    postgresql_where=LISTED_BY_STATUS,
    sqlite_where=LISTED_BY_STATUS,
)
# Lists by end, rates, and what is to be deleted.
Index(
    "idx_task_completed_at",
    tasks.c.current_status,
    tasks.c.completed_at,
    postgresql_where=tasks.c.completed_at.is_not(None),
    sqlite_where=tasks.c.completed_at.is_not(None),
)
Index(
    "idx_task_error_code",
    tasks.c.error_code,
    tasks.c.submitted_at,
    postgresql_where=tasks.c.error_code.is_not(None),
    sqlite_where=tasks.c.error_code.is_not(None),
)
Index(
    "idx_task_worker",
    tasks.c.lease_owner,
    tasks.c.submitted_at,
    postgresql_where=tasks.c.lease_owner.is_not(None),
    sqlite_where=tasks.c.lease_owner.is_not(None),
)

# The names and tags that tasks are found by, in the order of the lists: apart from `tasks`, where every claim and every
# finish would write each of their index entries anew.
task_labels = Table(
    "task_labels",
    metadata,
    Column("task_id", Uuid, ForeignKey(tasks.c.task_id, ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    # Bytewise, so that a prefix is a range.
    Column("value", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("submitted_at", UtcDateTime, nullable=False),
    Index("idx_task_labels_value", "kind", "value", "submitted_at", "task_id"),
)

status_history = Table(
    "status_history",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("task_id", Uuid, ForeignKey(tasks.c.task_id), nullable=False),
    Column("status", status_type(), nullable=False),
    Column("transitioned_at", UtcDateTime, nullable=False),
    Column("notes", Text),
    Column("attempt", Integer),
    Column("lease_token", Uuid),
    Column("worker_id", Text),
    Column("cause", Text),
    Column("duration_seconds", Float),
    Index("idx_status_history_task_time", "task_id", "transitioned_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # No foreign key: a task may be deleted by hand while its key lives on.
    Column("task_id", Uuid, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("idx_idempotency_keys_expires_at", "expires_at"),
    Index("idx_idempotency_keys_task_id", "task_id"),
)

# Who is alive; nothing about tasks rests on it.
workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("live_until", UtcDateTime, nullable=False),
    # Null for workers of versions that do not report it.
    Column("ready_slots", Integer),
    Column("problem", Text),
)

# One row, which each health check writes.
health_checks = Table(
    "health_checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checked_at", UtcDateTime, nullable=False),
)
