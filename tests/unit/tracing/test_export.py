"""The way to a collector that is down, slow or full: bounded in memory and time, and seldom in the log."""

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from ketline.tracing import TracingOff, open_exporter
from ketline.tracing.export import BATCH_SPANS, CountingProcessor, ReportingExporter


class ScriptedExporter(SpanExporter):
    """Receives batches, each once `release` is set, and gives `result`."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.release = threading.Event()
        self.release.set()
        self.received = 0
        self.entered = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.release.wait(60)
        self.received += len(spans)
        return self.result

    def shutdown(self) -> None:
        self.release.set()


def spans(number: int) -> list[ReadableSpan]:
    return [ReadableSpan(name=str(index)) for index in range(number)]


def test_lost_batches_are_logged_once_and_the_rest_at_the_end() -> None:
    exporter = ReportingExporter(ScriptedExporter(SpanExportResult.FAILURE), lambda: "HTTP status 401")
    with capture_logs() as lines:
        for _ in range(5):
            exporter.export(spans(10))
        exporter.shutdown()
    assert [(line["event"], line["spans"]) for line in lines] == [
        ("tracing.spans_lost", 10),
        ("tracing.spans_lost", 40),
    ]


def test_batches_that_arrive_are_not_logged() -> None:
    exporter = ReportingExporter(ScriptedExporter(), str)
    with capture_logs() as lines:
        exporter.export(spans(10))
        exporter.shutdown()
    assert lines == []


def test_spans_without_room_are_dropped_at_once_and_logged() -> None:
    slow = ScriptedExporter()
    slow.release.clear()
    reporting = ReportingExporter(slow, str)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CountingProcessor(reporting, queue_spans=2 * BATCH_SPANS))
    tracer = provider.get_tracer("test")
    with capture_logs() as lines:
        for _ in range(8 * BATCH_SPANS):
            tracer.start_span("span").end()
        [line] = lines
        assert line["event"] == "tracing.spans_lost"
        slow.release.set()
        provider.shutdown()
    # What the exporter held, and what the queue had room for.
    assert slow.received <= 4 * BATCH_SPANS
    assert sum(line["spans"] for line in lines) >= 4 * BATCH_SPANS


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100000"),
    ],
)
async def test_variable_that_turns_traces_off_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(TracingOff):
        async with open_exporter("http://127.0.0.1:4318/v1/traces", {}):
            pass


async def test_endpoint_that_is_no_url_is_rejected_without_its_text() -> None:
    with pytest.raises(TracingOff) as rejected:
        async with open_exporter("user:hunter2@host:4317", {}):
            pass
    assert "hunter2" not in str(rejected.value)
