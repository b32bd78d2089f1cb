"""Webhooks: messages about ended tasks, their deliveries to callbacks, and the secrets that sign them.

Source: the specification of Standard Webhooks, version 1.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus

DeliveryId = NewType("DeliveryId", UUID)

# How long a delivery is tried.
MAX_DELIVERY_TIME = timedelta(days=1)
# How long a previous secret may sign beside a new one.
MAX_OVERLAP = timedelta(days=30)
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 3600.0
# Each pause is shortened by up to this fraction, so that deliveries that failed together are not retried together.
JITTER = 0.2

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that the specification gives secrets
_SECRET_BYTES = 32


class DeliveryState(StrEnum):
    """A delivery waits for its next attempt, was accepted by its receiver, or was given up."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message about a task and its state; `attempts` counts those that have begun.

    `next_at` is the time of the next attempt while it waits, and `last_status` the HTTP status of the last one.
    """

    delivery_id: DeliveryId
    task_id: TaskId
    project: ProjectName
    event: str
    url: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery that one process may attempt now: where to, what, and the secrets to sign it with."""

    delivery_id: DeliveryId
    task_id: TaskId
    project: ProjectName
    url: str
    host: str
    body: str
    attempt: int
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """How many attempts of one process may be under way at once: to one host, and of one project."""

    host: int
    project: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Deliveries, the newest first; `next` is the id of the last one if there are more."""

    deliveries: Sequence[Delivery]
    next: DeliveryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSecret:
    """The secret of a project; until `previous_until` messages are signed with the `previous` one too."""

    project: ProjectName
    secret: str
    created_at: datetime
    previous: str | None = None
    previous_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The outcome of one attempt: `error` is None if the receiver accepted the message.

    A receiver that is `gone` wants no further attempt; one that is busy may ask for a pause.
    """

    error: str | None = None
    status: int | None = None
    gone: bool = False
    pause_seconds: float = 0.0


def message_id(delivery_id: DeliveryId) -> str:
    """The id of a message in its headers, the same in each attempt."""
    return f"msg_{delivery_id.hex}"


def new_secret() -> str:
    """A new secret, as receivers configure it."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def retry_seconds(attempt: int, draw: float) -> float:
    """The pause after an attempt, the first of which is 1; `draw` is a random number from 0 to 1."""
    longest = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt - 1, 30), MAX_RETRY_SECONDS)
    return longest * (1 - JITTER * draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMessage:
    """The message that a task has ended; the receiver reads the result itself."""

    task_id: TaskId
    project: ProjectName
    status: TaskStatus
    submitted_at: datetime
    completed_at: datetime
    correlation_id: str
    owner: str | None = None
    name: str | None = None
    tags: Sequence[str] = ()
    error_code: str | None = None

    @property
    def event(self) -> str:
        """The type of the message: `task.completed`, `task.failed` or `task.cancelled`."""
        return f"task.{self.status}"

    def body(self) -> str:
        """The message as JSON, without what has no value."""
        data = {
            "task_id": str(self.task_id),
            "status": self.status.value,
            "project": self.project,
            "submitted_at": _rfc3339(self.submitted_at),
            "completed_at": _rfc3339(self.completed_at),
            "correlation_id": self.correlation_id,
            "owner": self.owner,
            "name": self.name,
            "tags": list(self.tags) or None,
            "error_code": self.error_code,
        }
        known = {name: value for name, value in data.items() if value is not None}
        return json.dumps({"type": self.event, "timestamp": _rfc3339(self.completed_at), "data": known})


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
