"""Answers about the health and the version of the service."""

from typing import Literal

from pydantic import (
    BaseModel,
    Field,
)

from ketline.schemas.problems import ProblemCode
from ketline.schemas.types import Timestamp

Connection = Literal["connected", "disconnected"]


class HealthView(BaseModel):
    """Whether the database and the queue can be used; the one that cannot is `disconnected`."""

    status: Literal["healthy", "unhealthy"]
    timestamp: Timestamp
    database_status: Connection
    queue_status: Connection
    database_problem: ProblemCode = None
    queue_problem: ProblemCode = None
    paused: bool | None = Field(
        default=None, description="True while an administrator has paused the claims of a queue; otherwise left out"
    )


class ReadinessView(BaseModel):
    """Whether this process is ready: the database takes writes, its worker (if any) has a simulator, and it is not
    stopping."""

    status: Literal["ready", "not_ready"]
    missing: list[Literal["database", "queue", "simulators"]] = Field(description="The parts that do not work now")
    stopping: bool
    database_problem: ProblemCode = None
    queue_problem: ProblemCode = None
    simulator_problem: str | None = Field(default=None, description="Why no simulator could be started")


class LivenessView(BaseModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class VersionView(BaseModel):
    """The version that this process runs."""

    version: str = Field(description="The version of Ketline", examples=["0.1.0"])
    revision: str | None = Field(
        default=None, description="The commit that it was built from, where its builder said so", examples=["76cb73e"]
    )
