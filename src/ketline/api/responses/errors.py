"""The problems of the API: a table of codes with their HTTP statuses, and problem documents made from it.

Routes and checks raise an `HTTPProblem` with a code of the table; `handlers.py` and the middleware respond with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ketline.domain.circuits.qpy import VERSIONS
from ketline.domain.errors import QuotaExceeded, QuotaExhausted
from ketline.domain.status import TaskStatus
from ketline.schemas.problems import FieldError, Problem
from ketline.schemas.tasks import TaskFailure

PROBLEM_MEDIA_TYPE = "application/problem+json"
CORRELATION_KEY = "ketline.correlation_id"
PROBLEM_KEY = "ketline.problem"
HEAD_KEY = "ketline.head"
# In the scope: header fields about the rate of requests, for the response.
RATE_KEY = "ketline.rate"
# In the state of a scope: the code with which the connection rejected the request while its body was arriving.
REJECTION_KEY = "ketline.rejection"

_RETRY = {"Retry-After": "2"}
# The unread rest of the body must not be read as the next request.
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A row of the table; `detail` is the default text."""

    code: str
    status: int
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"/problems/{self.code}"


# Domain errors that reach HTTP have a row with the same code.
# Rejections for credentials or role, which have a metric of their own.
AUTHENTICATION_PROBLEMS = frozenset(
    {"credentials_missing", "credentials_invalid", "role_insufficient", "too_many_failed_sign_ins"}
)

