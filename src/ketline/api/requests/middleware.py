"""ASGI middleware around every request: correlation id, trace, access log, response to crashes, limit of the body."""

import re
from dataclasses import dataclass, field
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ketline.api.responses.errors import (
    AUTHENTICATION_PROBLEMS,
    CORRELATION_KEY,
    HEAD_KEY,
    PROBLEM_KEY,
    RATE_KEY,
    REJECTION_KEY,
    HTTPProblem,
    problem_response,
)
from ketline.api.services import TRACE_KEY
from ketline.domain.operations import metrics as table
from ketline.ports.operations.metrics import Metrics
from ketline.ports.operations.tracing import NO_REQUEST, NO_TRACING, RequestTrace, Tracing

CORRELATION_HEADER = "X-Correlation-ID"
_ACCEPTABLE_ID = re.compile(r"[\x20-\x7e]{1,128}")
_QUIET_PATHS = frozenset({"/health", "/livez", "/metrics", "/readyz"})
# Probes and static files would be most of all traces.
_UNTRACED_PATHS = _QUIET_PATHS
_UNTRACED_PREFIX = "/ui/assets/"
# Methods that routes have; clients may send any other word.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER = "other"
_MAX_LOGGED_PATH_CHARACTERS = 256
# A key or the token of a session that a client wrote into the path by mistake.
_SECRET = re.compile(rb"kt[ls]_[0-9A-Za-z_-]+")
# The default where a route sets no cache control: no shared cache may store the response, which another sender
# may not see.
_OF_THE_SENDER = ((b"cache-control", b"private, no-cache"),)

_log = structlog.get_logger()


def choose_correlation_id(offered: str | None) -> str:
    """The caller's id if it is printable ASCII of at most 128 characters and not blank, else a new one."""
    if offered and offered.strip() and _ACCEPTABLE_ID.fullmatch(offered):
        return offered
    return uuid4().hex


@dataclass(slots=True)
class _Exchange:
    """One request and the status of its response, for the access log and the metrics."""

    method: str
    scope: Scope
    send: Send
    trace: RequestTrace
    status: int | None = None
    aborted: bool = False
    started: float = field(default_factory=perf_counter)
    responded: float | None = None

    async def send_logged(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.responded = perf_counter()
            correlation_id = self.scope[CORRELATION_KEY].encode("ascii")
            headers = message.get("headers", ())
            message["headers"] = [
                *headers,
                (CORRELATION_HEADER.lower().encode("ascii"), correlation_id),
                (b"x-content-type-options", b"nosniff"),
                *(() if any(name == b"cache-control" for name, _ in headers) else _OF_THE_SENDER),
                *self.scope.get(RATE_KEY, ()),
            ]
        elif message["type"] == "http.response.body" and self.method == "HEAD":
            message = {**message, "body": b""}
        await self.send(message)

    def log(self) -> None:
        line = {
            "method": self.method,
            "path": _loggable_path(self.scope),
            "status": self.status,
            "duration_ms": round((perf_counter() - self.started) * 1000, 2),
        }
        if PROBLEM_KEY in self.scope:
            line["problem"] = self.scope[PROBLEM_KEY]
        write = _log.debug if self.scope["path"] in _QUIET_PATHS else _log.info
        write("http.aborted" if self.aborted else "http.request", **line)

    def end_trace(self) -> None:
        if (task_id := self.scope.get("path_params", {}).get("task_id")) is not None:
            self.trace.about(str(task_id))
        problem = "aborted" if self.aborted else self.scope.get(PROBLEM_KEY)
        self.trace.end(_template(self.scope), self.status, problem)

    def count(self, metrics: Metrics) -> None:
        method = self.method if self.method in _METHODS else _OTHER
        route = _template(self.scope) or _OTHER
        metrics.count(table.REQUESTS, method, route, "aborted" if self.status is None else str(self.status))
        if self.responded is not None:
            metrics.observe(table.REQUEST_DURATION, self.responded - self.started, method, route)
        problem = self.scope.get(PROBLEM_KEY)
        if problem is not None:
            metrics.count(table.PROBLEMS, problem)
            if problem in AUTHENTICATION_PROBLEMS:
                metrics.count(table.AUTHENTICATION_REFUSALS, problem)


class RequestContext:
    """Gives every request a correlation id, a trace, a line in the access log and, after a crash, the status 500.

    It also counts the request. It serves HEAD as GET without the body, so that routes need not handle HEAD.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracing: Tracing = NO_TRACING) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation_id = choose_correlation_id(headers.get(CORRELATION_HEADER))
        method = scope["method"]
        head = method == "HEAD"
        trace = self._trace(method, scope["path"], headers, correlation_id)
        scope = {
            **scope,
            CORRELATION_KEY: correlation_id,
            TRACE_KEY: trace,
            HEAD_KEY: head,
            "method": "GET" if head else method,
        }
        exchange = _Exchange(method, scope, send, trace)
        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, **trace.log_fields):
            try:
                await self._serve(exchange, receive)
            finally:
                exchange.log()
                exchange.count(self._metrics)
                exchange.end_trace()

    def _trace(self, method: str, path: str, headers: Headers, correlation_id: str) -> RequestTrace:
        if path in _UNTRACED_PATHS or path.startswith(_UNTRACED_PREFIX):
            return NO_REQUEST
        # As OpenTelemetry's conventions name the methods that no route has.
        known = method if method in _METHODS else "_OTHER"
        return self._tracing.request(known, headers, correlation_id)

    async def _serve(self, exchange: _Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send_logged)
        except ClientDisconnect:
            exchange.aborted = True  # the client closed the connection: there is no one to respond to
        except Exception:
            _log.exception("http.failed", method=exchange.method, path=_loggable_path(exchange.scope))
            if exchange.status is not None:
                # The response has begun: only closing the connection shows the client that it is incomplete.
                raise
            response = problem_response(exchange.scope, HTTPProblem("internal_error"))
            await response(exchange.scope, receive, exchange.send_logged)


class BodyLimit:
    """Rejects bodies of more than `max_bytes`: by their Content-Length, or as soon as more bytes have arrived.

    It also rejects a body that `api.connection` rejected because it is too slow or does not fit into memory.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._declares_too_many_bytes(Headers(scope=scope)):
            await problem_response(scope, HTTPProblem("body_too_large"))(scope, receive, send)
            return
        await self._app(scope, self._limited(scope, receive), send)

    def _declares_too_many_bytes(self, headers: Headers) -> bool:
        declared = headers.get("content-length", "")
        return declared.isdigit() and (len(declared) > 18 or int(declared) > self._max_bytes)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        received = 0
        state = scope.get("state", {})

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if REJECTION_KEY in state:
                raise HTTPProblem(state[REJECTION_KEY])
            if received > self._max_bytes:
                raise HTTPProblem("body_too_large")
            return message

        return limited


def _template(scope: Scope) -> str | None:
    template = getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else None


def _loggable_path(scope: Scope) -> str:
    """The route's template, or the raw path; that is percent-encoded, so it cannot forge log lines."""
    if (template := _template(scope)) is not None:
        return template
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    return _SECRET.sub(b"...", raw[:_MAX_LOGGED_PATH_CHARACTERS]).decode("ascii", "backslashreplace")
