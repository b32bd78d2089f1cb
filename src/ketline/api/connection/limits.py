"""Limits of the connections of an API process: memory, number, and times; `protocol.py` enforces them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of one connection, and of all connections together.

    `head_bytes`: request line and headers of one request. `headers`: their number. `request_memory_bytes`: memory of
    all requests without a response yet. `head_seconds` and `body_seconds`: from the first byte to the last.
    `idle_seconds`: from a response to the next request. `write_seconds`: how long a client may read nothing.
    """

    head_bytes: int = 64 * 1024
    headers: int = 256
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    write_seconds: float = 60.0
    connections: int = 8192
    request_memory_bytes: int = 256 * 1024 * 1024


@dataclass(slots=True)
class RequestMemory:
    """Counts the bytes of requests in memory, over all connections of a process."""

    limit: int
    held: int = field(default=0, init=False)

    def fits(self, size: int) -> bool:
        """Whether this many more bytes are within the limit."""
        return self.held + size <= self.limit

    def hold(self, size: int) -> int:
        """Count this many bytes, and return the number for the caller's own count."""
        self.held += size
        return size

    def release(self, size: int) -> None:
        """Stop counting this many bytes."""
        self.held -= size


@dataclass(slots=True)
class RateLimitedLog:
    """Permits one log line every `seconds`, so that many connections do not cause many lines."""

    seconds: float = 10.0
    _next: float = field(default=0.0, init=False)

    def due(self) -> bool:
        """Whether the caller may write a line now."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


@dataclass(frozen=True, slots=True)
class SharedState:
    """The state that all connections of a process share."""

    limits: ConnectionLimits
    memory: RequestMemory
    rejection_log: RateLimitedLog = field(default_factory=RateLimitedLog)
    # Called with the code of each rejection.
    on_rejection: Callable[[str], None] = lambda _code: None

    @classmethod
    def of(cls, limits: ConnectionLimits, on_rejection: Callable[[str], None] = lambda _code: None) -> "SharedState":
        """The shared state of a process with these limits."""
        return cls(limits, RequestMemory(limits.request_memory_bytes), on_rejection=on_rejection)
