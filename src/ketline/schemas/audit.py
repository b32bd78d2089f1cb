"""The shapes of the audit log over HTTP."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ketline.domain.access.audit import MAX_ENTRIES
from ketline.schemas.access import ProjectText
from ketline.schemas.types import Timestamp

_MAX_NUMBER = 2**63 - 1


class AuditParameters(BaseModel):
    """Which entries a page has."""

    model_config = ConfigDict(extra="forbid")

    project: Annotated[ProjectText | None, Field(description="Only what was done in this project")] = None
    cursor: Annotated[
        int | None, Field(ge=1, le=_MAX_NUMBER, description="Start of the page: from `next` of another page")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES, description="Most entries of a page")] = 50


class AuditEntryView(BaseModel):
    """An action that was recorded; fields without a value are left out."""

    number: int = Field(examples=[12], description="Later entries have higher numbers")
    at: Timestamp
    action: str = Field(examples=["task.cancelled"])
    project: str | None = Field(default=None, examples=["optics"])
    target: str | None = Field(
        default=None, description="The id of the task or key, or the name of the project or device"
    )
    owner: str | None = Field(default=None, examples=["ada"], description="Who did it: the owner of the key")
    key_id: str | None = Field(default=None, examples=["0f8b6a4f2c1d"])
    origin: str | None = Field(default=None, examples=["192.0.2.1"], description="The address, or `command line`")
    notes: str | None = None


class AuditList(BaseModel):
    """A page of the audit log, the newest entries first; if there is a `next`, it continues there."""

    entries: list[AuditEntryView]
    next: str | None = Field(default=None, examples=["/audit?cursor=12"])
