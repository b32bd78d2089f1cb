"""Broadcasts for `GET /tasks/events`: events are read and encoded once for all clients with the same tags.

The clients of a broadcast share a short list of batches, in which each has a position. A client that falls behind the
first batch is disconnected; it reconnects and continues after its last event.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.tasks.events import PING_SECONDS, changed_in_time, write_event
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.task import TaskLine
from ketline.ports.catalogue import TaskCatalogue
from ketline.service.tasks.watch import Watch, Watcher

log = structlog.get_logger()

# Changes within this time are read as one batch. It grows with the listeners, because each batch is a write to each.
GATHER_SECONDS = 0.02
GATHER_SECONDS_PER_LISTENER = 0.001
MOST_GATHER_SECONDS = 0.5
RETRY_SECONDS = 1.0
LINES_AT_ONCE = 500
# Ids are given before the commit, so lines may become visible late: by at most this many lines.
LATE_LINES = 1000
# How far a listener may be behind the others.
MOST_HELD_BYTES = 4 * 1024 * 1024


class LineReader:
    """Reads the history lines of all tasks with some tags, in the order in which they become visible.

    It starts after the line `after` and skips the lines `known`, which have lower ids and were read before.
    """

    def __init__(self, catalogue: TaskCatalogue, tags: Sequence[str], after: int, known: Collection[int] = ()) -> None:
        self._catalogue = catalogue
        self._tags = tags
        self._known = {after, *known}
        self.after = after

    async def read(self) -> Sequence[TaskLine]:
        """Read the next lines, none if there are none yet; each line is returned once.

        Raises:
            DatabaseUnavailable: the lines could not be read.
        """
        lines = await self._catalogue.lines(self._tags, after=self.after, known=self._known, limit=LINES_AT_ONCE)
        self._known |= {line.change.line_id for line in lines}
        self.after = max(self._known)
        if len(self._known) > 2 * LATE_LINES:
            self._known = {line_id for line_id in self._known if line_id > self.after - LATE_LINES}
        return lines


def write_lines(lines: Sequence[TaskLine]) -> bytes:
    """Encode lines as events."""
    return b"".join(write_event(line.task_id, line.change) for line in lines)


@dataclass(frozen=True, slots=True)
class BroadcastOptions:
    """How long a broadcast gathers changes, its pause after a database error, and the size of its list of batches.

    After `ping_seconds` without an event it publishes a ping.
    """

    gather_seconds: float = GATHER_SECONDS
    retry_seconds: float = RETRY_SECONDS
    held_bytes: int = MOST_HELD_BYTES
    ping_seconds: float = PING_SECONDS


class Broadcast:
    """The events of all tasks with some tags, for all listeners with these tags.

    `position` is the number of batches so far; the list has those from `_first` on.
    """

    def __init__(self, reader: LineReader, watch: Watch, options: BroadcastOptions) -> None:
        self._reader = reader
        self._watch = watch
        self._options = options
        self._batches: deque[bytes] = deque()
        self._held = 0
        self._first = 0
        self._changed = asyncio.Event()
        self._ping_at = 0.0
        self.listeners = 0
        self.ended = False

    @property
    def position(self) -> int:
        return self._first + len(self._batches)

    @property
    def after(self) -> int:
        """The id of the newest line that was read."""
        return self._reader.after

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
            elif self.ended:
                return
            else:
                await self._changed.wait()
        log.info("events.listener_left_behind")

    async def run(self) -> None:
        """Read changes until cancelled, or until the process stops."""
        try:
            with self._watch.watching_all() as watcher:
                watcher.wake()  # Something may have changed since the start was read.
                self._restart_silence()
                while not self._watch.closed:
                    # A watcher of all tasks wakes more often than there are events, at each poll for one.
                    if await changed_in_time(watcher, self._silence_left()):
                        await asyncio.sleep(self._gather_seconds())
                        await self._read(watcher)
                    if not self._silence_left():
                        self._publish(KEEPALIVE_COMMENT)
        except Exception:
            log.exception("events.crashed")
        finally:
            self.ended = True
            self._changed.set()

    def _gather_seconds(self) -> float:
        return min(self._options.gather_seconds + GATHER_SECONDS_PER_LISTENER * self.listeners, MOST_GATHER_SECONDS)

    async def _read(self, watcher: Watcher) -> None:
        try:
            while lines := await self._reader.read():
                self._publish(write_lines(lines))
        except ServiceUnavailable as error:
            log.debug("events.delayed", code=error.code)
            await asyncio.sleep(self._options.retry_seconds)
            self._publish(KEEPALIVE_COMMENT)
            watcher.wake()

    def _restart_silence(self) -> None:
        self._ping_at = _now() + self._options.ping_seconds

    def _silence_left(self) -> float:
        """The seconds until listeners need a ping."""
        return max(0.0, self._ping_at - _now())

    def _publish(self, events: bytes) -> None:
        self._restart_silence()
        self._batches.append(events)
        self._held += len(events)
        while self._held > self._options.held_bytes and len(self._batches) > 1:
            self._held -= len(self._batches.popleft())
            self._first += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where a stream begins: after a line and known lines, or at a position of a running broadcast.

    A `continued` stream may begin far back; a new broadcast never does.
    """

    after: int
    known: Collection[int] = ()
    continued: bool = False
    broadcast: Broadcast | None = None
    position: int = 0


