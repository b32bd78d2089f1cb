"""Broadcasts for `GET /tasks/events`: the events of the tasks with some tags, encoded once for all their clients.

The clients of a broadcast share a short list of batches, in which each has a position. A client that falls behind the
first batch is disconnected; it reconnects and continues after its last event.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass

import structlog
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.tasks.events import PING_SECONDS, write_event
from ketline.domain.tasks.task import TaskLine

log = structlog.get_logger()

# Changes within this time are read as one batch. It grows with the listeners, because each batch is a write to each.
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
# How far a listener may be behind the others.
MAX_HELD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BroadcastOptions:
    """How long changes are gathered, the pause after a database error, and the size of a broadcast's list of batches.

    After `ping_seconds` without an event a broadcast publishes a ping.
    """

    gather_seconds: float = GATHER_SECONDS
    retry_seconds: float = RETRY_SECONDS
    held_bytes: int = MAX_HELD_BYTES
    ping_seconds: float = PING_SECONDS


class Broadcast:
    """The events of all tasks with some tags, for all listeners with these tags.

    `position` is the number of batches so far; the list has those from `_first` on.
    """

    def __init__(self, tags: frozenset[str], options: BroadcastOptions) -> None:
        self.tags = tags
        self._options = options
        self._batches: deque[bytes] = deque()
        self._held = 0
        self._first = 0
        self._changed = asyncio.Event()
        self.listeners = 0
        self._ended = False
        self._ping_at = _now() + options.ping_seconds

    @property
    def position(self) -> int:
        return self._first + len(self._batches)

    def holds(self, position: int) -> bool:
        """Whether the list still has all batches from this position on."""
        return self._first <= position

    async def batches(self, position: int) -> AsyncIterator[bytes]:
        """Yield the batches from this position on, until the broadcast ends or the listener is too far behind."""
        while self.holds(position):
            if position < self.position:
                batch = self._batches[position - self._first]
                position += 1
                yield batch
            elif self._ended:
                return
            else:
                await self._changed.wait()
        log.info("events.listener_left_behind")

    def silence_left(self) -> float:
        """The seconds until listeners need a ping."""
        return max(0.0, self._ping_at - _now())

    def ping(self) -> None:
        """Publish a comment, which no client takes for an event."""
        self.publish([KEEPALIVE_COMMENT])

    def publish(self, events: Iterable[bytes]) -> None:
        """Append a batch of encoded events."""
        self._ping_at = _now() + self._options.ping_seconds
        batch = b"".join(events)
        self._batches.append(batch)
        self._held += len(batch)
        while self._held > self._options.held_bytes and len(self._batches) > 1:
            self._held -= len(self._batches.popleft())
            self._first += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def end(self) -> None:
        """End the streams of all listeners once they have all batches."""
        self._ended = True
        self._changed.set()


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where a stream begins: after a line and known lines, or at a position of a running broadcast.

    A `continued` stream may begin far back; the lines that it missed are read for it alone.
    """

    after: int
    known: Collection[int] = ()
    continued: bool = False
    broadcast: Broadcast | None = None
    position: int = 0


def encode_line(line: TaskLine) -> bytes:
    """Encode a line as an event."""
    return write_event(line.task_id, line.change)


def _now() -> float:
    return asyncio.get_running_loop().time()
