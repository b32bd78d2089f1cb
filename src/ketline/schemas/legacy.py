"""The shapes of clients of older services over HTTP; `api/legacy` reads and writes them."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from ketline.schemas.labels import Schedule, TaskMetadata
from ketline.schemas.types import BELL, ProgramText


class ResultShape(StrEnum):
    """The shape in which `GET /tasks/{task_id}` shows a task: Ketline's own, or that of older services."""

    FULL = "full"
    PLAIN = "plain"


class PlainNotFound(BaseModel):
    """There is no task with this id."""

    status: Literal["error"] = "error"
    message: str = "Task not found."


_MAP = {"type": "object", "additionalProperties": {"type": "integer"}}
_VALUES = {"type": "array", "items": {"type": "number"}}
# The fields whose type is another one than in the full shape.
_PLAIN_FIELDS: Mapping[str, Any] = {
    "status": {
        "type": "string",
        "enum": ["pending", "completed", "failed"],
        "description": "A task that is being processed is `pending`, and one that was cancelled `failed`",
    },
    "result": {
        "description": "The counts; of a sweep an array of them. Of a task with observables their expectation values, "
        "and of a conversion its output. While a job waits at an external backend, that it is submitted, and its id",
        "anyOf": [
            _MAP,
            {"type": "array", "items": _MAP},
            _VALUES,
            {"type": "array", "items": _VALUES},
            {"type": "string"},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ],
        "example": {"00": 512, "11": 512},
    },
    "error": {
        "type": "string",
        "description": "Why the task failed",
        "examples": ["line 4, column 1: the gate 'foo' is not defined"],
    },
}


def plain_schema(full: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of a task in the plain shape, made from that of a `TaskView`."""
    description = "A task as clients of older services read it; fields without a value are left out."
    return {
        **full,
        "title": "PlainTask",
        "description": description,
        "properties": {**full["properties"], **_PLAIN_FIELDS},
    }


class TaskType(StrEnum):
    """The kinds of tasks by the names of older services."""

    SIMULATE = "simulate"
    CONVERT = "c_qir_convert"
    RUN = "backend_run"


# Older services write times without an offset, which are in UTC.
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?")


def _in_utc(moment: object) -> object:
    return f"{moment.replace(' ', 'T', 1)}Z" if isinstance(moment, str) and _NAIVE.fullmatch(moment) else moment


class LegacyPayload(BaseModel):
    """The program of a `LegacyRequest`, and how it is run."""

    model_config = ConfigDict(extra="forbid", strict=True)

    circuit_type: Annotated[
        str,
        WithJsonSchema({"type": "string", "enum": ["qasm"]}),
        Field(description="`qasm`: OpenQASM 2 or 3, by its header. Python source is never executed"),
    ]
    circuit_data: Annotated[ProgramText, Field(description="The text of the program")]
    shots: Annotated[int | None, Field(ge=1, description="How often the program is run")] = None
    simulator_id: Annotated[str | None, Field(description="A simulator, or one of Ketline's methods")] = None
    backend_name: Annotated[str | None, Field(description="For `backend_run`: a backend of `GET /backends`")] = None
    wait_for_completion: Annotated[
        bool,
        Field(
            description="For `backend_run`: whether the plain shape has no `result` before the job is done; "
            "else it has the job's id meanwhile"
        ),
    ] = False


class LegacyRequest(BaseModel):
    """A task as clients of older services submit it, as `application/json`; `SubmitRequest` can say the same.

    `status`, `result`, `error` and `retry_count` are for clients that send a task as they read it.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"task_type": "simulate", "payload": {"circuit_type": "qasm", "circuit_data": BELL}}]
        },
    )

    task_type: Annotated[TaskType, Field(strict=False, description="What is to be done")]
    payload: LegacyPayload
    max_retries: Annotated[int | None, Field(ge=0, description="Attempts after the first")] = None
    scheduled_for: Annotated[
        Annotated[Schedule, BeforeValidator(_in_utc)] | None,
        Field(description="Not run before this time; without an offset it is in UTC"),
    ] = None
    meta_data: Annotated[TaskMetadata | None, Field(description="Stored with the task")] = None
    status: SkipJsonSchema[Literal["pending"] | None] = None
    result: SkipJsonSchema[None] = None
    error: SkipJsonSchema[None] = None
    retry_count: SkipJsonSchema[Literal[0] | None] = None
