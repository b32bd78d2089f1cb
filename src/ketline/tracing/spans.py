"""Spans of OpenTelemetry for requests, submissions, messages and lost attempts; `runtime/tracing.py` opens it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import time_ns

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ketline.domain.attempts.claim import Claim, Dispatch, Reaped
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.ports.operations.tracing import AttemptTrace
from ketline.tracing.attempts import AttemptSpans
from ketline.tracing.contexts import attempt_span_id, span_context, traceparent_of
from ketline.tracing.recorder import CORRELATION_ID, TASK_ID, Attributes, Recorder, fail, identity

_W3C = TraceContextTextMapPropagator()


class OpenTelemetryTracing:
    """The `Tracing` of OpenTelemetry."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def now(self) -> int:
        return time_ns()

    def request(self, method: str, headers: Mapping[str, str], correlation_id: str) -> "RequestSpan":
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        # A name until the route is known, and the parts of it that sampling may depend on.
        attributes: Attributes = {"http.request.method": method, CORRELATION_ID: correlation_id}
        context = _W3C.extract(carrier, Context())
        return RequestSpan(self._recorder.start_in(context, method, attributes, time_ns(), SpanKind.SERVER), method)

    def stored(self, submissions: Sequence[Submission], accepted: Sequence[Accepted], started: int) -> None:
        first = submissions[0]
        attributes: dict[str, str | int] = {CORRELATION_ID: first.correlation_id, "ketline.tasks": len(accepted)}
        if len(accepted) == 1:
            attributes[TASK_ID] = str(accepted[0].task_id)
        times = (started, time_ns())
        self._recorder.record("store task", span_context(first.trace_context), attributes, times)

    def publication(self, dispatch: Dispatch) -> "PublicationSpan":
        attributes: Attributes = {
            **identity(dispatch.task_id, dispatch.correlation_id),
            "messaging.operation.type": "send",
            "messaging.destination.name": dispatch.queue.name,
        }
        span = self._recorder.start(
            "publish task",
            span_context(dispatch.trace_context),
            attributes,
            time_ns(),
            kind=SpanKind.PRODUCER,
            trace_id=dispatch.task_id.int,
        )
        return PublicationSpan(span, dispatch)

    def attempt(self, claim: Claim, started: int, message: str | None = None) -> AttemptTrace:
        return AttemptSpans(self._recorder, claim, started, message)

    def reaped(self, task: Reaped) -> None:
        now, parent = time_ns(), span_context(task.trace_context)
        attributes: Attributes = {
            **identity(task.task_id, task.correlation_id),
            "ketline.attempt": task.attempt,
            "ketline.worker_id": task.worker_id,
            "ketline.outcome": "reaped",
            "ketline.status": task.status.value,
        }
        span = self._recorder.start(
            "process task",
            parent,
            attributes,
            now - int(task.held_seconds * 1_000_000_000),
            kind=SpanKind.CONSUMER,
            span_id=attempt_span_id(task.task_id, task.attempt),
            trace_id=task.task_id.int,
        )
        fail(span, task.cause)
        span.end(now)


class RequestSpan:
    """The `RequestTrace` of OpenTelemetry."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method
        self.traceparent = traceparent_of(span.get_span_context())

    @property
    def log_fields(self) -> Mapping[str, str]:
        return {"trace_id": f"{self._span.get_span_context().trace_id:032x}"}

    def about(self, task_id: str) -> None:
        self._span.set_attribute(TASK_ID, task_id)

    def end(self, route: str | None, status: int | None, problem: str | None = None) -> None:
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            fail(self._span, problem or str(status))
        elif problem is not None:
            self._span.set_attribute("error.type", problem)
        self._span.end()


class PublicationSpan:
    """The `PublicationTrace` of OpenTelemetry."""

    def __init__(self, span: Span, dispatch: Dispatch) -> None:
        self._span = span
        self.dispatch = replace(dispatch, trace_context=traceparent_of(span.get_span_context()))

    def end(self, error: str | None = None) -> None:
        if error is not None:
            fail(self._span, "publish_failed", error)
        self._span.end()
