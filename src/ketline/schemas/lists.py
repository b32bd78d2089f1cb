"""The shapes of task lists, statistics, changes and reruns over HTTP."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.access.principals import MAX_OWNER_CHARACTERS
from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.failures import FailureCode
from ketline.domain.limits import DEFAULT_PAGE_TASKS, HIGHEST_PRIORITY, LOWEST_PRIORITY, MAX_PAGE_TASKS, MAX_TAGS
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.lists import Order, TaskPart
from ketline.schemas.administration import PauseView
from ketline.schemas.labels import Moment, Schedule, Tag, TaskMetadata, TaskName, TaskTags
from ketline.schemas.tasks import StatusEntry, TaskFailure, TaskProfile, TaskResult
from ketline.schemas.types import Timestamp

MAX_CURSOR_CHARACTERS = 200
_MAX_SEED = 2**63 - 1


def split_at_commas(values: object) -> object:
    """Split each value at commas."""
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return [part for value in values for part in value.split(",")]
    return values


class ListParameters(BaseModel):
    """The query parameters of `GET /tasks`; `tag`, `status` and `fields` may be repeated."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[TaskStatus], Field(max_length=len(TaskStatus), description="Has one of these statuses")] = []
    tag: Annotated[list[Tag], Field(max_length=MAX_TAGS, description="Has all of these tags", examples=[["vqe"]])] = []
    name: Annotated[
        TaskName | None, Field(description="Has this name; if it ends with `*`, a name with this prefix")
    ] = None
    submitted_after: Annotated[Moment | None, Field(description="Submitted at this time or later")] = None
    submitted_before: Annotated[Moment | None, Field(description="Submitted before this time")] = None
    completed_after: Annotated[Moment | None, Field(description="Ended at this time or later")] = None
    completed_before: Annotated[Moment | None, Field(description="Ended before this time")] = None
    kind: Annotated[TaskKind | None, Field(description="Is of this kind")] = None
    worker: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9._:@-]{1,128}$", description="Its last attempt is run by this worker")
    ] = None
    owner: Annotated[
        str | None,
        Field(min_length=1, max_length=MAX_OWNER_CHARACTERS, description="Was submitted with a key of theirs"),
    ] = None
    error_code: Annotated[FailureCode | None, Field(description="Failed with this code")] = None
    order: Annotated[Order, Field(description="Sorted by; a list by `completed_at` has only tasks that have ended")] = (
        Order.NEWEST_FIRST
    )
    cursor: Annotated[
        str | None,
        Field(
            max_length=MAX_CURSOR_CHARACTERS,
            description="Start of the page: from `next` of a page with the same filters",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_TASKS, description="Most tasks of a page")] = DEFAULT_PAGE_TASKS
    fields: Annotated[
        list[TaskPart],
        BeforeValidator(split_at_commas),
        Field(max_length=20, description="Parts of each task to add, separated by commas"),
    ] = []

    @model_validator(mode="after")
    def _reject_contradictions(self) -> Self:
        for after, before in (("submitted_after", "submitted_before"), ("completed_after", "completed_before")):
            beginning, end = getattr(self, after), getattr(self, before)
            if beginning is not None and end is not None and beginning >= end:
                raise PydanticCustomError("empty_range", "must be earlier than {end}", {"field": after, "end": before})
        ended = self.order.by_end or self.completed_after or self.completed_before or self.error_code
        if ended and self.status and not any(status.terminal for status in self.status):
            raise PydanticCustomError(
                "never_ended",
                "contradicts the other parameters, which select tasks that have ended",
                {"field": "status"},
            )
        return self


