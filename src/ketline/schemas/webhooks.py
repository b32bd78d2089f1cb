"""The shapes of deliveries and signing secrets over HTTP."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ketline.domain.limits import DEFAULT_PAGE_TASKS, MAX_PAGE_TASKS
from ketline.domain.webhooks.deliveries import MAX_OVERLAP, DeliveryState
from ketline.schemas.types import Timestamp

_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - the example of the specification of Standard Webhooks


class DeliveryView(BaseModel):
    """A message that a task has ended, and its delivery; fields without a value are left out."""

    delivery_id: UUID
    message_id: str = Field(examples=["msg_0199a1b2c3d4"], description="The `webhook-id` of every attempt")
    task_id: UUID
    event: str = Field(examples=["task.completed"], description="The type of the message")
    url: str = Field(examples=["https://example.org/hooks/ketline"])
    state: DeliveryState = Field(description="`waiting` for an attempt, `delivered`, or `dead`: given up after a day")
    attempts: int = Field(examples=[2], description="How many attempts have begun")
    created_at: Timestamp
    next_at: Timestamp | None = Field(default=None, description="When it is attempted next, while it waits")
    last_attempt_at: Timestamp | None = None
    last_status: int | None = Field(default=None, examples=[503], description="The HTTP status of the last answer")
    last_error: str | None = Field(default=None, examples=["the receiver answered 503: not a status of success"])
    ended_at: Timestamp | None = None


class TaskDeliveries(BaseModel):
    """The deliveries of a task; there are none before it has ended, or without a callback."""

    deliveries: list[DeliveryView]


class DeliveryList(BaseModel):
    """A page of the deliveries of a project, the newest first; if there is a `next`, the list continues there."""

    deliveries: list[DeliveryView]
    next: str | None = Field(default=None, examples=["/deliveries?state=dead&cursor=0199a1b2"])


class DeliveryParameters(BaseModel):
    """Which deliveries a page has."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[DeliveryState | None, Field(description="Only those in this state")] = None
    cursor: Annotated[UUID | None, Field(description="Start of the page: from `next` of another page")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_TASKS, description="Most deliveries of a page")] = DEFAULT_PAGE_TASKS


class RepeatedDeliveries(BaseModel):
    """How many dead deliveries are attempted again."""

    repeated: int = Field(examples=[12])


class SecretRotation(BaseModel):
    """How the secret of a project is replaced."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap_s: float = Field(
        default=86_400,
        ge=0,
        le=MAX_OVERLAP.total_seconds(),
        description="Seconds for which messages are signed with the previous secret too",
    )


class SecretView(BaseModel):
    """The secret that signs the messages of a project; the previous one is there as long as it signs too."""

    project: str = Field(examples=["optics"])
    secret: str = Field(examples=[_SECRET])
    created_at: Timestamp
    previous: str | None = None
    previous_until: Timestamp | None = None
