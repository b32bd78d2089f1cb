"""The shapes of usage over HTTP."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.access.principals import PROJECT_NAME
from ketline.domain.access.usage import UsageGroup
from ketline.schemas.lists import split_at_commas

ALL_PROJECTS = "*"
# The day after one is a day too.
Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(9999, 12, 30))]

# Sums have digits beyond the microseconds of profiles.
_Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 6))]


class UsageParameters(BaseModel):
    """The query parameters of `GET /usage`."""

    model_config = ConfigDict(extra="forbid")

    first_day: Annotated[
        Day | None, Field(alias="from", description="The first day, in UTC; default: 29 days before the last")
    ] = None
    last_day: Annotated[Day | None, Field(alias="to", description="The last day, in UTC; default: today")] = None
    group: Annotated[
        list[UsageGroup],
        BeforeValidator(split_at_commas),
        Field(max_length=len(UsageGroup), description="What is summed apart, separated by commas"),
    ] = [UsageGroup.DAY]
    project: Annotated[
        str | None,
        Field(
            pattern=rf"^({PROJECT_NAME.pattern}|\*)$",
            description="Another project, or `*` for all projects: for administrators",
        ),
    ] = None
    format: Annotated[Literal["json", "csv"] | None, Field(description="Overrides `Accept`")] = None

    @model_validator(mode="after")
    def _reject_empty_range(self) -> Self:
        if self.first_day is not None and self.last_day is not None and self.first_day > self.last_day:
            raise PydanticCustomError("empty_range", "must not be later than {end}", {"field": "from", "end": "to"})
        return self


class UsageView(BaseModel):
    """Sums over tasks that ended; times and memory are those of completed tasks."""

    completed: int = Field(examples=[120])
    failed: int = Field(examples=[3])
    cancelled: int = Field(examples=[1])
    shots: int = Field(examples=[122880], description="Of completed tasks, for all points of a sweep")
    simulating_seconds: _Seconds = Field(examples=[5.218], description="The sum of `profile.simulating_seconds`")
    processor_seconds: _Seconds = Field(examples=[5.113], description="The sum of `profile.processor_seconds`")
    memory_bytes: int | None = Field(
        default=None, examples=[201326592], description="The largest `profile.memory_bytes`, if any is known"
    )


class _UsageKey(BaseModel):
    project: str = Field(examples=["default"])
    day: date | None = Field(default=None, examples=["2026-11-30"])
    owner: str | None = Field(default=None, examples=["ada"], description="Left out if the tasks have none")


class UsageRowView(UsageView, _UsageKey):
    """The usage of a project, of a day or owner if usage is grouped by them."""


class UsageReport(BaseModel):
    """Usage from one day to another, both included, in UTC."""

    first_day: date = Field(serialization_alias="from", examples=["2026-11-01"])
    last_day: date = Field(serialization_alias="to", examples=["2026-11-30"])
    rows: list[UsageRowView] = Field(description="Sorted by project, day and owner; without those that have no tasks")
    total: UsageView
