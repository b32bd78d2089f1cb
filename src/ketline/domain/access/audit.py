"""The audit log: who did what to what, when and from where, of actions that others may ask about later.

Repositories and stores write an entry in the transaction of the action that it records. `specs/audit.md` lists the
actions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.ids import TaskId

# The origin of what an operator did by a command on the service's database.
COMMAND_LINE = "command line"
# The origin of a request whose proxy forwarded no address.
UNKNOWN_ORIGIN = "unknown"
MAX_ENTRIES = 200


class Action(StrEnum):
    """The action of an entry."""

    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    PROJECT_CREATED = "project.created"
    PROJECT_CHANGED = "project.changed"
    TASK_CANCELLED = "task.cancelled"
    TASK_DELETED = "task.deleted"
    TASK_REQUEUED = "task.requeued"
    TASK_FAILED = "task.failed"
    DEVICE_STORED = "device.stored"
    DEVICE_REMOVED = "device.removed"
    WEBHOOK_SECRET_ROTATED = "webhook_secret.rotated"  # noqa: S105 - the name of an action
    DEAD_LETTERS_REQUEUED = "dead_letters.requeued"
    CLAIMS_PAUSED = "claims.paused"
    CLAIMS_RESUMED = "claims.resumed"
    WORKER_DRAIN_STARTED = "worker.drain_started"
    WORKER_DRAIN_ENDED = "worker.drain_ended"
    DATABASE_VACUUMED = "database.vacuumed"
    DATABASE_RESTORED = "database.restored"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    SIGN_IN_REFUSED = "sign_in.refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The sender of an action: the owner of a key, and the key; neither where the service does not authenticate.

    `origin` is the address that the request came from, `UNKNOWN_ORIGIN` or `COMMAND_LINE`.
    """

    owner: Owner | None = None
    key_id: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """The content of an entry. `action` is an `Action`, or that of a later version.

    `target` is the id of a key, a task or a worker, the name of a project or a device, or the scope of a pause; and
    `project` its project.

    `notes` says more for a reader: the role of a key, or the key that replaces it.
    """

    action: str
    actor: Actor
    project: ProjectName | None = None
    target: str | None = None
    notes: str | None = None


def task_record(action: Action, actor: Actor, project: ProjectName, task_id: TaskId) -> AuditRecord:
    """The record of an action on a task."""
    return AuditRecord(action=action, actor=actor, project=project, target=str(task_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A record as it is stored; later entries have higher numbers."""

    number: int
    at: datetime
    record: AuditRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Entries, the newest first; `next` is the number of the last one if there are more."""

    entries: Sequence[AuditEntry]
    next: int | None = None