KINDS: Mapping[str, ProblemKind] = {
    kind.code: kind
    for kind in (
        ProblemKind("bad_request", 400, "Bad request", "The request cannot be read."),
        ProblemKind(
            "cross_site_refused",
            403,
            "Cross-site request",
            "A page of another site sent this request; send it from Ketline's own page.",
        ),
        ProblemKind(
            "csrf_token_invalid",
            403,
            "Form out of date",
            "The form does not belong to your present sign-in: open its page again, and send it from there.",
        ),
        ProblemKind(
            "credentials_missing",
            401,
            "Credentials missing",
            "Send an API key with the request: the header `Authorization: Bearer ktl_…`.",
            {"WWW-Authenticate": "Bearer"},
        ),
        ProblemKind(
            "credentials_invalid",
            401,
            "Credentials invalid",
            "The credentials are unknown, revoked or expired; ask an administrator of the service for new ones.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        ),
        ProblemKind(
            "role_insufficient",
            403,
            "Role insufficient",
            "Your role in this project does not include this; ask an administrator of the service.",
        ),
        ProblemKind("task_not_found", 404, "Task not found", "The task was not found."),
        ProblemKind("key_unknown", 404, "Key unknown", "No API key has this id."),
        ProblemKind("worker_unknown", 404, "Worker unknown", "No live worker has this id; /workers lists all."),
        ProblemKind("project_unknown", 404, "Project unknown", "There is no project of this name."),
        ProblemKind("project_exists", 409, "Project exists", "There is a project of this name already."),
        ProblemKind(
            "device_not_found", 404, "Device not found", "There is no device of this name; /devices lists all."
        ),
        ProblemKind(
            "device_reserved", 409, "Device reserved", "This device is shipped with the service: use another name."
        ),
        ProblemKind(
            "too_many_devices", 409, "Too many devices", "The project has no room for another device: remove one."
        ),
        ProblemKind(
            "delivery_not_found",
            404,
            "Delivery not found",
            "There is no delivery of this task: it has no callback, or it has not ended.",
        ),
        ProblemKind("path_not_found", 404, "Path not found", "The path was not found; /docs lists all paths."),
        ProblemKind(
            "method_not_allowed", 405, "Method not allowed", "The Allow header lists the methods of this path."
        ),
        ProblemKind(
            "request_timeout",
            408,
            "Request too slow",
            "The request did not arrive in time: send its headers and its body without pauses.",
            _CLOSE,
        ),
        ProblemKind("result_not_ready", 409, "Result not ready", "The task has not ended yet; try again later."),
        ProblemKind("task_failed", 409, "Task failed", "The task failed and has no counts; `error` says why."),
        ProblemKind("task_ended", 409, "Task ended", "The task has ended; `task_status` gives its status."),
        ProblemKind(
            "task_not_pending",
            409,
            "Task not pending",
            "The task is no longer pending; `task_status` gives its status.",
        ),
        ProblemKind(
            "task_not_held",
            409,
            "Task not held",
            "The task was not submitted with `hold`, so it needs no release.",
        ),
        ProblemKind(
            "task_not_ended", 409, "Task not ended", "Only a task that has ended can be deleted; cancel it first."
        ),
        ProblemKind("task_waits", 409, "Task waits", "The task is held, or scheduled for later."),
        ProblemKind("task_running", 409, "Task running", "The task runs on a worker that is alive."),
        ProblemKind("vacuum_running", 409, "Vacuum running", "The database is being vacuumed; wait for the end of it."),
        ProblemKind("task_cancelled", 409, "Task cancelled", "The task was cancelled and has no counts."),
        ProblemKind(
            "no_memory",
            409,
            "No shots stored",
            'The outcomes of single shots were not stored; submit with "memory": true to store them.',
        ),
        ProblemKind(
            "no_counts",
            409,
            "No counts",
            "The task has another result than counts: `expectation_values`, `outputs` or an `output`.",
        ),
        ProblemKind("backend_unknown", 422, "Backend unknown", "No worker runs tasks on this backend."),
        ProblemKind("device_unknown", 422, "Device unknown", "The project has no device of this name."),
        ProblemKind("no_outputs", 409, "No outputs", "The task was submitted without `outputs`; read its `result`."),
        ProblemKind("output_not_found", 404, "Output not found", "The task has no output of this name."),
        ProblemKind("no_output", 409, "No output", "Only a task of kind convert has an output; read its `result`."),
        ProblemKind(
            "not_acceptable", 406, "Not acceptable", "None of the media types in the Accept header is available."
        ),
        ProblemKind(
            "range_not_satisfiable",
            416,
            "Range not satisfiable",
            "The range begins after the end of the content; Content-Range gives its length.",
        ),
        ProblemKind(
            "circuit_unreadable", 409, "Circuit unreadable", "The task's program cannot be read; `error` says why."
        ),
        ProblemKind(
            "drawing_too_large",
            409,
            "Drawing too large",
            "The circuit is too large for this drawing; format=flat shows larger ones.",
        ),
        ProblemKind("program_too_large", 413, "Program too large", "The program is larger than this service accepts."),
        ProblemKind(
            "body_too_large",
            413,
            "Request body too large",
            "The request body is larger than this service accepts: send smaller programs, or fewer in one request.",
            _CLOSE,
        ),
        ProblemKind(
            "unsupported_media_type",
            415,
            "Unsupported media type",
            "Send JSON, uncompressed, with the header Content-Type: application/json.",
            {"Accept": "application/json", "Accept-Encoding": "identity"},
        ),
        ProblemKind("invalid_json", 422, "Invalid JSON", "The request body is not valid JSON."),
        ProblemKind("invalid_request", 422, "Invalid request", "The request is not valid; `errors` lists each field."),
        ProblemKind(
            "python_source_refused",
            422,
            "Python source rejected",
            "Python source is never executed: write the circuit as OpenQASM, and send that text.",
        ),
        ProblemKind(
            "device_invalid", 422, "Invalid device", "The body does not describe a device; `errors` says what is wrong."
        ),
        ProblemKind("qpy_invalid", 422, "Invalid QPY", "`qpy` must be a QPY file of one circuit, in base64."),
        ProblemKind(
            "qpy_version_unsupported",
            422,
            "QPY version not supported",
            f"`qpy` has a version that this service does not read: write one of {VERSIONS[0]} to {VERSIONS[-1]}.",
        ),
        ProblemKind(
            "field_read_only",
            422,
            "Field read-only",
            "The request sets fields that only the service sets; `errors` lists them.",
        ),
        ProblemKind(
            "unknown_cursor",
            422,
            "Unknown cursor",
            "The cursor does not belong to this list: send `next` unchanged, or start again without a cursor.",
        ),
        ProblemKind(
            "idempotency_key_reused",
            422,
            "Idempotency key reused",
            "This Idempotency-Key was used for another submission; use a new key for a new submission.",
        ),
        ProblemKind(
            "backlog_full",
            429,
            "Too many tasks waiting",
            "This service has reached its limit of waiting tasks; submit again later.",
            {"Retry-After": "5"},
        ),
        ProblemKind(
            "rate_limited",
            429,
            "Too many requests",
            "This key sends more requests than the service permits; try again after `Retry-After` seconds.",
            {"Retry-After": "1"},
        ),
        ProblemKind(
            "too_many_failed_sign_ins",
            429,
            "Too many failed sign-ins",
            "Too many credentials from your address are not valid; try again after `Retry-After` seconds.",
            {"Retry-After": "2"},
        ),
        ProblemKind(
            "quota_exceeded",
            403,
            "Quota exceeded",
            "The request needs more than a quota of your project permits; ask an administrator for a larger one.",
        ),
        ProblemKind(
            "quota_exhausted",
            429,
            "Quota exhausted",
            "A quota of your project has no room for this now; `free_at` says when it is free again.",
            {"Retry-After": "5"},
        ),
        ProblemKind(
            "host_not_allowed",
            421,
            "Host not allowed",
            "The Host header is not a name of this service; if it should be, add it to KETLINE_ALLOWED_HOSTS.",
        ),
        ProblemKind(
            "headers_too_large",
            431,
            "Request headers too large",
            "Request line and headers may take 65,536 bytes, with at most 256 headers: send fewer or shorter ones.",
            _CLOSE,
        ),
        ProblemKind(
            "internal_error",
            500,
            "Internal error",
            "The service failed to process the request; report it with the correlation id.",
        ),
        ProblemKind("service_unavailable", 503, "Service unavailable", "Try again in a few seconds.", _RETRY),
        ProblemKind(
            "too_many_connections",
            503,
            "Too many connections",
            "This process has reached its limit of open connections: reuse connections, or try again in a few seconds.",
            {**_CLOSE, **_RETRY},
        ),
        ProblemKind(
            "request_memory_full",
            503,
            "Too many requests arriving",
            "The memory for incoming requests is full; try again in a few seconds.",
            {**_CLOSE, **_RETRY},
        ),
        ProblemKind(
            "inspector_busy",
            503,
            "Program reader busy",
            "The service is busy reading other programs; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_unavailable",
            503,
            "Database unavailable",
            "The database does not respond; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_access_denied",
            503,
            "Database access denied",
            "The database denies the service's login or a permission; the operator has to grant it.",
            _RETRY,
        ),
        ProblemKind(
            "database_read_only",
            503,
            "Database read-only",
            "The database accepts no writes at present; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_full",
            503,
            "Database full",
            "The database's disk is full; the operator has to free space.",
            _RETRY,
        ),
        ProblemKind(
            "database_file_lost",
            503,
            "Database file lost",
            "The service's data directory was moved, deleted or damaged; nothing can be stored until it is restored.",
            _RETRY,
        ),
        ProblemKind(
            "database_not_migrated",
            503,
            "Database not migrated",
            "The database does not have the schema of this version; the operator has to run `ketline migrate`.",
            _RETRY,
        ),
        ProblemKind(
            "database_connections_exhausted",
            503,
            "No database connection",
            "The database accepts no more connections; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_tls_failed",
            503,
            "Database certificate invalid",
            "TLS with the database fails; the operator has to renew its certificate, or trust its authority.",
            _RETRY,
        ),
        ProblemKind(
            "issuer_unavailable",
            503,
            "Issuer unavailable",
            "The identity provider does not respond, so tokens cannot be verified; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "queue_unavailable",
            503,
            "Queue unavailable",
            "The queue does not respond; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "queue_tls_failed",
            503,
            "Queue certificate invalid",
            "TLS with the broker fails; the operator has to renew its certificate, or trust its authority.",
            _RETRY,
        ),
        ProblemKind(
            "publish_failed",
            503,
            "Queue unavailable",
            "The queue did not accept the message; try again in a few seconds.",
            _RETRY,
        ),
    )
}


class HTTPProblem(HTTPException):
    """A request that gets a problem document as its response.

    It is an HTTPException because FastAPI converts any other exception while a body is read to a plain 400.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] | None = None,
        task_status: TaskStatus | None = None,
        failure: TaskFailure | None = None,
        quota: QuotaExceeded | None = None,
    ) -> None:
        self.kind = KINDS[code]
        super().__init__(self.kind.status, detail or self.kind.detail, {**self.kind.headers, **(headers or {})})
        self.errors = errors
        self.task_status = task_status
        self.failure = failure
        self.quota = quota


def problem_response(scope: Scope, error: HTTPProblem) -> Response:
    """The response with a problem document; stores the code in the scope for the access log."""
    kind = error.kind
    scope[PROBLEM_KEY] = kind.code
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        message=error.detail,
        code=kind.code,
        correlation_id=scope.get(CORRELATION_KEY, ""),
        errors=None if error.errors is None else list(error.errors),
        task_status=error.task_status,
        error=error.failure,
        **({} if error.quota is None else _members(error.quota)),
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=kind.status,
        headers=error.headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _members(error: QuotaExceeded) -> dict[str, Any]:
    return {
        "quota": error.quota,
        "quota_of": error.scope,
        "used": error.used,
        "limit": error.limit,
        "free_at": error.free_at if isinstance(error, QuotaExhausted) else None,
    }
