"""Starts spans with the attributes that all of them have; the other modules of this package make theirs with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

from ketline.domain.ids import CorrelationId, TaskId
from ketline.tracing.contexts import Ids, parent_context

Attributes = Mapping[str, str | int | float | bool]

TASK_ID, CORRELATION_ID = "ketline.task_id", "ketline.correlation_id"


def identity(task_id: TaskId, correlation_id: CorrelationId) -> Attributes:
    """The attributes by which a task and its log lines are found."""
    return {TASK_ID: str(task_id), CORRELATION_ID: correlation_id}


@dataclass(frozen=True, slots=True)
class Recorder:
    """Starts and ends spans; `ids` is the generator of the tracer."""

    tracer: Tracer
    ids: Ids

    def start(
        self,
        name: str,
        parent: SpanContext | None,
        attributes: Attributes,
        started: int,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[SpanContext] = (),
        span_id: int | None = None,
        trace_id: int | None = None,
    ) -> Span:
        """Start a span; `trace_id` is that of a span without a parent."""
        return self.start_in(
            parent_context(parent), name, attributes, started, kind, links, span_id=span_id, trace_id=trace_id
        )

    def start_in(
        self,
        context: Context,
        name: str,
        attributes: Attributes,
        started: int,
        kind: SpanKind,
        links: Sequence[SpanContext] = (),
        *,
        span_id: int | None = None,
        trace_id: int | None = None,
    ) -> Span:
        """Start a span in a context."""
        self.ids.set_next(trace_id, span_id)
        return self.tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=[Link(link) for link in links],
            start_time=started,
        )

    def record(
        self,
        name: str,
        parent: SpanContext | None,
        attributes: Attributes,
        times: tuple[int, int],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        trace_id: int | None = None,
    ) -> None:
        """Record a span that has ended; `times` are its start and its end."""
        self.start(name, parent, attributes, times[0], kind=kind, trace_id=trace_id).end(times[1])


def fail(span: Span, code: str, description: str | None = None) -> None:
    """Mark a span as failed."""
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR, description))
