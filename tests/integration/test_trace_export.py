"""The end of a process whose collector does not answer."""

import socket
import time

from structlog.testing import capture_logs

from ketline.tracing import open_exporter


async def test_leaving_waits_for_a_silent_collector_no_longer_than_it_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, capture_logs() as lines:
        port = silent.getsockname()[1]
        async with open_exporter(f"http://127.0.0.1:{port}/v1/traces", {}, flush_seconds=0.1) as tracing:
            tracing.request("GET", {}, "order-42").end("/tasks", 200)
            left = time.monotonic()
        seconds = time.monotonic() - left
    assert [line["event"] for line in lines] == ["tracing.flush_incomplete"]
    # The exporter's own limit is 10 s for each attempt.
    assert seconds < 5
