"""The parts of the OpenAPI document that FastAPI cannot derive: problem documents and request bodies."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ketline.api.responses.errors import KINDS, PROBLEM_MEDIA_TYPE, ProblemKind
from ketline.api.services import ApiOptions
from ketline.schemas.lists import ChangeRequest, RerunRequest
from ketline.schemas.tasks import BELL, BatchRequest, Problem, SubmitRequest

_REFERENCE = "#/components/schemas/{model}"
_EXAMPLE_ID = "0f8b6a4f2c1d4e7f9a3b5c6d7e8f9a0b"

REPLAYED = "Idempotent-Replayed"
REPLAYED_HEADERS = {
    REPLAYED: {
        "description": "`true` if an earlier request with this key stored the task; otherwise left out",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
ACCEPTED_HEADERS = {
    "Location": {"description": "Path of the task", "schema": {"type": "string"}},
    **REPLAYED_HEADERS,
}


def body_of(shape: type[BaseModel], example: Mapping[str, object], *, required: bool = True) -> dict[str, Any]:
    """Document a request body that the route parses itself."""
    content = {"schema": {"$ref": _REFERENCE.format(model=shape.__name__)}, "example": dict(example)}
    return {"required": required, "content": {"application/json": content}}


SUBMIT_BODY = body_of(SubmitRequest, {"qc": BELL, "shots": 1024})

BATCH_BODY = body_of(BatchRequest, {"tasks": [{"qc": BELL}, {"qc": BELL, "shots": 10, "name": "short"}]})

SUBMIT_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes repeated submissions safe: the same key and body give the same task.",
        "schema": {"type": "string", "maxLength": 255},
    },
    {
        "name": "X-Correlation-ID",
        "in": "header",
        "description": "Stored with the task, returned, and written to every log line; generated if absent.",
        "schema": {"type": "string", "maxLength": 128},
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "W3C trace context, passed on to the worker.",
        "schema": {"type": "string"},
    },
]


class DescribedApi(FastAPI):
    """A FastAPI application whose OpenAPI document also has the schemas that are only referenced by name."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).update(_shapes(self.state.options))
        return document


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Document the problems with these codes, and status 500."""
    by_status: dict[int, list[ProblemKind]] = defaultdict(list)
    for code in (*codes, "internal_error"):
        by_status[KINDS[code].status].append(KINDS[code])
    return {status: _document(kinds) for status, kinds in by_status.items()}


def _document(kinds: list[ProblemKind]) -> dict[str, Any]:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    content = {"schema": {"$ref": _REFERENCE.format(model="Problem")}, "examples": examples}
    return {
        "description": " or ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {PROBLEM_MEDIA_TYPE: content},
    }


def _example(kind: ProblemKind) -> dict[str, Any]:
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        code=kind.code,
        correlation_id=_EXAMPLE_ID,
    ).model_dump(mode="json", exclude_none=True)


SUBMIT_PROBLEMS = problem_responses(
    "idempotency_key_reused",
    "backlog_full",
    "program_too_large",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "invalid_json",
    "qpy_invalid",
    "qpy_version_unsupported",
    "database_unavailable",
)


def _shapes(options: ApiOptions) -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_REFERENCE)
    submission = SubmitRequest.model_json_schema(ref_template=_REFERENCE)
    # No default: generated clients send every default, and with observables there must be no shots.
    submission["properties"]["shots"] = {
        "title": "Shots",
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": options.max_shots,
        "description": f"How often the program is run; {options.default_shots} if left out or null",
    }
    shapes = {"Problem": problem, "SubmitRequest": submission}
    for other in (BatchRequest, ChangeRequest, RerunRequest):
        shapes[other.__name__] = other.model_json_schema(ref_template=_REFERENCE)
    found = {name: shape for whole in shapes.values() for name, shape in whole.pop("$defs", {}).items()} | shapes
    for shape in found.values():
        for field in shape.get("properties", {}).values():
            _drop_unusable_default(field)
    return found


def _drop_unusable_default(field: dict[str, Any]) -> None:
    """Remove the default "" of a required-length field: it means "left out", and violates the field's own schema."""
    if field.get("default") == "" and field.get("minLength", 0) > 0:
        del field["default"]
