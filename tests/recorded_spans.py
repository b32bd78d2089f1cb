"""Tracing whose spans stay in memory."""

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from ketline.tracing.contexts import Ids
from ketline.tracing.recorder import Recorder
from ketline.tracing.spans import OpenTelemetryTracing

TRACE_ID, CALLER_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{CALLER_ID}-01"


class Recorded:
    """A `tracing`, and the spans that it has made."""

    def __init__(self) -> None:
        ids, self._exporter = Ids(), InMemorySpanExporter()
        provider = TracerProvider(sampler=DEFAULT_ON, id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = OpenTelemetryTracing(Recorder(provider.get_tracer("test"), ids))

    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def by_name(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.spans()}


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"
