"""Sends spans to a collector over OTLP, in a thread and in bounded batches; `runtime/tracing.py` opens it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from threading import Thread
from time import monotonic

import structlog
from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ketline.tracing.contexts import Ids
from ketline.tracing.recorder import Recorder
from ketline.tracing.session import ObservedSession
from ketline.tracing.spans import OpenTelemetryTracing

log = structlog.get_logger()

PROTOCOL = "http/protobuf"
FLUSH_SECONDS = 5.0
# About 10 MB. OpenTelemetry's default is a second of a busy service.
QUEUE_SPANS = 4096
BATCH_SPANS = 512
SECONDS_BETWEEN_LINES = 600.0


class TracingOff(Exception):
    """Spans cannot be sent, or are not to be; the message says why."""


@asynccontextmanager
async def open_exporter(
    endpoint: str, resource: Mapping[str, str], *, flush_seconds: float = FLUSH_SECONDS
) -> AsyncIterator[OpenTelemetryTracing]:
    """Send the spans that are made while the context is open to the traces endpoint of a collector.

    `resource` describes this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override it; OTEL_TRACES_SAMPLER,
    OTEL_BSP_* and OTEL_EXPORTER_OTLP_* apply too. Leaving the context waits up to `flush_seconds` for the last batch.

    Raises:
        TracingOff: the endpoint or one of the variables cannot be used, or a variable turns tracing off.
    """
    _require_usable(endpoint)
    ids = Ids()
    try:
        provider = TracerProvider(
            resource=Resource.create(dict(resource)).merge(OTELResourceDetector().detect()),
            id_generator=ids,
            shutdown_on_exit=False,
        )
        session = ObservedSession()
        exporter = ReportingExporter(OTLPSpanExporter(endpoint=endpoint, session=session), lambda: session.outcome)
        provider.add_span_processor(CountingProcessor(exporter, _queue_spans()))
    except (ValueError, OSError) as error:
        raise TracingOff(f"a variable OTEL_* cannot be used: {error}") from error
    try:
        yield OpenTelemetryTracing(Recorder(provider.get_tracer("ketline"), ids))
    finally:
        await _shut_down(provider, flush_seconds)


class ReportingExporter(SpanExporter):
    """Passes batches on to another exporter, and logs seldom how many spans were lost.

    `outcome` says how its last request ended.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        outcome: Callable[[], str],
        seconds_between_lines: float = SECONDS_BETWEEN_LINES,
    ) -> None:
        self._exporter = exporter
        self._outcome = outcome
        self._seconds_between_lines = seconds_between_lines
        self._logged_at: float | None = None
        self._lost = 0
        self.received = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; called in the thread of the processor."""
        self.received += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.lose(len(spans), f"the collector does not accept them: {self._outcome()}")
        return result

    def lose(self, spans: int, reason: str) -> None:
        """Count lost spans, and log them unless the last such line is recent."""
        self._lost += spans
        if self._logged_at is None or monotonic() - self._logged_at >= self._seconds_between_lines:
            self._log(reason)

    def shutdown(self) -> None:
        self._exporter.shutdown()
        if self._lost:
            self._log("lost since the last line")

    def _log(self, reason: str) -> None:
        log.warning("tracing.spans_lost", spans=self._lost, reason=reason)
        self._logged_at, self._lost = monotonic(), 0


class CountingProcessor(BatchSpanProcessor):
    """Keeps up to `queue_spans` spans for an exporter, and reports those for which there was no room."""

    def __init__(self, exporter: ReportingExporter, queue_spans: int) -> None:
        super().__init__(exporter, max_queue_size=queue_spans)
        self._reporting = exporter
        # A batch on its way from the queue to the exporter is in neither.
        self._most_elsewhere = queue_spans + BATCH_SPANS
        self._ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(span)
        self._ended += 1
        if self._ended % BATCH_SPANS == 0:
            missing = self._ended - self._reporting.received - self._most_elsewhere
            if missing > 0:
                self._ended -= missing
                self._reporting.lose(missing, "spans are made faster than the collector accepts them")


def _require_usable(endpoint: str) -> None:
    if os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        raise TracingOff("OTEL_SDK_DISABLED is true")
    if (exporter := os.environ.get(OTEL_TRACES_EXPORTER) or "otlp") != "otlp":
        raise TracingOff(f"OTEL_TRACES_EXPORTER is {exporter}, not otlp")
    protocol = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL) or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    if (protocol or PROTOCOL) != PROTOCOL:
        raise TracingOff(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; only {PROTOCOL} is supported")
    # The text of the URL may have a password.
    if not endpoint.startswith(("http://", "https://")):
        raise TracingOff("the endpoint is not an http:// or https:// URL")


def _queue_spans() -> int:
    """The size of the queue, as OpenTelemetry's variable or else this module says."""
    given = os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, "")
    return int(given) if given.isdigit() and int(given) >= BATCH_SPANS else QUEUE_SPANS


async def _shut_down(provider: TracerProvider, seconds: float) -> None:
    """Send what waits, in a daemon thread: its own time limit is longer than a process may take to end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done.set)

    Thread(target=shut_down, name="tracing shutdown", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        log.warning("tracing.flush_incomplete", seconds=seconds)
