"""An OpenTelemetry collector on loopback that keeps the spans it receives, over OTLP with HTTP and protobuf."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

PATIENCE_SECONDS = 120.0
Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span as it arrived; ids are in hexadecimal, `links` has the ids of spans, and times are nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    started: int
    ended: int
    failed: bool
    attributes: Mapping[str, Attribute]
    links: Sequence[str]
    resource: Mapping[str, Attribute]


class Collector:
    """What a collector on `port` has received."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests = 0
        self._spans: list[Span] = []
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of a service that sends its traces here soon after they are made."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def receive(self, body: bytes) -> None:
        """Keep the spans of a request; called in threads of the server."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._changed:
            self.requests += 1
            for resource_spans in request.resource_spans:
                resource = {entry.key: _value(entry.value) for entry in resource_spans.resource.attributes}
                for scope_spans in resource_spans.scope_spans:
                    self._spans += [_span(span, resource) for span in scope_spans.spans]
            self._changed.notify_all()

    def spans(self) -> list[Span]:
        with self._changed:
            return list(self._spans)

    def until(self, found: Callable[[Sequence[Span]], bool]) -> list[Span]:
        """All spans once this is true of them; blocks the thread, so run it in another one than that of a loop."""
        with self._changed:
            if not self._changed.wait_for(lambda: found(self._spans), PATIENCE_SECONDS):
                raise AssertionError(f"not within {PATIENCE_SECONDS:g} s: {[span.name for span in self._spans]}")
            return list(self._spans)


@contextmanager
def open_collector(*, keep: bool = True) -> Iterator[Collector]:
    """Serve a collector on a free port; without `keep` it throws away what it receives."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known = self.path == "/v1/traces"
            if known and keep:
                collector.receive(body)
            self.send_response(200 if known else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(server.server_address[1])
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()


def _span(span: ProtoSpan, resource: Mapping[str, Attribute]) -> Span:
    return Span(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes={entry.key: _value(entry.value) for entry in span.attributes},
        links=[link.span_id.hex() for link in span.links],
        resource=resource,
    )


def _value(value: AnyValue) -> Attribute:
    found: Attribute = getattr(value, value.WhichOneof("value") or "string_value")
    return found
