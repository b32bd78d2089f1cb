"""Reads submissions from requests and forms: checks media type, sizes, types and limits, never the program itself."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from ketline.api.legacy.submissions import BACKEND_POINTER, is_legacy, to_request
from ketline.api.requests.body import require_json
from ketline.api.requests.callbacks import require_permitted_callback
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body, invalid_request
from ketline.api.services import ApiOptions, correlation_id_of, principal_of, services_of, trace_of
from ketline.api.tasks.task_devices import with_device
from ketline.domain.circuits import qpy
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import QpyInvalid, QpyVersionUnsupported
from ketline.domain.limits import MAX_JOB_SECONDS, MAX_KEY_CHARACTERS
from ketline.domain.results.estimation import shots_for
from ketline.domain.results.gradients import requested_gradient
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.spec_fields import digest_of
from ketline.domain.tasks.submission import IdempotencyKey, Submission
from ketline.schemas.legacy import LegacyRequest
from ketline.schemas.problems import FieldError
from ketline.schemas.submissions import DEFAULT_SHOTS, BatchRequest, SubmitRequest

Model = TypeVar("Model", bound=BaseModel)

# Source: W3C Trace Context, section 3.2: version 00, ids in lower case and not all zero.
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_KEY = re.compile(f"[\\x21-\\x7e]{{1,{MAX_KEY_CHARACTERS}}}")


async def read_spec(request: Request, options: ApiOptions) -> TaskSpec:
    """Read the submission of a simulation, check its limits, and fill in the default number of shots.

    Raises:
        HTTPProblem: the body is invalid, exceeds a limit, or is of another kind.
    """
    body = within_limits(await read_body(request, SubmitRequest), options, ())
    if body.kind is not TaskKind.SIMULATE:
        text = "must be 'simulate' here: only simulations are validated"
        raise invalid_request([{"type": "kind", "loc": ("body", "kind"), "msg": text}])
    return await with_device(request, spec_of(body))


async def read_submission(request: Request, options: ApiOptions) -> Submission:
    """Read a submission of any kind with its headers, as `read_spec` does, or one of a client of an older service.

    Raises:
        HTTPProblem: the body is invalid or exceeds a limit, or no worker has the backend.
    """
    body, legacy, backend = await _json_of(request), None, _pointer((), "backend")
    try:
        submitted = SubmitRequest.model_validate_json(body)
    except ValidationError as error:
        if not is_legacy(error):
            raise invalid_body(error) from error
        legacy = _parsed(LegacyRequest, body)
        submitted, backend = to_request(legacy, options), BACKEND_POINTER
    submitted = within_limits(submitted, options, ())
    await _require_backend(request, submitted, backend)
    spec = await with_device(request, spec_of(submitted))
    submission = submission_of(request, spec, key_of(request, lambda: digest_of(spec)))
    if legacy is None:
        return submission
    return replace(submission, task_type=legacy.task_type, wait_for_completion=legacy.payload.wait_for_completion)


async def read_batch(request: Request, options: ApiOptions) -> Sequence[TaskSpec]:
    """Read the submissions of a batch, as `read_spec` does.

    Raises:
        HTTPProblem: the batch or one of its items is invalid or exceeds a limit.
    """
    batch = await read_body(request, BatchRequest)
    bodies = [within_limits(item, options, ("tasks", number)) for number, item in enumerate(batch.tasks)]
    for number, body in enumerate(bodies):
        await _require_backend(request, body, _pointer(("tasks", number), "backend"))
    return [await with_device(request, spec_of(body), ("tasks", number)) for number, body in enumerate(bodies)]


async def known_spec(request: Request, submission: SubmitRequest) -> TaskSpec:
    """Convert a submission to a spec, if a worker has its backend, and with its device.

    Raises:
        HTTPProblem: no worker has the backend, or the project no such device.
        DatabaseUnavailable: the workers or the device could not be read.
    """
    await _require_backend(request, submission, _pointer((), "backend"))
    return await with_device(request, spec_of(submission))


def spec_of(body: SubmitRequest) -> TaskSpec:
    """Convert the body of a submission to a spec."""
    return TaskSpec(
        circuit=body.program,
        shots=0 if body.kind is TaskKind.CONVERT else body.shots or DEFAULT_SHOTS,
        inputs=body.inputs,
        options=RunOptions(
            seed=body.seed,
            method=body.method,
            memory=body.memory,
            format=body.program_format,
            observables=body.observables or (),
            noise=body.noise,
            outputs=tuple(one.as_requested() for one in body.outputs),
            sampled=bool(body.observables) and (body.precision is not None or "shots" in body.model_fields_set),
            precision=body.precision,
            mitigation=None if body.mitigation is None else body.mitigation.as_requested(),
            gradient=requested_gradient(body.gradient),
            device=None if body.device is None else body.device.as_run(),
        ),
        time_limit_seconds=body.timeout_s,
        max_attempts=body.max_attempts,
        labels=Labels(name=body.name, tags=body.tags, metadata=body.metadata),
        scheduled_for=body.scheduled_for,
        priority=body.priority,
        hold=body.hold,
        kind=body.kind,
        target=body.target,
        profile=body.profile,
        bitcode=body.bitcode,
        backend=body.backend,
        callback=body.callback,
    )


def submission_of(request: Request, spec: TaskSpec, key: IdempotencyKey | None = None) -> Submission:
    """Build the submission of this request for the service."""
    return Submission(
        owner=principal_of(request).owner,
        task_id=services_of(request).submit.new_id(),
        spec=spec,
        correlation_id=correlation_id_of(request),
        trace_context=read_trace_context(request),
        idempotency_key=key,
    )


def key_of(request: Request, content: Callable[[], Sequence[object]]) -> IdempotencyKey | None:
    """The idempotency key of this request, if it has one, with a fingerprint of what `content` returns.

    Raises:
        HTTPProblem: the key is not a string of printable ASCII characters.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        text = f"must be 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
        raise invalid_request([{"type": "idempotency_key", "loc": ("header", "Idempotency-Key"), "msg": text}])
    return IdempotencyKey(key=key, fingerprint=sha256(json.dumps(content()).encode()).hexdigest())


