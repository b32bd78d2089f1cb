"""The shapes of what administrators do: pauses, drains, interventions in tasks, and vacuum."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ketline.domain.attempts.claim_stops import EVERY_QUEUE, MAX_REASON_CHARACTERS, parse_pause_scope, parse_reason
from ketline.domain.attempts.interventions import Requeued
from ketline.schemas.types import Timestamp

_REQUEST = ConfigDict(extra="forbid", strict=True)


def _scope(text: str) -> str:
    try:
        return parse_pause_scope(text)
    except ValueError as error:
        raise PydanticCustomError("pause_scope", "is not a queue: {reason}", {"reason": str(error)}) from None


def _reason(text: str) -> str:
    try:
        return parse_reason(text)
    except ValueError as error:
        raise PydanticCustomError("reason", "is not a reason: {reason}", {"reason": str(error)}) from None


ScopeText = Annotated[
    str,
    Field(
        max_length=80,
        examples=["convert"],
        description="`all`, the name of a queue (`simulate`, `convert`, `run.` and a backend), or `run` for backends",
    ),
    AfterValidator(_scope),
]
ReasonText = Annotated[
    str, Field(min_length=1, max_length=MAX_REASON_CHARACTERS, examples=["disk is full"]), AfterValidator(_reason)
]


class PauseRequest(BaseModel):
    """Which claims stop, and why."""

    model_config = _REQUEST

    queue: ScopeText = EVERY_QUEUE
    reason: ReasonText | None = None


class PauseView(BaseModel):
    """A pause: workers claim no tasks of these queues."""

    queue: str = Field(examples=["all"], description="`all`, the name of a queue, or `run` for all backends")
    since: Timestamp
    reason: str | None = Field(default=None, examples=["disk is full"])
    owner: str | None = Field(default=None, examples=["ada"], description="Who paused it")


class PauseList(BaseModel):
    """All pauses."""

    pauses: list[PauseView]


class DrainView(BaseModel):
    """The drain of a worker; without `draining_since` it claims tasks."""

    worker_id: str = Field(examples=["worker-1"])
    draining_since: Timestamp | None = None
    drained_at: Timestamp | None = Field(default=None, description="Since when it has held no task")
    tasks: int = Field(examples=[2], description="Tasks of all projects that it holds")


class RequeueRequest(BaseModel):
    """How a task is requeued."""

    model_config = _REQUEST

    force: bool = Field(default=False, description="Take it back also from a worker that is alive")


class RequeueView(BaseModel):
    """A task that was requeued."""

    task_id: UUID
    requeued: Requeued = Field(description="`published` again, or `taken_back` from its worker")


class FailRequest(BaseModel):
    """Why a task is failed; its owner reads it."""

    model_config = _REQUEST

    reason: ReasonText


class FailView(BaseModel):
    """A task that was failed."""

    task_id: UUID
    code: str = Field(examples=["failed_by_administrator"])


class VacuumView(BaseModel):
    """How many tasks were deleted, and how much space was freed."""

    tasks_deleted: int = Field(examples=[1200], description="Ended tasks beyond the limits of retention")
    bytes_before: int
    bytes_after: int
    free_bytes_before: int | None = Field(default=None, description="On SQLite: free for reuse")
    free_bytes_after: int | None = None
    dead_rows_before: int | None = Field(default=None, description="On PostgreSQL: estimated rows to clean up")
    dead_rows_after: int | None = None
    seconds: float = Field(examples=[1.2])
