"""Submissions in requests: checks media type, sizes, types and limits, but never parses the program."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers

from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body, invalid_request
from ketline.api.services import ApiOptions, correlation_id_of, services_of
from ketline.domain import qpy
from ketline.domain.errors import QpyInvalid, QpyVersionUnsupported
from ketline.domain.labels import Labels
from ketline.domain.spec import ProgramFormat, RunOptions, TaskSpec, digest_of
from ketline.domain.task import IdempotencyKey, Submission
from ketline.schemas.tasks import DEFAULT_SHOTS, BatchRequest, FieldError, SubmitRequest

Model = TypeVar("Model", bound=BaseModel)

# Source: W3C Trace Context, section 3.2: version 00, ids in lower case and not all zero.
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

LONGEST_KEY = 255
_KEY = re.compile(f"[\\x21-\\x7e]{{1,{LONGEST_KEY}}}")


async def read_spec(request: Request, options: ApiOptions) -> TaskSpec:
    """Read a submission, check its limits, and fill in the default number of shots.

    Raises:
        HTTPProblem: the body is invalid or exceeds a limit.
    """
    return spec_of(within_limits(await _read(request, SubmitRequest), options, ()))


async def read_batch(request: Request, options: ApiOptions) -> Sequence[TaskSpec]:
    """Read the submissions of a batch, as `read_spec` does.

    Raises:
        HTTPProblem: the batch or one of its items is invalid or exceeds a limit.
    """
    batch = await _read(request, BatchRequest)
    return [spec_of(within_limits(item, options, ("tasks", number))) for number, item in enumerate(batch.tasks)]


def spec_of(body: SubmitRequest) -> TaskSpec:
    """Convert the body of a submission to a spec."""
    return TaskSpec(
        circuit=body.program,
        shots=body.shots or DEFAULT_SHOTS,
        inputs=body.inputs,
        options=RunOptions(
            seed=body.seed,
            method=body.method,
            memory=body.memory,
            format=body.program_format,
            observables=body.observables or (),
        ),
        time_limit_seconds=body.timeout_s,
        max_attempts=body.max_attempts,
        labels=Labels(name=body.name, tags=body.tags, metadata=body.metadata),
        scheduled_for=body.scheduled_for,
        priority=body.priority,
        hold=body.hold,
    )


def submission_of(request: Request, spec: TaskSpec, key: IdempotencyKey | None = None) -> Submission:
    """Build the submission of this request for the service."""
    return Submission(
        task_id=services_of(request).submit.new_id(),
        spec=spec,
        correlation_id=correlation_id_of(request),
        trace_context=read_trace_context(request),
        idempotency_key=key,
    )


def read_idempotency_key(request: Request, spec: TaskSpec) -> IdempotencyKey | None:
    """The idempotency key of this request, if it has one, with a fingerprint of the spec.

    Raises:
        HTTPProblem: the key is not a string of printable ASCII characters.
    """
    return key_of(request, digest_of(spec))


def key_of(request: Request, content: Sequence[object]) -> IdempotencyKey | None:
    """The idempotency key of this request, if it has one, with a fingerprint of `content`.

    Raises:
        HTTPProblem: the key is not a string of printable ASCII characters.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        text = f"must be 1 to {LONGEST_KEY} printable ASCII characters"
        raise invalid_request([{"type": "idempotency_key", "loc": ("header", "Idempotency-Key"), "msg": text}])
    return IdempotencyKey(key=key, fingerprint=sha256(json.dumps(content).encode()).hexdigest())


def read_batch_keys(request: Request, specs: Sequence[TaskSpec]) -> Sequence[IdempotencyKey | None]:
    """A key for each submission of a batch, made from the key and the fingerprint of the whole batch.

    Raises:
        HTTPProblem: the key is not a string of printable ASCII characters.
    """
    whole = key_of(request, [digest_of(spec) for spec in specs])
    if whole is None:
        return [None] * len(specs)
    # Keys of requests have no spaces, so these keys cannot collide with them.
    return [replace(whole, key=f"{whole.key} {number}") for number in range(len(specs))]


async def _read(request: Request, shape: type[Model]) -> Model:
    """Parse the body with Pydantic, strictly and in one pass.

    FastAPI's body handling uses Python's json module, which has another recursion limit, accepts lone surrogates and
    takes twice the time.
    """
    body = await request.body()
    require_json(request.headers, body)
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from error


def within_limits(submission: SubmitRequest, options: ApiOptions, path: tuple[str | int, ...]) -> SubmitRequest:
    """Check the limits of a submission and fill in the default number of shots; `path` is its path in the body.

    Raises:
        HTTPProblem: it exceeds a limit.
    """
    size = len(submission.program.encode())
    if size > options.max_program_bytes:
        most = options.max_program_bytes
        detail = f"The program has {size} bytes; this service accepts at most {most}."
        field = "qpy" if submission.qpy else "qc"
        errors = [FieldError(pointer=_pointer(path, field), detail=f"must have at most {most} bytes")]
        raise HTTPProblem("program_too_large", detail, errors=errors if path else None)
    if submission.program_format is ProgramFormat.QPY:
        _require_qpy(submission.program, path, "qpy" if submission.qpy else "qc")
    if submission.shots is None:
        submission = submission.model_copy(update={"shots": options.default_shots})
    values = {name: getattr(submission, name) for name in ("shots", "timeout_s", "max_attempts")}
    require_within_limits(values, options, path)
    return submission


def _require_qpy(text: str, path: tuple[str | int, ...], field: str) -> None:
    try:
        qpy.decoded(text)
    except (QpyInvalid, QpyVersionUnsupported) as error:
        found = FieldError(pointer=_pointer(path, field), detail=str(error))
        raise HTTPProblem(error.code, f"{'/'.join(map(str, (*path, field)))} {error}.", errors=[found]) from error


def _pointer(path: tuple[str | int, ...], field: str) -> str:
    return f"#/{'/'.join(map(str, (*path, field)))}"


def require_within_limits(
    values: Mapping[str, float | None], options: ApiOptions, path: tuple[str | int, ...] = ()
) -> None:
    """Compare values, by the names of a submission's fields, with the service's limits.

    Raises:
        HTTPProblem: a value exceeds its limit.
    """
    limits = {
        "shots": options.max_shots,
        "timeout_s": options.max_timeout_seconds,
        "max_attempts": options.max_attempts,
    }
    over = [
        {"type": "over_limit", "loc": ("body", *path, field), "msg": f"must be at most {most:g}"}
        for field, most in limits.items()
        if (values[field] or 0) > most
    ]
    if over:
        raise invalid_request(over)


def read_trace_context(request: Request) -> str | None:
    """The W3C traceparent of the request, None if it is missing or malformed."""
    offered = request.headers.get("traceparent", "")
    return offered if _TRACE_PARENT.fullmatch(offered) else None


def require_json(headers: Headers, body: bytes) -> None:
    """Raise a problem for a body that is not declared as JSON, or is compressed."""
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if not media_type and not body:
        # An empty body has no type; the parser reports that it is missing.
        return
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPProblem("unsupported_media_type")