def read_batch_keys(request: Request, specs: Sequence[TaskSpec]) -> Sequence[IdempotencyKey | None]:
    """A key for each submission of a batch, made from the key and the fingerprint of the whole batch.

    Raises:
        HTTPProblem: the key is not a string of printable ASCII characters.
    """
    whole = key_of(request, lambda: [digest_of(spec) for spec in specs])
    if whole is None:
        return [None] * len(specs)
    # Keys of requests have no spaces, so these keys cannot collide with them.
    return [replace(whole, key=f"{whole.key} {number}") for number in range(len(specs))]


async def read_body(request: Request, shape: type[Model]) -> Model:
    """Read and check the JSON body of a request.

    Raises:
        HTTPProblem: the body is not JSON, or not of this shape.
    """
    return _parsed(shape, await _json_of(request))


async def _json_of(request: Request) -> bytes:
    body = await request.body()
    require_json(request.headers, body)
    return body


def _parsed(shape: type[Model], body: bytes) -> Model:
    """Parse a body with Pydantic, strictly and in one pass.

    FastAPI's body handling uses Python's json module, which has another recursion limit, accepts lone surrogates and
    takes twice the time.
    """
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
        shots = options.default_shots if submission.precision is None else _needed_shots(submission, options, path)
        submission = submission.model_copy(update={"shots": shots})
        # Observables are estimated only where the request itself has shots.
        submission.model_fields_set.discard("shots")
    require_permitted_callback(submission.callback, options, path)
    values = {name: getattr(submission, name) for name in ("shots", "timeout_s", "max_attempts")}
    require_within_limits(values, submission.kind, options, path)
    return submission


def _needed_shots(submission: SubmitRequest, options: ApiOptions, path: tuple[str | int, ...]) -> int:
    """The shots that a precision needs, the sum over all bases.

    Raises:
        HTTPProblem: they are more than the service's limit.
    """
    assert submission.precision is not None
    needed = shots_for(submission.observables, submission.precision)
    if needed > options.max_shots:
        text = (
            f"needs {needed:,} shots, and this service runs at most {options.max_shots:,}: give a larger one, or leave "
            "it out for exact values"
        )
        raise invalid_request([{"type": "precision", "loc": ("body", *path, "precision"), "msg": text}])
    return needed


async def _require_backend(request: Request, submission: SubmitRequest, pointer: str) -> None:
    """Raise a problem for a backend that no worker knows: the task would wait for ever."""
    if submission.backend is None:
        return
    known = await services_of(request).external_backends.names()
    if submission.backend not in known:
        offered = f"there are {', '.join(known)}" if known else "no worker has an external backend"
        detail = f"No worker runs tasks on a backend {submission.backend!r}; {offered}. See GET /backends."
        error = FieldError(pointer=pointer, detail="is not a backend of this service")
        raise HTTPProblem("backend_unknown", detail, errors=[error])


def _require_qpy(text: str, path: tuple[str | int, ...], field: str) -> None:
    try:
        qpy.decoded(text)
    except (QpyInvalid, QpyVersionUnsupported) as error:
        found = FieldError(pointer=_pointer(path, field), detail=str(error))
        raise HTTPProblem(error.code, f"{'/'.join(map(str, (*path, field)))} {error}.", errors=[found]) from error


def _pointer(path: tuple[str | int, ...], field: str) -> str:
    return f"#/{'/'.join(map(str, (*path, field)))}"


def require_within_limits(
    values: Mapping[str, float | None], kind: TaskKind, options: ApiOptions, path: tuple[str | int, ...] = ()
) -> None:
    """Compare values, by the names of a submission's fields, with the service's limits for this kind of task.

    Raises:
        HTTPProblem: a value exceeds its limit.
    """
    limits = {
        "shots": options.max_shots,
        "timeout_s": MAX_JOB_SECONDS if kind is TaskKind.RUN else options.max_timeout_seconds,
        "max_attempts": options.max_attempts,
    }
    over = [
        {"type": "over_limit", "loc": ("body", *path, field), "msg": f"must be at most {most:.12g}"}
        for field, most in limits.items()
        if (values[field] or 0) > most
    ]
    if over:
        raise invalid_request(over)


def read_trace_context(request: Request) -> str | None:
    """The W3C traceparent for a task: of the request's span or, without tracing, of its header if that is valid."""
    if (own := trace_of(request).traceparent) is not None:
        return own
    offered = request.headers.get("traceparent", "")
    return offered if _TRACE_PARENT.fullmatch(offered) else None
