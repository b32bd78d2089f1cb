"""The shapes of the history of statistics over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.access.principals import PROJECT_NAME
from ketline.domain.limits import MAX_HISTORY_POINTS
from ketline.schemas.labels import Moment
from ketline.schemas.types import Timestamp
from ketline.schemas.usage import ALL_PROJECTS

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
_MAX_QUEUE_NAME_CHARACTERS = 200
# The day before the first and the day after the last are days too.
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

_Time = Annotated[Moment, Field(ge=_FIRST, le=_LAST)]
_Step = Annotated[
    int | None,
    Field(
        ge=MINUTE_SECONDS,
        le=DAY_SECONDS,
        multiple_of=MINUTE_SECONDS,
        description=f"Seconds of a period, in whole minutes; default: as gives some hundred points; at most"
        f" {MAX_HISTORY_POINTS} points",
    ),
]


class HistoryParameters(BaseModel):
    """The query parameters of `GET /tasks/stats/history`."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[
        _Time | None, Field(alias="from", description="Where the history begins; default: a day before its end")
    ] = None
    end: Annotated[_Time | None, Field(alias="to", description="Where it ends; default: now")] = None
    step: _Step = None
    queue: Annotated[
        str | None,
        Field(min_length=1, max_length=_MAX_QUEUE_NAME_CHARACTERS, description="One queue only; default: all"),
    ] = None
    project: Annotated[
        str | None,
        Field(
            pattern=rf"^({PROJECT_NAME.pattern}|\*)$",
            description=f"Another project, or `{ALL_PROJECTS}` for the whole service: for administrators",
        ),
    ] = None

    @model_validator(mode="after")
    def _reject_empty_range(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise PydanticCustomError("empty_range", "must be earlier than {end}", {"field": "from", "end": "to"})
        return self


class HistoryPointView(BaseModel):
    """A period; what is unknown, because no task ended in it or the sender is no operator, is left out."""

    at: Timestamp = Field(description="When the period begins")
    minutes: int = Field(examples=[60], description="The minutes of the period that were recorded")
    waiting: float = Field(examples=[3.2], description="Waiting tasks, the mean over these minutes")
    most_waiting: int = Field(examples=[41])
    processing: float = Field(examples=[1.9], description="Running tasks, the mean over these minutes")
    most_processing: int = Field(examples=[2])
    submitted: int = Field(examples=[7080], description="Tasks submitted in these minutes")
    completed: int = Field(examples=[7020])
    failed: int = Field(examples=[3])
    cancelled: int = Field(examples=[0])
    waiting_seconds: float | None = Field(
        default=None, examples=[0.81], description="Until the last attempt: the mean of tasks that completed or failed"
    )
    longest_waiting_seconds: float | None = Field(default=None, examples=[12.4])
    running_seconds: float | None = Field(
        default=None, examples=[0.05], description="Of the last attempt: the mean of tasks that completed or failed"
    )
    longest_running_seconds: float | None = Field(default=None, examples=[8.1])
    workers: int | None = Field(default=None, examples=[1], description="For operators: the fewest live workers")
    slots: int | None = Field(default=None, examples=[2], description="For operators: the fewest slots of live workers")


class HistoryView(BaseModel):
    """The history of statistics of a project, or of the whole service."""

    start: Timestamp = Field(serialization_alias="from")
    end: Timestamp = Field(serialization_alias="to")
    step_seconds: int = Field(examples=[3600])
    project: str | None = Field(default=None, examples=["default"], description="Left out for the whole service")
    queue: str | None = Field(default=None, examples=["simulate"], description="Left out for all queues")
    queues: list[str] = Field(examples=[["simulate"]], description="The queues that had tasks")
    points: list[HistoryPointView] = Field(description="In order; a period of which nothing was recorded has none")
