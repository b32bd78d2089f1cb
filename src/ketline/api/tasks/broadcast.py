"""Changes of many tasks, read and written once for all who listen to the same ones.

Each listener has a place in a short list of batches that all share. One that falls behind its beginning is cut off: it
comes back, and continues after the last event that it has.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.tasks.events import told, write_event
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.task import TaskLine
from ketline.ports.catalogue import TaskCatalogue
from ketline.service.tasks.watch import Watch, Watcher

log = structlog.get_logger()

# Changes that come together are read together; the more listen, the longer, for each batch costs each of them a write.
GATHER_SECONDS = 0.02
GATHER_SECONDS_PER_LISTENER = 0.001
MOST_GATHER_SECONDS = 0.5
RETRY_SECONDS = 1.0
LINES_AT_ONCE = 500
# A commit comes at most so many lines after its lines were given their ids: those further back need not be known.
LATE_LINES = 1000
# What a listener may be behind the others.
MOST_HELD_BYTES = 4 * 1024 * 1024


class LineReader:
    """A place among the lines of all tasks with some tags, in the order in which they become visible.

    `known` are lines up to `after` that are not to be given.
    """

    def __init__(self, catalogue: TaskCatalogue, tags: Sequence[str], after: int, known: Collection[int] = ()) -> None:
        self._catalogue = catalogue
        self._tags = tags
        self._known = {after, *known}
        self.after = after

    async def read(self) -> Sequence[TaskLine]:
        """The next lines, none where there are none yet; each line is given once.

        Raises:
            DatabaseUnavailable: they could not be read.
        """
        lines = await self._catalogue.lines(self._tags, after=self.after, known=self._known, limit=LINES_AT_ONCE)
        self._known |= {line.change.line_id for line in lines}
        self.after = max(self._known)
        if len(self._known) > 2 * LATE_LINES:
            self._known = {line_id for line_id in self._known if line_id > self.after - LATE_LINES}
        return lines


def write_lines(lines: Sequence[TaskLine]) -> bytes:
    """The lines as events."""
    return b"".join(write_event(line.task_id, line.change) for line in lines)


@dataclass(frozen=True, slots=True)
class BroadcastOptions:
    """How long a broadcast waits, for changes that come together and for a database that does not answer; and how many
    bytes it holds for listeners that are behind."""

    gather_seconds: float = GATHER_SECONDS
    retry_seconds: float = RETRY_SECONDS
    held_bytes: int = MOST_HELD_BYTES


class Broadcast:
    """The events of the tasks with some tags, for all who listen to them.

    `position` counts the batches so far; those from `_first` on are still held.
    """

    def __init__(self, reader: LineReader, watch: Watch, options: BroadcastOptions) -> None:
        self._reader = reader
        self._watch = watch
        self._options = options
        self._batches: deque[bytes] = deque()
        self._held = 0
        self._first = 0
        self._changed = asyncio.Event()
        self.listeners = 0
        self.ended = False

    @property
    def position(self) -> int:
        return self._first + len(self._batches)

    @property
    def after(self) -> int:
        """The newest line that was read."""
        return self._reader.after

    def holds(self, position: int) -> bool:
        """Whether all batches from this position on are still there."""
        return self._first <= position

    async def batches(self, position: int) -> AsyncIterator[bytes]:
        """What is sent from this position on, until the broadcast ends or has left it behind."""
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
        """Read until cancelled, or until the process stops."""
        try:
            with self._watch.watching_all() as watcher:
                watcher.wake()  # Something may have changed since the place was found.
                while not self._watch.closed:
                    if await told(watcher):
                        await asyncio.sleep(self._gathering())
                        await self._read(watcher)
                    else:
                        self._publish(KEEPALIVE_COMMENT)
        except Exception:
            log.exception("events.crashed")
        finally:
            self.ended = True
            self._changed.set()

    def _gathering(self) -> float:
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

    def _publish(self, events: bytes) -> None:
        self._batches.append(events)
        self._held += len(events)
        while self._held > self._options.held_bytes and len(self._batches) > 1:
            self._held -= len(self._batches.popleft())
            self._first += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream begins: after a line and lines that are known; or at a position, while that broadcast goes on.

    A `continued` stream may begin far back, where no broadcast is to begin.
    """

    after: int
    known: Collection[int] = ()
    continued: bool = False
    broadcast: Broadcast | None = None
    position: int = 0


@dataclass(slots=True)
class Broadcasts:
    """The broadcasts of a process: one for each set of tags that somebody listens to, while somebody does."""

    catalogue: TaskCatalogue
    watch: Watch
    options: BroadcastOptions = field(default_factory=BroadcastOptions)
    _running: dict[frozenset[str], Broadcast] = field(default_factory=dict, init=False)
    _tasks: dict[Broadcast, asyncio.Task[None]] = field(default_factory=dict, init=False)

    async def end(self, tags: Sequence[str]) -> Place:
        """The end of what there is now.

        Raises:
            DatabaseUnavailable: it could not be found.
        """
        found = self._going_on(tags)
        if found is not None:
            return Place(found.after, broadcast=found, position=found.position)
        after = await self.catalogue.last_line()
        young = await self.catalogue.lines(tags, after=after, known=(), limit=0)
        return Place(after, {line.change.line_id for line in young})

    @asynccontextmanager
    async def listening(
        self, tags: Sequence[str], place: Place
    ) -> AsyncIterator[tuple[Broadcast, int, LineReader | None]]:
        """A broadcast, the position to go on at, and what has the lines before that, where it does not have all.

        Raises:
            DatabaseUnavailable: the place is one that a stream was cut at, and the end could not be found.
        """
        found = self._going_on(tags)
        if found is None:
            # A broadcast is for whoever comes, and begins at the end; what one listener missed is read for it alone.
            end = await self.end(tags) if place.continued or place.broadcast is not None else place
            found = self._going_on(tags) or self._started(tags, end)
        position, missed = found.position, None
        if place.broadcast is found and found.holds(place.position):
            position = place.position
        elif place.after != found.after:
            missed = LineReader(self.catalogue, tags, place.after, place.known)
        found.listeners += 1
        try:
            yield found, position, missed
        finally:
            found.listeners -= 1
            if not found.listeners:
                self._tasks[found].cancel()

    def _going_on(self, tags: Sequence[str]) -> Broadcast | None:
        found = self._running.get(frozenset(tags))
        return None if found is None or found.ended or self._tasks[found].cancelling() else found

    def _started(self, tags: Sequence[str], place: Place) -> Broadcast:
        reader = LineReader(self.catalogue, tags, place.after, place.known)
        started = self._running[frozenset(tags)] = Broadcast(reader, self.watch, self.options)
        self._tasks[started] = asyncio.create_task(started.run())
        self._tasks[started].add_done_callback(lambda _: self._forget(tags, started))
        return started

    def _forget(self, tags: Sequence[str], ended: Broadcast) -> None:
        del self._tasks[ended]
        if self._running.get(frozenset(tags)) is ended:
            del self._running[frozenset(tags)]
