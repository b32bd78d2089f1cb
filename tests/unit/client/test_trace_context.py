"""The trace context that clients send: of the caller's span or as given, and none where there is none."""

import httpx
import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, use_span

from ketline.client import AsyncClient, Client, RequestInvalid, trace_context

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def echo(request: httpx.Request) -> httpx.Response:
    """A service whose principals are the trace headers of the request."""
    sent = {name: request.headers.get(name) for name in ("traceparent", "tracestate")}
    return httpx.Response(200, json=sent)


def caller(state: TraceState | None = None) -> NonRecordingSpan:
    ids = int(TRACE_ID, 16), int(SPAN_ID, 16)
    return NonRecordingSpan(SpanContext(*ids, is_remote=False, trace_flags=TraceFlags(1), trace_state=state))


def headers_of_a_call() -> dict[str, str | None]:
    with Client("http://host", transport=httpx.MockTransport(echo)) as client:
        found: dict[str, str | None] = client.usage()  # type: ignore[assignment]
        return found


def test_active_span_of_the_caller_is_sent() -> None:
    with use_span(caller(TraceState([("vendor", "1")]))):
        assert headers_of_a_call() == {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}


def test_without_a_span_nothing_is_sent() -> None:
    assert headers_of_a_call() == {"traceparent": None, "tracestate": None}


def test_given_context_is_sent_also_within_a_span() -> None:
    given = f"00-{'a' * 32}-{'b' * 16}-01"
    with use_span(caller()), trace_context(given):
        assert headers_of_a_call() == {"traceparent": given, "tracestate": None}


async def test_client_with_asyncio_sends_it_too() -> None:
    async with AsyncClient("http://host", transport=httpx.MockTransport(echo)) as client:
        with trace_context(TRACEPARENT):
            assert (await client.usage())["traceparent"] == TRACEPARENT


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{'0' * 32}-{SPAN_ID}-01", TRACEPARENT + "\n"])
def test_malformed_context_is_rejected_where_it_is_given(given: str) -> None:
    with pytest.raises(RequestInvalid, match="traceparent"), trace_context(given):
        pass
