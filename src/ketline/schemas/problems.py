"""The body of errors: RFC 9457 problem details."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Field,
)

from ketline.domain.status import TaskStatus
from ketline.schemas.tasks import TaskFailure
from ketline.schemas.types import Timestamp


class FieldError(BaseModel):
    """An error in one field of a request: `pointer` into the JSON body, or the query `parameter`."""

    detail: str
    pointer: str | None = Field(default=None, examples=["#/shots"], description="JSON Pointer as a URI fragment")
    parameter: str | None = Field(default=None, examples=["task_id"])


class Problem(BaseModel):
    """A problem document (RFC 9457); `code` is stable, texts are for people and may change."""

    type: str
    title: str
    status: int
    detail: str
    message: str = Field(description="The same text as `detail`, for clients that look for a message")
    code: str
    correlation_id: str
    errors: list[FieldError] | None = Field(default=None, description="The errors of single fields")
    task_status: TaskStatus | None = Field(default=None, description="Status of the task, if that is the problem")
    error: TaskFailure | None = Field(default=None, description="Why the task failed, if that is the problem")
    quota: str | None = Field(default=None, description="Name of the quota that does not permit the request")
    quota_of: Literal["project", "owner"] | None = Field(
        default=None, description="Whether the quota is that of the whole project or of each owner in it"
    )
    used: float | None = Field(
        default=None, description="What is used of the quota; what the request needs, if it needs more than the limit"
    )
    limit: float | None = Field(default=None, description="The limit of the quota")
    free_at: Timestamp | None = Field(
        default=None, description="When the quota is free again; left out if it is free when tasks have ended"
    )


ProblemCode = Annotated[
    str | None,
    Field(
        examples=["database_read_only"],
        description="The error code with which requests are rejected now; left out without a problem",
    ),
]
