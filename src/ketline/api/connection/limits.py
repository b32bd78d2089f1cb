"""What the connections of an API process may take of its memory, its descriptors and its time."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of one connection, and of all of them.

    `head_bytes` bounds request line and headers of one request together, `headers` their number; `request_memory_bytes`
    what is held of all requests that are not answered yet. `head_seconds` and `body_seconds` are from the first byte to
    the last, `idle_seconds` from an answer to the next request, `write_seconds` how long a client may read nothing.
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
    """Counts the bytes that are held of requests, over all connections of a process."""

    limit: int
    held: int = field(default=0, init=False)

    def fits(self, size: int) -> bool:
        """Whether so many bytes more are within the limit."""
        return self.held + size <= self.limit

    def hold(self, size: int) -> int:
        """Count so many bytes, and give them back for the caller's own count."""
        self.held += size
        return size

    def release(self, size: int) -> None:
        self.held -= size


@dataclass(slots=True)
class RateLimitedLog:
    """Lets one line through every `seconds`: a flood of connections must not become a flood of lines."""

    seconds: float = 10.0
    _next: float = field(default=0.0, init=False)

    def due(self) -> bool:
        """Whether it is time for another line; the caller writes it."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a process have in common."""

    limits: ConnectionLimits
    memory: RequestMemory
    full: RateLimitedLog = field(default_factory=RateLimitedLog)

    @classmethod
    def of(cls, limits: ConnectionLimits) -> "Shared":
        return cls(limits, RequestMemory(limits.request_memory_bytes))