class TaskSummary(BaseModel):
    """A task in a list; fields without a value, and those that were not requested, are left out."""

    model_config = ConfigDict(from_attributes=True)

    task_id: UUID
    status: TaskStatus
    submitted_at: Timestamp
    completed_at: Timestamp | None = None
    message: str = Field(examples=["Task completed successfully."])
    shots: int = Field(examples=[1024])
    seed: int | None = Field(default=None, examples=[3472614])
    name: str | None = Field(default=None, examples=["H2 at 0.7 angstrom"])
    tags: list[str] | None = Field(default=None, examples=[["vqe", "run-7"]])
    scheduled_for: Timestamp | None = None
    priority: int | None = Field(default=None, examples=[10], description="Left out where it is 0")
    program_format: ProgramFormat | None = Field(
        default=None, description="`openqasm2` or `qpy` if the program is not OpenQASM 3"
    )
    kind: TaskKind | None = Field(default=None, description="Left out for a simulation")
    target: Target | None = None
    backend: str | None = None
    hold: bool | None = Field(default=None, description="True for a task that is held until it is released")
    released_at: Timestamp | None = None
    rerun_of: UUID | None = None
    owner: str | None = Field(default=None, examples=["ada"])
    project: str | None = Field(default=None, examples=["optics"], description="Left out where it is `default`")
    worker_id: str | None = Field(default=None, description="The worker of its last attempt")
    error: TaskFailure | None = None
    correlation_id: str
    metadata: dict[str, JsonValue] | None = Field(default=None, description="With `fields=metadata`")
    profile: TaskProfile | None = Field(default=None, description="With `fields=profile`")
    circuit: str | None = Field(default=None, description="The program, with `fields=circuit`")
    result: TaskResult | None = Field(default=None, description="With `fields=result`")
    status_history: list[StatusEntry] | None = Field(default=None, description="With `fields=history`")


class TaskList(BaseModel):
    """A page of a list; if there is a `next`, the list continues there, even if this page is short or empty."""

    tasks: list[TaskSummary]
    next: str | None = Field(default=None, examples=["/tasks?status=failed&cursor=ZGF0YQ"])


class RateView(BaseModel):
    """How many tasks ended per minute, over the last `minutes`."""

    minutes: int = Field(examples=[5])
    completed_per_minute: float = Field(examples=[118.4])
    failed_per_minute: float = Field(examples=[0.2])


class QueueCountsView(BaseModel):
    """The tasks of one queue that have not ended."""

    waiting: int = Field(examples=[3], description="Pending, and neither held nor scheduled for later")
    processing: int = Field(examples=[2])


class StatisticsView(BaseModel):
    """Counts of tasks; updated at most every two seconds."""

    counted_at: Timestamp
    counts: dict[TaskStatus, int] = Field(
        examples=[{"pending": 3, "processing": 2, "completed": 90, "failed": 1, "cancelled": 0}]
    )
    oldest_pending_seconds: float | None = Field(
        default=None,
        examples=[0.8],
        description="How long the oldest pending task has waited; left out if there is none",
    )
    rates: list[RateView]
    queues: dict[str, QueueCountsView] = Field(
        examples=[{"simulate": {"waiting": 3, "processing": 2}}],
        description="By the name of the queue, `simulate`, `convert` or `run.` and a backend; "
        "a queue whose tasks have all ended is left out",
    )
    pauses: list[PauseView] | None = Field(
        default=None, description="Queues of which workers claim no tasks; left out where nothing is paused"
    )


class ChangeRequest(BaseModel):
    """New values; a field that is left out stays as it is, null removes its value."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"name": "final run", "tags": ["vqe", "final"]}]}
    )

    name: TaskName | None = None
    tags: TaskTags | None = None
    metadata: Annotated[TaskMetadata | None, Field(description="Replaces all metadata")] = None
    scheduled_for: Annotated[
        Schedule | None, Field(description="Only while the task is pending; null or a past time means at once")
    ] = None
    priority: Annotated[
        int | None,
        Field(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY, description="Only while the task is pending; null means 0"),
    ] = None


class RerunRequest(BaseModel):
    """How the new task differs from the old one."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"seed": "new"}]})

    seed: Annotated[
        Literal["same", "new"] | Annotated[int, Field(ge=0, le=_MAX_SEED)],
        Field(description="The same seed gives the same counts"),
    ] = "same"
    shots: Annotated[int | None, Field(ge=1, description="Default: the shots of the original")] = None
