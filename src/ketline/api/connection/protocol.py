"""The HTTP/1.1 protocol of a connection, with limits on the size and the time of requests and on connections.

`cli/server/http.py` has uvicorn use it.

It extends uvicorn's protocol for httptools, which has no such limits, by overriding its callbacks.

Source: RFC 9110, section 15.5.9 (408); RFC 6585, section 5 (431); RFC 9112, section 9.6 (closing a connection).
"""

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Any, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ketline.api.connection.deadline import Deadline
from ketline.api.connection.limits import SharedState
from ketline.api.connection.rejection import LingeringTransport, rejection
from ketline.api.responses.errors import REJECTION_KEY

log = structlog.get_logger()

# Memory of a header besides its characters: two bytes objects, a tuple, and an item of a list. It is counted only for
# requests with more headers than browsers send.
HEADER_OVERHEAD_BYTES = 150
USUAL_HEADERS = 32
# Time and bytes that a client has to read a response that it got while it was still sending.
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 1024 * 1024
# This many connections beyond the limit get a response at a time; further ones are closed without one.
MAX_REJECTED_AT_ONCE = 64


class _Phase(Enum):
    """The part of a request that is arriving."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class BoundedConnection(HttpToolsProtocol):
    """One HTTP/1.1 connection of a client; all its methods run in the thread of the event loop."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: SharedState,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = shared
        self._limits = shared.limits
        self._phase = _Phase.NOTHING
        self._received = 0
        self._head_bytes = 0
        self._head_fits = False
        self._heads_begun = 0
        self._rejection = "bad_request"
        # Once True, arriving bytes are dropped.
        self._discarding = False
        self._discarded = 0
        # The requests without a complete response, in the order of arrival, and the bytes in memory of each.
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._held: deque[int] = deque()
        self._deadline = Deadline(self.loop, self._on_deadline)
        self._write_timer: asyncio.TimerHandle | None = None

    # Callbacks of the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        over = len(self.connections) - self._limits.connections
        if over <= 0:
            self._deadline.set(self._limits.head_seconds)
            return
        if self._shared.rejection_log.due():
            log.warning("http.too_many_connections", limit=self._limits.connections)
        if over <= MAX_REJECTED_AT_ONCE:
            self._reject("too_many_connections")
        else:
            self._shared.on_rejection("too_many_connections")
            self._discarding = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._unset_keepalive_if_required()
        self._shared.memory.release(sum(self._held))
        self._held.clear()
        # uvicorn reports the disconnect only to the last of several pipelined requests.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self._unanswered.clear()
        self.pipeline.clear()
        self._discarding = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.abort()
            return
        size = len(data)
        self._received = size
        self._heads_begun = 0
        # A head within these bytes cannot be too large, so it need not be measured.
        self._head_fits = self._phase is not _Phase.HEAD and size <= self._limits.head_bytes
        fresh = self._phase is _Phase.NOTHING
        super().data_received(data)
        if self._held:
            self._hold(size)
        if self._phase is not _Phase.NOTHING or not self._unanswered:
            self._await_more(size, fresh=fresh)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._heads_begun += 1
        self._held.append(0)

    def on_headers_complete(self) -> None:
        headers = len(self.headers)
        if headers > self._limits.headers or not (
            self._head_fits or self._parsed_head_bytes() <= self._limits.head_bytes
        ):
            raise self._rejection_error("headers_too_large")
        if not self._shared.memory.fits(self._received):
            raise self._rejection_error("request_memory_full")
        if headers > USUAL_HEADERS:
            self._held[-1] += self._shared.memory.hold(HEADER_OVERHEAD_BYTES * headers)
        self._phase = _Phase.BODY
        self._deadline.clear()
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def on_message_complete(self) -> None:
        self._phase = _Phase.NOTHING
        if self._heads_begun == 0:  # otherwise it came in one piece, and no deadline was set
            self._deadline.clear()
        super().on_message_complete()

    # Callbacks of responses

    def on_response_complete(self) -> None:
        if self._unanswered:
            self._unanswered.popleft()
            self._shared.memory.release(self._held.popleft())
        super().on_response_complete()
        if self.transport.is_closing():
            self._discarding = True
            self._deadline.set(self._limits.write_seconds)
        elif self._phase is not _Phase.NOTHING:
            # uvicorn starts its keep-alive timeout here, although a part of the next request has arrived.
            self._unset_keepalive_if_required()
            if self._phase is _Phase.HEAD and not self._unanswered:
                self._deadline.set(self._limits.head_seconds)

    def send_400_response(self, msg: str) -> None:
        """Reject a request that cannot be parsed or that a callback rejected; called by uvicorn."""
        self._reject(self._rejection)

    # Arriving requests

    def _parsed_head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _await_more(self, received: int, *, fresh: bool) -> None:
        if self._discarding:
            return
        if self._phase is _Phase.HEAD:
            self._await_head(received, fresh=fresh)
        elif self._phase is _Phase.BODY:
            self._await_body()
        elif not self._unanswered and not self._deadline.is_set:
            # Only line ends came, which are permitted between requests; they cancelled uvicorn's keep-alive timeout.
            self._deadline.set(self._limits.idle_seconds)

    def _await_head(self, received: int, *, fresh: bool) -> None:
        if self._heads_begun == 0:
            self._head_bytes += received
        elif fresh and self._heads_begun == 1:
            self._head_bytes = received
        else:
            # The head began within these bytes; what the parser still buffers is counted with the next bytes.
            self._head_bytes = self._parsed_head_bytes()
        if self._head_bytes > self._limits.head_bytes or len(self.headers) > self._limits.headers:
            self._reject("headers_too_large")
        elif not self._deadline.is_set or self._heads_begun:
            self._deadline.set(self._limits.head_seconds)

    def _await_body(self) -> None:
        if not self._deadline.is_set:
            self._deadline.set(self._limits.body_seconds)
            self.cycle.transport = cast("asyncio.Transport", LingeringTransport(self.transport, self._linger))

    def _hold(self, size: int) -> None:
        """Count the bytes of the newest request; reject it if they exceed the limit and it is incomplete."""
        memory = self._shared.memory
        fits = memory.fits(size)
        self._held[-1] += memory.hold(size)
        if fits or self._discarding:
            return
        if self._phase is _Phase.HEAD:
            self._reject("request_memory_full")
        elif self._phase is _Phase.BODY:
            self._reject_body("request_memory_full")

    # Rejections

    def _rejection_error(self, code: str) -> httptools.HttpParserError:
        self._rejection = code
        return httptools.HttpParserError(code)

    def _reject(self, code: str) -> None:
        """Send a problem document and close the connection."""
        if self._discarding:
            return
        self._discarding = True
        self._deadline.clear()
        if self._unanswered:
            # A response is being sent, and another one would corrupt it: close after it instead.
            self._unanswered[-1].keep_alive = False
            return
        self._shared.on_rejection(code)
        log.info("http.rejected", problem=code, client=self.client and self.client[0])
        self.transport.write(rejection(code, self.server_state.default_headers))
        self._linger()

    def _reject_body(self, code: str) -> None:
        """Let the application send the problem for a request whose body is late or too large for the memory."""
        self._discarding = True
        self.cycle.keep_alive = False
        self.cycle.scope["state"][REJECTION_KEY] = code
        self.cycle.message_event.set()
        self._deadline.set(LINGER_SECONDS)

    def _linger(self) -> None:
        """Close the connection after the client had time to read the response.

        If it were closed at once while the client still sends, the client's system would discard the response.
        """
        if self.transport.is_closing():
            return
        self._discarding = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline.set(LINGER_SECONDS)

    # Time

    def _on_deadline(self) -> None:
        if self._discarding:
            self.transport.abort()
        elif self._phase is _Phase.BODY:
            self._on_body_deadline()
        elif self._unanswered:
            return  # The end of the last response sets the next deadline.
        elif self._phase is _Phase.HEAD:
            self._reject("request_timeout")
        else:
            self.transport.close()

    def _on_body_deadline(self) -> None:
        if self.cycle.response_complete:
            self._linger()
        elif self.flow.read_paused or self.cycle.response_started:
            self._deadline.set(self._limits.body_seconds)  # The application, not the client, delays the body.
        else:
            self._reject_body("request_timeout")

    def _watch_writing(self, before: int | None = None) -> None:
        """Abort a connection whose client has read nothing for `write_seconds`."""
        left = self.transport.get_write_buffer_size()
        if before is not None and left >= before:
            log.debug("http.write_timeout", client=self.client and self.client[0])
            self.transport.abort()
            return
        self._write_timer = self.loop.call_later(self._limits.write_seconds, self._watch_writing, left)
