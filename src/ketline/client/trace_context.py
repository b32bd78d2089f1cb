"""The trace context of requests: that of the caller's active span, or one that the caller gives.

The drivers of `http.py` send it in the headers of W3C Trace Context. This package never imports OpenTelemetry: where
the caller's program has no span, there is no context to send.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from ketline.client.errors import RequestInvalid

# Source: W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_given: ContextVar[str | None] = ContextVar("ketline_traceparent", default=None)


@contextmanager
def trace_context(traceparent: str) -> Iterator[None]:
    """Send this `traceparent` with all requests of any client in the context, for programs without OpenTelemetry.

    Raises:
        RequestInvalid: it is not a `traceparent` of W3C Trace Context.
    """
    if not _TRACEPARENT.fullmatch(traceparent):
        raise RequestInvalid(
            f"A traceparent is 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, not {traceparent!r}."
        )
    token = _given.set(traceparent)
    try:
        yield
    finally:
        _given.reset(token)


def trace_headers() -> Mapping[str, str]:
    """The headers of a request that is sent now; none if there is no context."""
    if (given := _given.get()) is not None:
        return {"traceparent": given}
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    headers = {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"}
    return {**headers, "tracestate": span.trace_state.to_header()} if span.trace_state else headers
