"""The problems of the API: a table of codes with their HTTP statuses, and problem documents made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ketline.domain.task import TaskStatus
from ketline.schemas.tasks import FieldError, Problem, TaskFailure

PROBLEM_MEDIA_TYPE = "application/problem+json"
CORRELATION_KEY = "ketline.correlation_id"
PROBLEM_KEY = "ketline.problem"
HEAD_KEY = "ketline.head"
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
KINDS: Mapping[str, ProblemKind] = {
    kind.code: kind
    for kind in (
        ProblemKind("bad_request", 400, "Bad request", "The request cannot be read."),
        ProblemKind(
            "cross_site_refused",
            403,
            "Sent by another site",
            "A page of another site sent this request: open Ketline's own page, and send it from there.",
        ),
        ProblemKind("task_not_found", 404, "Task not found", "The task was not found."),
        ProblemKind("path_not_found", 404, "Nothing here", "This path was not found; /docs lists all that exist."),
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
        ProblemKind("result_not_ready", 409, "Result not ready", "The task has not ended yet; ask again later."),
        ProblemKind("task_failed", 409, "Task failed", "The task failed and has no counts; `error` says why."),
        ProblemKind("task_ended", 409, "Task ended", "The task has ended; `task_status` says how."),
        ProblemKind(
            "task_not_pending",
            409,
            "Task not pending",
            "The task is not pending any more; `task_status` says what it is.",
        ),
        ProblemKind(
            "task_not_held",
            409,
            "Task not held",
            "The task was not submitted with `hold`: it runs without being released.",
        ),
        ProblemKind(
            "task_not_ended", 409, "Task not ended", "Only a task that has ended can be deleted; cancel it first."
        ),
        ProblemKind("task_cancelled", 409, "Task cancelled", "The task was cancelled and has no counts."),
        ProblemKind(
            "no_memory",
            409,
            "No shots kept",
            'The outcomes of single shots were not kept; submit with "memory": true to have them.',
        ),
        ProblemKind(
            "no_counts", 409, "No counts", "The task was submitted with observables: it has `expectation_values`."
        ),
        ProblemKind("not_acceptable", 406, "Not acceptable", "This is not there in any form the Accept header names."),
        ProblemKind(
            "range_not_satisfiable",
            416,
            "Range not satisfiable",
            "The range lies beyond the end; Content-Range tells it.",
        ),
        ProblemKind(
            "circuit_unreadable", 409, "Circuit unreadable", "The task's program cannot be read; `error` says why."
        ),
        ProblemKind(
            "drawing_too_large",
            409,
            "Drawing too large",
            "The circuit is too large to be shown so; format=flat holds most.",
        ),
        ProblemKind("program_too_large", 413, "Program too large", "The program is larger than this service accepts."),
        ProblemKind(
            "body_too_large",
            413,
            "Request body too large",
            "The request body is larger than any acceptable program needs; it was not read to its end.",
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
        ProblemKind("qpy_invalid", 422, "Invalid QPY", "`qpy` is not a QPY file of one circuit in base64."),
        ProblemKind(
            "qpy_version_unsupported",
            422,
            "QPY version not supported",
            "`qpy` is of a version that this service does not read: write it with one of 13 to 18.",
        ),
        ProblemKind(
            "field_read_only", 422, "Field read-only", "The field is the service's own; `errors` lists each such field."
        ),
        ProblemKind(
            "unknown_cursor",
            422,
            "Unknown cursor",
            "The cursor is not one of this list: use `next` as it is, or begin again without a cursor.",
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
            "As many tasks are waiting as this service takes; submit again later.",
            {"Retry-After": "5"},
        ),
        ProblemKind(
            "host_not_allowed",
            421,
            "Not a name of this service",
            "The Host header names another service; add it to KETLINE_ALLOWED_HOSTS if it is one of this one's names.",
        ),
        ProblemKind(
            "headers_too_large",
            431,
            "Request headers too large",
            "Request line and headers may have 65,536 bytes together, and be 256 headers: send fewer or shorter ones.",
            _CLOSE,
        ),
        ProblemKind("internal_error", 500, "Internal error", "Something went wrong here; quote the correlation id."),
        ProblemKind("service_unavailable", 503, "Service unavailable", "Try again in a few seconds.", _RETRY),
        ProblemKind(
            "too_many_connections",
            503,
            "Too many connections",
            "As many connections are open as this process takes: use one for many requests, or try again soon.",
            {**_CLOSE, **_RETRY},
        ),
        ProblemKind(
            "request_memory_full",
            503,
            "Too many requests arriving",
            "The requests that are arriving take all the memory there is for them; try again soon.",
            {**_CLOSE, **_RETRY},
        ),
        ProblemKind(
            "inspector_busy",
            503,
            "Too many programs being read",
            "Other programs are being read; try again soon.",
            _RETRY,
        ),
        ProblemKind(
            "database_unavailable",
            503,
            "Database unavailable",
            "The database does not answer; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_access_denied",
            503,
            "Database refuses access",
            "The database refuses the service's login, or lacks a permission; whoever runs it has to mend that.",
            _RETRY,
        ),
        ProblemKind(
            "database_read_only",
            503,
            "Database read-only",
            "The database takes no writes now; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "database_full",
            503,
            "Database full",
            "The database's disk is full; whoever runs the service has to make room.",
            _RETRY,
        ),
        ProblemKind(
            "database_file_lost",
            503,
            "Database file lost",
            "The service's data directory was moved, deleted or damaged; nothing is stored until it is back.",
            _RETRY,
        ),
        ProblemKind(
            "database_not_migrated",
            503,
            "Database not migrated",
            "The database does not have the schema of this version; whoever runs the service has to migrate it.",
            _RETRY,
        ),
        ProblemKind(
            "database_connections_exhausted",
            503,
            "No database connection",
            "The database lets no more clients in; try again in a few seconds.",
            _RETRY,
        ),
        ProblemKind(
            "queue_unavailable", 503, "Queue unavailable", "The queue does not answer; try again soon.", _RETRY
        ),
        ProblemKind("publish_failed", 503, "Queue unavailable", "The queue took no message; try again soon.", _RETRY),
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
    ) -> None:
        self.kind = KINDS[code]
        super().__init__(self.kind.status, detail or self.kind.detail, {**self.kind.headers, **(headers or {})})
        self.errors = errors
        self.task_status = task_status
        self.failure = failure


def problem_response(scope: Scope, error: HTTPProblem) -> Response:
    """The response with a problem document; stores the code in the scope for the access log."""
    kind = error.kind
    scope[PROBLEM_KEY] = kind.code
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        code=kind.code,
        correlation_id=scope.get(CORRELATION_KEY, ""),
        errors=None if error.errors is None else list(error.errors),
        task_status=error.task_status,
        error=error.failure,
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=kind.status,
        headers=error.headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )
