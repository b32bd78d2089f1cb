"""Types of fields that several schemas have."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from ketline.domain.backends.backend_jobs import BACKEND_NAME_PATTERN
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS, WITHDRAWN

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def rfc3339(moment: datetime) -> str:
    """Format an aware time in UTC with microseconds and a final Z, always 27 characters long."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T03:04:05.678901Z"]}),
]


def _reject_unstorable(text: str) -> str:
    # PostgreSQL stores no NUL, and neither the database nor logs accept a lone surrogate.
    if not text.strip():
        raise PydanticCustomError("program_empty", "must not be empty")
    if "\x00" in text:
        raise PydanticCustomError("program_characters", "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("program_characters", "must not contain lone surrogates") from error
    return text


def _require_offered(method: object) -> object:
    if isinstance(method, str) and method in METHODS:
        return method
    *others, last = map(repr, map(str, METHODS))
    why = f": {WITHDRAWN}" if method == Method.EXTENDED_STABILIZER else ""
    raise PydanticCustomError(
        "method", "must be {offered}{why}", {"offered": f"{', '.join(others)} or {last}", "why": why}
    )


OfferedMethod = Annotated[
    Method,
    Field(strict=False),
    BeforeValidator(_require_offered),
    WithJsonSchema({"type": "string", "enum": [method.value for method in METHODS]}),
]


ProgramText = Annotated[str, AfterValidator(_reject_unstorable), Field(min_length=1)]


BackendId = Annotated[str, Field(pattern=BACKEND_NAME_PATTERN, examples=["braket-local"])]


QpyText = Annotated[str, Field(min_length=1, json_schema_extra={"contentEncoding": "base64"})]
