"""The parts of the OpenAPI document that FastAPI cannot derive: problem documents and request bodies.

The routes declare theirs with `body_of` and `problem_responses`; `app.py` creates the `DescribedApi`.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ketline.api.requests.credentials import PROJECT_HEADER
from ketline.api.responses.errors import KINDS, PROBLEM_MEDIA_TYPE, ProblemKind
from ketline.api.rights import PUBLIC, RIGHTS
from ketline.api.services import ApiOptions
from ketline.domain.errors import ProjectUnknown
from ketline.schemas.access import KeyRequest, ProjectChange, ProjectRequest, RotationRequest
from ketline.schemas.administration import FailRequest, PauseRequest, RequeueRequest
from ketline.schemas.devices import DeviceDocument
from ketline.schemas.legacy import LegacyRequest, PlainNotFound, ResultShape, plain_schema
from ketline.schemas.lists import ChangeRequest, RerunRequest
from ketline.schemas.problems import Problem
from ketline.schemas.submissions import BatchRequest, SubmitRequest
from ketline.schemas.tasks import EndedRequest
from ketline.schemas.types import BELL
from ketline.schemas.webhooks import SecretRotation

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


# A media type of its own, which the service takes as it takes application/json: with two shapes under one media type,
# openapi-generator's clients would have to wrap each request.
LEGACY_MEDIA_TYPE = "application/vnd.ketline.legacy+json"
_LEGACY_EXAMPLE = {"task_type": "simulate", "payload": {"circuit_type": "qasm", "circuit_data": BELL, "shots": 1024}}
SUBMIT_BODY = body_of(SubmitRequest, {"qc": BELL, "shots": 1024})
SUBMIT_BODY["content"][LEGACY_MEDIA_TYPE] = {
    "schema": {"$ref": _REFERENCE.format(model="LegacyRequest")},
    "example": _LEGACY_EXAMPLE,
}

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


_PROJECT_PARAMETER = {
    "name": PROJECT_HEADER,
    "in": "header",
    "description": "The project to work in, one of the sender's; without it the first in alphabetical order.",
    "schema": {"type": "string"},
}


class DescribedApi(FastAPI):
    """A FastAPI application whose OpenAPI document also has the schemas that are only referenced by name.

    Where senders may be members of several projects, it also has the header with which they choose one.
    """

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        shapes: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
        shapes.update(_shapes(self.state.options))
        if self.state.options.result_shape is ResultShape.PLAIN:
            _describe_plain_tasks(document["paths"]["/tasks/{task_id}"]["get"]["responses"], shapes)
        if self.state.options.several_projects:
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if RIGHTS[method.upper(), path] is not PUBLIC:
                        _describe_choice_of_project(operation)
        return document


def _describe_choice_of_project(operation: dict[str, Any]) -> None:
    """Add the header to an operation, and the response if the sender is not a member of the named project."""
    parameters = operation.setdefault("parameters", [])
    if _PROJECT_PARAMETER not in parameters:  # FastAPI makes the document once
        parameters.append(_PROJECT_PARAMETER)
    code = ProjectUnknown.code
    status = KINDS[code].status
    rejection = problem_responses(code)[status]
    known = operation["responses"].setdefault(str(status), rejection)
    problems = known["content"].setdefault(PROBLEM_MEDIA_TYPE, rejection["content"][PROBLEM_MEDIA_TYPE])
    if code not in problems["examples"]:
        known["description"] += f" or {rejection['description']}"
        problems["examples"] |= rejection["content"][PROBLEM_MEDIA_TYPE]["examples"]


def _describe_plain_tasks(responses: dict[str, Any], shapes: dict[str, Any]) -> None:
    """Describe the responses to reads of a task as a service with the plain shape gives them."""
    shapes["PlainTask"] = plain_schema(shapes["TaskView"])
    shapes["PlainNotFound"] = PlainNotFound.model_json_schema()
    responses["200"]["content"] = _json_content("PlainTask")
    responses["404"] = {"description": "Task not found", "content": _json_content("PlainNotFound")}


def _json_content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model)}}}


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
        message=kind.detail,
        code=kind.code,
        correlation_id=_EXAMPLE_ID,
    ).model_dump(mode="json", exclude_none=True)


SUBMIT_PROBLEMS = problem_responses(
    "idempotency_key_reused",
    "backlog_full",
    "quota_exceeded",
    "quota_exhausted",
    "program_too_large",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "invalid_json",
    "python_source_refused",
    "qpy_invalid",
    "qpy_version_unsupported",
    "device_unknown",
    "database_unavailable",
)


_PARSED_BY_ROUTES = (
    BatchRequest,
    EndedRequest,
    ChangeRequest,
    RerunRequest,
    LegacyRequest,
    FailRequest,
    KeyRequest,
    PauseRequest,
    RequeueRequest,
    RotationRequest,
    SecretRotation,
    ProjectRequest,
    ProjectChange,
    DeviceDocument,
)


def _shapes(options: ApiOptions) -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_REFERENCE)
    submission = SubmitRequest.model_json_schema(ref_template=_REFERENCE)
    # No default: generated clients send every default, and with shots expectation values are estimates.
    submission["properties"]["shots"] = {
        "title": "Shots",
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": options.max_shots,
        "description": "How often the program is run; with `observables`, whose values are then estimates, in each "
        f"basis; {options.default_shots} if left out or null",
    }
    shapes = {"Problem": problem, "SubmitRequest": submission}
    for other in _PARSED_BY_ROUTES:
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
