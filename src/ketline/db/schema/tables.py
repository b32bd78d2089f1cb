"""The schema as SQLAlchemy tables; `migrations` creates it, and a test checks that both are equal."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    and_,
    false,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB

from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.status_type import status_constant, status_type
from ketline.domain.access.principals import DEFAULT_PROJECT, MAX_WEIGHT
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind


def _json_type() -> Any:
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "fk": "%(table_name)s_%(column_0_name)s_fkey"},
)

projects = Table(
    "projects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    # How much of the slots it gets beside projects of weight 1. Claims divide by it.
    Column("weight", Float, nullable=False, server_default="1"),
    # Null without quotas, see `db/schema/quotas.py`.
    Column("quotas", _json_type()),
    # The URL that ended tasks without a callback of their own are delivered to.
    Column("callback", Text),
    # NaN, which PostgreSQL takes for the largest number, is excluded too.
    CheckConstraint(f"weight > 0 AND weight <= {MAX_WEIGHT:g}", name="projects_weight_check"),
)

# The use of daily quotas on one day, by a project and by each owner in it. A transaction that writes it has
# locked the row of the project.
quota_usage = Table(
    "quota_usage",
    metadata,
    Column("project", Text, ForeignKey(projects.c.name), primary_key=True),
    # Empty for the project as a whole.
    Column("owner", Text, primary_key=True),
    Column("day", UtcDateTime, nullable=False),
    Column("shots", BigInteger, nullable=False),
    # The seconds of attempts of tasks that ended before `counted_until`, and of those that were deleted.
    Column("seconds", Float, nullable=False),
    Column("counted_until", UtcDateTime, nullable=False),
)

# Each project's recent use of the slots of each queue: a measurement, which only affects the order of claims.
project_shares = Table(
    "project_shares",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("used_seconds", Float, nullable=False),
)
# One row: until when use was measured.
share_measurements = Table(
    "share_measurements",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("measured_at", UtcDateTime, nullable=False),
)

# Only the SHA-256 digest of a secret is stored; it has 256 random bits, so it cannot be guessed from the digest.
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("project", Text, ForeignKey(projects.c.name), nullable=False),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("name", Text),
    Column("created_at", UtcDateTime, nullable=False),
    # When it is revoked, or expires by itself.
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Index("idx_api_keys_project", "project"),
)

# Sessions of users who are signed in to the pages. Only the SHA-256 digest of a token is stored, as of a key's secret.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    # The key with which it began, whose end is the session's end too.
    Column("key_id", Text, ForeignKey(api_keys.c.key_id, ondelete="CASCADE")),
    Column("project", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("owner", Text),
    # The groups of a user of an identity provider; NULL otherwise.
    Column("groups", _json_type()),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("idx_sessions_expires_at", "expires_at"),
    Index("idx_sessions_key_id", "key_id"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", Uuid, primary_key=True),
    # No foreign key: a worker never waits for changes of a project.
    Column("project", Text, nullable=False, server_default=DEFAULT_PROJECT),
    Column("owner", Text),
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
    # NULL for tasks that are older than these options.
    Column("seed", BigInteger),
    Column("method", Text),
    Column("memory", Boolean),
    Column("inputs", _json_type()),
    Column("program_format", Text),
    Column("observables", _json_type()),
    Column("noise", _json_type()),
    Column("outputs", _json_type()),
    Column("gradient", _json_type()),
    Column("device", _json_type()),
    # The digest of its device's content, which is stored as long as a task has it.
    Column("device_digest", Text),
    # The digest of its model of noise, if that is stored once for all tasks that have it.
    Column("noise_digest", Text),
    # Whether expectation values are estimated, and the standard error that is aimed at.
    Column("sampled", Boolean),
    Column("precision", Float),
    Column("mitigation", _json_type()),
    Column("callback", Text),
    # Whether a delivery is to be made when it has ended; null for a task that is delivered nowhere.
    Column("callback_due", Boolean),
    Column("name", Text),
    # For reading a task; lists find tasks by name or tag through `task_labels`.
    Column("tags", _json_type()),
    Column("metadata", _json_type()),
    Column("scheduled_for", UtcDateTime),
    # No foreign key: the task it names may be deleted first.
    Column("rerun_of", Uuid),
    # The kind of task by the name of older services, if a client of one submitted it.
    Column("task_type", Text),
    # Whether such a client wants no result of a task on a backend before its job is done.
    Column("wait_for_completion", Boolean),
    Column("priority", Integer, nullable=False, server_default="0"),
    # Null in rows that ended before there were ranks, or were stored by an API of before.
    Column("rank_at", UtcDateTime),
    # Whether a message about a task of higher rank may be taken for this one: it has priority, or lost its own message.
    Column("overtakes", Boolean, nullable=False, server_default=false()),
    # Whether it waits to be released, and when it was; null in rows of before there were holds.
    Column("hold", Boolean),
    Column("released_at", UtcDateTime),
    Column("kind", Text, nullable=False, server_default="simulate"),
    # The name of its queue, see `domain.queues`: the first column of the indexes by which tasks are claimed.
    Column("queue", Text, nullable=False, server_default="simulate"),
    Column("target", Text),
    Column("qir_profile", Text),
    Column("bitcode", Boolean),
    Column("backend", Text),
    # The quota when it was submitted; null without one.
    Column("max_qubits", BigInteger),
    # The job of a task of kind `run` at its backend, from when it is being submitted on.
    Column("remote_id", Text),
    Column("remote_status", Text),
    # When the submission of that job began; its time limit counts from then.
    Column("remote_submitted_at", UtcDateTime),
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

# The order in which a project's tasks with a message on their queue are claimed, and those of them that may overtake
# others. The first projects of these indexes are looked up in each claim.
_READY = tasks.c.dispatch_due_at.is_not(None) & (tasks.c.dispatch_count > literal_column("0"))
_PREFERRED = _READY & tasks.c.overtakes
_CLAIM_ORDER = (tasks.c.queue, tasks.c.project, tasks.c.rank_at)
Index("idx_task_rank", *_CLAIM_ORDER, postgresql_where=_READY, sqlite_where=_READY)
Index("idx_task_preferred", *_CLAIM_ORDER, postgresql_where=_PREFERRED, sqlite_where=_PREFERRED)

# Lists are lists of a project: their indexes begin with it.
Index("idx_task_project", tasks.c.project, tasks.c.submitted_at)
# Lists by status, newest first. A task that is processing is left out: there are few, and each claim would pay. A
# statement is served by the index only where it repeats this condition.
LISTED_BY_STATUS = tasks.c.current_status != status_constant(TaskStatus.PROCESSING)
Index(
    "idx_task_status_submitted",
    tasks.c.project,
    tasks.c.current_status,
    tasks.c.submitted_at,
    postgresql_where=LISTED_BY_STATUS,
    sqlite_where=LISTED_BY_STATUS,
)
# The waiting tasks of an owner, which quotas count. A claim takes the task out of it, which costs nothing.
_OWNED = (tasks.c.current_status == status_constant(TaskStatus.PENDING)) & tasks.c.owner.is_not(None)
Index("idx_task_owner", tasks.c.project, tasks.c.owner, postgresql_where=_OWNED, sqlite_where=_OWNED)
# Lists of the tasks of a kind. Simulations, which are most of the tasks, are found in any list.
LISTED_BY_KIND = tasks.c.kind != literal_column(f"'{TaskKind.SIMULATE}'")
Index(
    "idx_task_kind",
    tasks.c.project,
    tasks.c.kind,
    tasks.c.submitted_at,
    postgresql_where=LISTED_BY_KIND,
    sqlite_where=LISTED_BY_KIND,
)
# Cancelled tasks whose jobs at their backends are still to be cancelled.
_REMOTE = tasks.c.remote_status.is_not(None)
Index("idx_task_remote", tasks.c.backend, tasks.c.current_status, postgresql_where=_REMOTE, sqlite_where=_REMOTE)
# Lists by end, and rates.
Index(
    "idx_task_project_completed",
    tasks.c.project,
    tasks.c.current_status,
    tasks.c.completed_at,
    postgresql_where=tasks.c.completed_at.is_not(None),
    sqlite_where=tasks.c.completed_at.is_not(None),
)
# Tasks that retention deletes, of all projects.
Index(
    "idx_task_completed_at",
    tasks.c.current_status,
    tasks.c.completed_at,
    postgresql_where=tasks.c.completed_at.is_not(None),
    sqlite_where=tasks.c.completed_at.is_not(None),
)
Index(
    "idx_task_error_code",
    tasks.c.project,
    tasks.c.error_code,
    tasks.c.submitted_at,
    postgresql_where=tasks.c.error_code.is_not(None),
    sqlite_where=tasks.c.error_code.is_not(None),
)
Index(
    "idx_task_worker",
    tasks.c.project,
    tasks.c.lease_owner,
    tasks.c.submitted_at,
    postgresql_where=tasks.c.lease_owner.is_not(None),
    sqlite_where=tasks.c.lease_owner.is_not(None),
)

# Ended tasks whose deliveries are to be made: nearly empty, and no task without a callback is ever in it.
_CALLED_BACK = and_(tasks.c.callback_due, tasks.c.completed_at.is_not(None))
Index("idx_task_callback", tasks.c.completed_at, postgresql_where=_CALLED_BACK, sqlite_where=_CALLED_BACK)

# The tasks that need the content of a device.
_ON_DEVICE = tasks.c.device_digest.is_not(None)
Index("idx_task_device_digest", tasks.c.device_digest, postgresql_where=_ON_DEVICE, sqlite_where=_ON_DEVICE)
# The tasks that need a stored model of noise.
_WITH_STORED_NOISE = tasks.c.noise_digest.is_not(None)
Index(
    "idx_task_noise_digest",
    tasks.c.noise_digest,
    postgresql_where=_WITH_STORED_NOISE,
    sqlite_where=_WITH_STORED_NOISE,
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
    Column("project", Text, nullable=False, server_default=DEFAULT_PROJECT),
    Index("idx_task_labels_value", "project", "kind", "value", "submitted_at", "task_id"),
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

# Messages about ended tasks to the callbacks of these, see `db/webhooks/`.
deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Uuid, primary_key=True),
    # No foreign key: a task may be deleted before its message is delivered.
    Column("task_id", Uuid, nullable=False),
    Column("project", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    # JSON as it is signed and sent in each attempt.
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # When it is attempted next; while a process attempts it, when another one may. Null once it has ended.
    Column("next_at", UtcDateTime),
    Column("give_up_at", UtcDateTime, nullable=False),
    Column("last_attempt_at", UtcDateTime),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("ended_at", UtcDateTime),
    Index("idx_deliveries_task_id", "task_id", unique=True),
    Index("idx_deliveries_project", "project", "state", "created_at", "delivery_id"),
)
_WAITING = deliveries.c.next_at.is_not(None)
Index("idx_deliveries_next_at", deliveries.c.next_at, postgresql_where=_WAITING, sqlite_where=_WAITING)
_ENDED = deliveries.c.ended_at.is_not(None)
Index("idx_deliveries_ended_at", deliveries.c.ended_at, postgresql_where=_ENDED, sqlite_where=_ENDED)

# The secrets that sign deliveries: not digests, because a signature is made with the secret itself.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    # No foreign key: a project of an identity provider has no row of its own.
    Column("project", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("previous", Text),
    Column("previous_until", UtcDateTime),
)

# The audit log; rows are only added, and deleted when they are old.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("action", Text, nullable=False),
    # No foreign keys: an entry outlives what it is about.
    Column("project", Text),
    Column("target", Text),
    Column("owner", Text),
    Column("key_id", Text),
    Column("origin", Text),
    Column("notes", Text),
    Index("idx_audit_at", "at"),
    Index("idx_audit_project", "project", "id"),
)

# Live workers, for display and gauges; the protocol of tasks does not depend on it.
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
    Column("conversion_slots", Integer),
    # The names of the queues that it consumes.
    Column("queues", _json_type()),
    Column("problem", Text),
    # Since when it is to claim nothing, and since when it has held no task since then.
    Column("draining_since", UtcDateTime),
    Column("drained_at", UtcDateTime),
)

# The queues of which workers are to claim nothing, see `domain/attempts/claim_stops.py`. No claim reads it.
claim_pauses = Table(
    "claim_pauses",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("reason", Text),
    Column("owner", Text),
)

# The external backends that workers have, as their adapters describe them.
backends = Table(
    "backends",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", _json_type(), nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
)

# The devices of projects by name; those that are shipped have no rows here.
devices = Table(
    "devices",
    metadata,
    Column("project", Text, ForeignKey(projects.c.name), primary_key=True),
    # Bytewise, so that lists have the same order on both databases.
    Column("name", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("digest", Text, ForeignKey("device_contents.digest"), nullable=False),
    # The columns that lists show, so that they read no contents.
    Column("description", Text, nullable=False),
    Column("num_qubits", Integer, nullable=False),
    Column("couplings", Integer, nullable=False),
    Column("gates", _json_type(), nullable=False),
    Column("owner", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("idx_devices_digest", "digest"),
)
# The contents of devices: canonical JSON by its SHA-256 digest, which never changes. Devices and tasks refer to it.
device_contents = Table(
    "device_contents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", Text, nullable=False),
    # When a device last had it, or a task was to have it.
    Column("used_at", UtcDateTime, nullable=False),
    Index("idx_device_contents_used_at", "used_at"),
)

# Large models of noise: JSON by its SHA-256 digest, which never changes. Tasks refer to it.
noise_contents = Table(
    "noise_contents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", Text, nullable=False),
    # When a task was last to have it.
    Column("used_at", UtcDateTime, nullable=False),
    Index("idx_noise_contents_used_at", "used_at"),
)

# The usage of deleted tasks, so that sums stay as they were; see `db/lists/usage.py`. The owner is "" if they had none.
usage_days = Table(
    "usage_days",
    metadata,
    Column("project", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("shots", BigInteger, nullable=False),
    Column("simulating_seconds", Float, nullable=False),
    Column("processor_seconds", Float, nullable=False),
    Column("memory_bytes", BigInteger),
)

# The history of statistics; see `db/lists/minutes.py`. A minute is numbered from 1970 on. One that has no row here was
# not recorded.
minutes = Table(
    "minutes",
    metadata,
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("workers", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
)


def _tasks_of_a_minute() -> list[Column[Any]]:
    """Numbers of tasks that were submitted and ended in a minute, and sums and maxima of their times."""
    counts = (Column(name, Integer, nullable=False) for name in ("submitted", "completed", "failed", "cancelled"))
    seconds = ("waiting_seconds", "longest_waiting_seconds", "running_seconds", "longest_running_seconds")
    return [*counts, *(Column(name, Float, nullable=False) for name in seconds)]


# The figures of recorded minutes: a row for each project and queue that had any, and one with their sums.
minute_figures = Table(
    "minute_figures",
    metadata,
    # Empty for the whole service.
    Column("project", Text, primary_key=True),
    # Empty for all queues, so that 30 days are read without adding up queues.
    Column("queue", Text, primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("waiting", Integer, nullable=False),
    Column("processing", Integer, nullable=False),
    *_tasks_of_a_minute(),
    Index("idx_minute_figures_minute", "minute"),
    # The rows of a range lie side by side.
    sqlite_with_rowid=False,
)
# The figures of tasks that were deleted before their minute may have been recorded.
minute_deletions = Table(
    "minute_deletions",
    metadata,
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("project", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    *_tasks_of_a_minute(),
)

# One row, which each health check writes.
health_checks = Table(
    "health_checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checked_at", UtcDateTime, nullable=False),
)
