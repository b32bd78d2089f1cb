"""Read a submission's envelope: media type, sizes and types, never the program itself."""

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
    """Give what is asked for, its shots and size within the limits, the default number of shots filled in.

    Raises:
        Refusal: it is not one that this service takes.
    """
    return spec_of(within_limits(await _read(request, SubmitRequest), options, ()))


async def read_batch(request: Request, options: ApiOptions) -> Sequence[TaskSpec]:
    """Give what is asked for with each program of a batch, as `read_spec` does.

    Raises:
        Refusal: one of them, or the batch, is not one that this service takes.
    """
    batch = await _read(request, BatchRequest)
    return [spec_of(within_limits(item, options, ("tasks", number))) for number, item in enumerate(batch.tasks)]


def spec_of(body: SubmitRequest) -> TaskSpec:
    """What a body asks for."""
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
    """A submission of this request, as the service takes it."""
    return Submission(
        task_id=services_of(request).submit.new_id(),
        spec=spec,
        correlation_id=correlation_id_of(request),
        trace_context=read_trace_context(request),
        idempotency_key=key,
    )


def read_idempotency_key(request: Request, spec: TaskSpec) -> IdempotencyKey | None:
    """The caller's name for this submission, with a digest of what it asks for.

    Raises:
        Refusal: the key is not a string of printable ASCII characters.
    """
    return name_submission(request, digest_of(spec))


def name_submission(request: Request, asked: Sequence[object]) -> IdempotencyKey | None:
    """The caller's name for what is asked, if it gives one, with a digest of that.

    Raises:
        Refusal: the key is not a string of printable ASCII characters.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        text = f"must be 1 to {LONGEST_KEY} printable ASCII characters"
        raise invalid_request([{"type": "idempotency_key", "loc": ("header", "Idempotency-Key"), "msg": text}])
    return IdempotencyKey(key=key, fingerprint=sha256(json.dumps(asked).encode()).hexdigest())


def read_batch_keys(request: Request, specs: Sequence[TaskSpec]) -> Sequence[IdempotencyKey | None]:
    """A key for each submission of a batch, made of the caller's name for the whole and a digest of the whole.

    Raises:
        Refusal: the key is not a string of printable ASCII characters.
    """
    whole = name_submission(request, [digest_of(spec) for spec in specs])
    if whole is None:
        return [None] * len(specs)
    # No caller's key has a space: these are nobody else's.
    return [replace(whole, key=f"{whole.key} {number}") for number in range(len(specs))]


async def _read(request: Request, shape: type[Model]) -> Model:
    """A body of this shape.

    FastAPI's own body handling would go through Python's json module: no recursion limit of ours, lone
    surrogates let through, and twice the time. Pydantic parses the bytes strictly in one pass.
    """
    body = await request.body()
    require_json(request.headers, body)
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from error


def within_limits(submission: SubmitRequest, options: ApiOptions, place: tuple[str | int, ...]) -> SubmitRequest:
    """The submission with the default number of shots filled in; `place` leads to it in the body.

    Raises:
        Refusal: it asks for more than this service allows.
    """
    size = len(submission.program.encode())
    if size > options.max_program_bytes:
        most = options.max_program_bytes
        detail = f"The program has {size} bytes; this service accepts at most {most}."
        field = "qpy" if submission.qpy else "qc"
        errors = [FieldError(pointer=_pointer(place, field), detail=f"must have at most {most} bytes")]
        raise HTTPProblem("program_too_large", detail, errors=errors if place else None)
    if submission.program_format is ProgramFormat.QPY:
        _require_qpy(submission.program, place, "qpy" if submission.qpy else "qc")
    if submission.shots is None:
        submission = submission.model_copy(update={"shots": options.default_shots})
    asked = {name: getattr(submission, name) for name in ("shots", "timeout_s", "max_attempts")}
    require_within_limits(asked, options, place)
    return submission


def _require_qpy(text: str, place: tuple[str | int, ...], field: str) -> None:
    try:
        qpy.decoded(text)
    except (QpyInvalid, QpyVersionUnsupported) as error:
        found = FieldError(pointer=_pointer(place, field), detail=str(error))
        raise HTTPProblem(error.code, f"{'/'.join(map(str, (*place, field)))} {error}.", errors=[found]) from error


def _pointer(place: tuple[str | int, ...], field: str) -> str:
    return f"#/{'/'.join(map(str, (*place, field)))}"


def require_within_limits(
    asked: Mapping[str, float | None], options: ApiOptions, place: tuple[str | int, ...] = ()
) -> None:
    """Compare what is asked for, by the names of a submission's fields, with what this service allows.

    Raises:
        Refusal: something is beyond its limit.
    """
    limits = {
        "shots": options.max_shots,
        "timeout_s": options.max_timeout_seconds,
        "max_attempts": options.max_attempts,
    }
    over = [
        {"type": "over_limit", "loc": ("body", *place, field), "msg": f"must be at most {most:g}"}
        for field, most in limits.items()
        if (asked[field] or 0) > most
    ]
    if over:
        raise invalid_request(over)


def read_trace_context(request: Request) -> str | None:
    """The caller's W3C traceparent if it is well formed; a malformed one is as good as none."""
    offered = request.headers.get("traceparent", "")
    return offered if _TRACE_PARENT.fullmatch(offered) else None


def require_json(headers: Headers, body: bytes) -> None:
    """Refuse a body that is not declared as JSON, or is compressed."""
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if not media_type and not body:
        # Nothing was sent, so nothing has the wrong type; the parser says what is missing.
        return
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPProblem("unsupported_media_type")