@dataclass(slots=True)
class Broadcasts:
    """The broadcasts of a process: one for each set of tags, while it has listeners."""

    catalogue: TaskCatalogue
    watch: Watch
    options: BroadcastOptions = field(default_factory=BroadcastOptions)
    _running: dict[frozenset[str], Broadcast] = field(default_factory=dict, init=False)
    _tasks: dict[Broadcast, asyncio.Task[None]] = field(default_factory=dict, init=False)

    async def end(self, tags: Sequence[str]) -> StreamStart:
        """The start of a stream that has only changes from now on.

        Raises:
            DatabaseUnavailable: the newest line could not be read.
        """
        found = self._running_broadcast(tags)
        if found is not None:
            return StreamStart(found.after, broadcast=found, position=found.position)
        after = await self.catalogue.last_line()
        recent = await self.catalogue.lines(tags, after=after, known=(), limit=0)
        return StreamStart(after, {line.change.line_id for line in recent})

    @asynccontextmanager
    async def listening(
        self, tags: Sequence[str], start: StreamStart
    ) -> AsyncIterator[tuple[Broadcast, int, LineReader | None]]:
        """Listen while the context is open: yields the broadcast, the position to begin at, and a reader.

        The reader has the lines before that position; it is None if none are missing.

        Raises:
            DatabaseUnavailable: the newest line could not be read, for a stream that continues another.
        """
        found = self._running_broadcast(tags)
        if found is None:
            # A broadcast begins at the newest line; earlier lines are read for the one listener that missed them.
            end = await self.end(tags) if start.continued or start.broadcast is not None else start
            found = self._running_broadcast(tags) or self._start(tags, end)
        position, missed = found.position, None
        if start.broadcast is found and found.holds(start.position):
            position = start.position
        elif start.after != found.after:
            missed = LineReader(self.catalogue, tags, start.after, start.known)
        found.listeners += 1
        try:
            yield found, position, missed
        finally:
            found.listeners -= 1
            if not found.listeners:
                self._tasks[found].cancel()

    def _running_broadcast(self, tags: Sequence[str]) -> Broadcast | None:
        found = self._running.get(frozenset(tags))
        return None if found is None or found.ended or self._tasks[found].cancelling() else found

    def _start(self, tags: Sequence[str], start: StreamStart) -> Broadcast:
        reader = LineReader(self.catalogue, tags, start.after, start.known)
        started = self._running[frozenset(tags)] = Broadcast(reader, self.watch, self.options)
        self._tasks[started] = asyncio.create_task(started.run())
        self._tasks[started].add_done_callback(lambda _: self._remove(tags, started))
        return started

    def _remove(self, tags: Sequence[str], ended: Broadcast) -> None:
        del self._tasks[ended]
        if self._running.get(frozenset(tags)) is ended:
            del self._running[frozenset(tags)]
