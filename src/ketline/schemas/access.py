"""The shapes of API keys, projects and principals over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ketline.domain.access.principals import (
    DEFAULT_PROJECT,
    MAX_OWNER_CHARACTERS,
    MAX_WEIGHT,
    PROJECT_NAME,
    Role,
    parse_owner,
    parse_project_name,
)
from ketline.domain.limits import HIGHEST_PRIORITY
from ketline.schemas.callbacks import CallbackText
from ketline.schemas.types import Timestamp

MAX_LIFETIME_SECONDS = 36_500 * 86_400
_KEY_ID = "0f8b6a4f2c1d"
_REQUEST = ConfigDict(extra="forbid", strict=True)


def _valid(parse: Callable[[str], Any]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            raise PydanticCustomError("access_name", "is not possible: {reason}", {"reason": str(error)}) from None
        return text

    return AfterValidator(check)


ProjectText = Annotated[
    str,
    Field(examples=["optics"], json_schema_extra={"pattern": f"^{PROJECT_NAME.pattern}$"}),
    _valid(parse_project_name),
]
OwnerText = Annotated[str, Field(min_length=1, max_length=MAX_OWNER_CHARACTERS), _valid(parse_owner)]
Lifetime = Annotated[
    float | None,
    Field(gt=0, le=MAX_LIFETIME_SECONDS, description="Seconds after which the key ends; without it, never"),
]


MAX_LIMIT = 10**15
Count = Annotated[int | None, Field(ge=0, le=MAX_LIMIT)]
Limit = Annotated[float | None, Field(ge=0, le=MAX_LIMIT)]


class KeyRequest(BaseModel):
    """A new API key."""

    model_config = _REQUEST

    project: ProjectText = DEFAULT_PROJECT
    role: Role
    owner: OwnerText = Field(examples=["ada"], description="Who uses the key: the owner of the tasks submitted with it")
    name: OwnerText | None = Field(default=None, examples=["laptop"], description="What the key is for")
    lifetime_s: Lifetime = None


class RotationRequest(BaseModel):
    """How a key is replaced."""

    model_config = _REQUEST

    overlap_s: float = Field(
        default=0, ge=0, le=MAX_LIFETIME_SECONDS, description="Seconds for which the old key remains valid"
    )
    lifetime_s: Lifetime = None


class ProjectRequest(BaseModel):
    """A new project."""

    model_config = _REQUEST

    name: ProjectText


class QuotaLimits(BaseModel):
    """Limits by the names of quotas; what is left out is unlimited, or in a request unchanged."""

    model_config = _REQUEST

    waiting: Count = Field(default=None, description="Pending tasks, also held and scheduled ones")
    active: Count = Field(default=None, description="Pending and running tasks")
    shots_per_day: Count = Field(default=None, description="Shots submitted in a day of UTC")
    seconds_per_day: Limit = Field(default=None, description="Seconds of attempts that ended in a day of UTC")
    program_bytes: Count = Field(default=None, description="Bytes of a program")
    qubits: Count = Field(default=None, description="Qubits that a program declares")
    timeout_s: Annotated[float | None, Field(gt=0, le=MAX_LIMIT)] = Field(default=None, description="The time limit")
    priority: Annotated[int | None, Field(ge=0, le=HIGHEST_PRIORITY)] = Field(
        default=None, description="The highest priority"
    )


class ProjectChange(BaseModel):
    """New quotas of a project, where null takes one away, its share of the slots, and its callback."""

    model_config = _REQUEST

    quotas: QuotaLimits = QuotaLimits()
    owner_quotas: QuotaLimits = QuotaLimits()
    weight: float | None = Field(
        default=None, gt=0, le=MAX_WEIGHT, description="How much of the slots it gets beside projects of weight 1"
    )
    callback: CallbackText | None = Field(
        default=None,
        description="Where the ends of tasks without their own callback are delivered; null takes it away",
    )


class KeyView(BaseModel):
    """An API key without its secret; fields without a value are left out."""

    key_id: str = Field(examples=[_KEY_ID])
    project: str = Field(examples=["optics"])
    role: Role
    owner: str = Field(examples=["ada"])
    name: str | None = Field(default=None, examples=["laptop"])
    created_at: Timestamp | None = None
    expires_at: Timestamp | None = Field(default=None, description="When it ends, or has ended")
    last_used_at: Timestamp | None = Field(default=None, description="Correct to a minute")


class NewKeyView(KeyView):
    """A key that was just created, with the whole key, which is shown only here."""

    key: str = Field(examples=[f"ktl_{_KEY_ID}_…"])


class KeyList(BaseModel):
    """API keys, the oldest first, with those that have ended."""

    keys: list[KeyView]


class ProjectView(BaseModel):
    """A project."""

    name: str = Field(examples=["optics"])
    created_at: Timestamp
    weight: float = Field(default=1.0, description="How much of the slots it gets beside projects of weight 1")
    callback: str | None = Field(
        default=None, description="Where the ends of tasks without their own callback are delivered"
    )
    quotas: QuotaLimits = Field(default=QuotaLimits(), description="The quotas of the project as a whole")
    owner_quotas: QuotaLimits = Field(default=QuotaLimits(), description="The quotas of each owner in it")
    default_quotas: QuotaLimits = Field(
        default=QuotaLimits(), description="The service's defaults that apply beside its own quotas"
    )
    default_owner_quotas: QuotaLimits = Field(
        default=QuotaLimits(), description="Those that apply to each owner beside the project's own"
    )


class ProjectList(BaseModel):
    """All projects, in alphabetical order."""

    projects: list[ProjectView]


class PrincipalView(BaseModel):
    """The sender of a request; fields without a value are left out."""

    project: str = Field(examples=["optics"])
    role: Role
    owner: str | None = Field(default=None, examples=["ada"])
    key_id: str | None = Field(default=None, examples=[_KEY_ID], description="The API key of the request")
    expires_at: Timestamp | None = Field(default=None, description="When these rights end")
