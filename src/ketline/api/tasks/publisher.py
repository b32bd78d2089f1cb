"""Reads the changes of a project once, whatever tags its streams have, and gives each broadcast its own.

So what streams cost the database does not grow with their number, nor with the number of their tags.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from ketline.api.tasks.broadcast import Broadcast, BroadcastOptions, StreamStart, encode_line
from ketline.api.tasks.events import changed_in_time
from ketline.api.tasks.line_reader import LineReader
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.tasks.task import TaskLine
from ketline.ports.tasks.catalogue import TaskCatalogue
from ketline.service.tasks.watch import Watch, Watcher

log = structlog.get_logger()

GATHER_SECONDS_PER_LISTENER = 0.001
MAX_GATHER_SECONDS = 0.5


class Publisher:
    """Reads the lines of all tasks of a project, and publishes each to the broadcasts with tags that its task has."""

    def __init__(self, reader: LineReader, watch: Watch, options: BroadcastOptions) -> None:
        self.reader = reader
        self.ended = False
        self._watch = watch
        self._options = options
        self._broadcasts: dict[frozenset[str], Broadcast] = {}
        # Each under one of its tags, so that few are compared with a line.
        self._by_tag: defaultdict[str | None, list[Broadcast]] = defaultdict(list)

    @property
    def has_broadcasts(self) -> bool:
        return bool(self._broadcasts)

    def find(self, tags: Sequence[str]) -> Broadcast | None:
        """The broadcast with these tags, if it has listeners."""
        return self._broadcasts.get(frozenset(tags))

    def add(self, tags: Sequence[str]) -> Broadcast:
        """Add a broadcast, which has what is read from now on."""
        added = self._broadcasts[frozenset(tags)] = Broadcast(frozenset(tags), self._options)
        self._by_tag[min(tags, default=None)].append(added)
        return added

    def remove(self, broadcast: Broadcast) -> None:
        """Remove a broadcast without listeners."""
        del self._broadcasts[broadcast.tags]
        tag = min(broadcast.tags, default=None)
        self._by_tag[tag].remove(broadcast)
        if not self._by_tag[tag]:
            del self._by_tag[tag]

    async def run(self) -> None:
        """Read changes until cancelled, or until the process stops."""
        try:
            with self._watch.watching_all() as watcher:
                watcher.wake()  # Something may have changed since the start was read.
                while not self._watch.closed:
                    # A watcher of all tasks wakes more often than there are events, at each poll for one.
                    if await changed_in_time(watcher, self._silence_left()):
                        await asyncio.sleep(self._gather_seconds())
                        await self._read(watcher)
                    self._ping()
        except Exception:
            log.exception("events.crashed")
        finally:
            self.ended = True
            for broadcast in self._broadcasts.values():
                broadcast.end()

    async def _read(self, watcher: Watcher) -> None:
        try:
            while lines := await self.reader.read():
                self._publish(lines)
        except ServiceUnavailable as error:
            log.debug("events.delayed", code=error.code)
            await asyncio.sleep(self._options.retry_seconds)
            for broadcast in self._broadcasts.values():
                broadcast.ping()
            watcher.wake()

    def _publish(self, lines: Sequence[TaskLine]) -> None:
        events: dict[Broadcast, list[bytes]] = {}
        for line in lines:
            encoded: bytes | None = None
            for tag in (None, *set(line.tags)):
                for broadcast in self._by_tag.get(tag, ()):
                    if broadcast.tags.issubset(line.tags):
                        encoded = encoded or encode_line(line)
                        events.setdefault(broadcast, []).append(encoded)
        for broadcast, batch in events.items():
            broadcast.publish(batch)

    def _ping(self) -> None:
        for broadcast in self._broadcasts.values():
            if not broadcast.silence_left():
                broadcast.ping()

    def _silence_left(self) -> float:
        return min((one.silence_left() for one in self._broadcasts.values()), default=self._options.ping_seconds)

    def _gather_seconds(self) -> float:
        listeners = max((one.listeners for one in self._broadcasts.values()), default=0)
        return min(self._options.gather_seconds + GATHER_SECONDS_PER_LISTENER * listeners, MAX_GATHER_SECONDS)


@dataclass(slots=True)
class Broadcasts:
    """The broadcasts of a project in a process: one for each set of tags, while it has listeners."""

    catalogue: TaskCatalogue
    watch: Watch
    options: BroadcastOptions = field(default_factory=BroadcastOptions)
    _publisher: Publisher | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def end(self, tags: Sequence[str]) -> StreamStart:
        """The start of a stream that has only changes from now on.

        Raises:
            DatabaseUnavailable: the newest line could not be read.
        """
        running = self._running()
        if running is not None:
            found, after, known = running.find(tags), running.reader.after, frozenset(running.reader.known)
            return StreamStart(after, known, broadcast=found, position=0 if found is None else found.position)
        after = await self.catalogue.last_line()
        recent = await self.catalogue.lines((), after=after, upto=after, known=(), limit=0)
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
        publisher = self._running()
        if publisher is None:
            # It begins at the newest line; earlier lines are read for the one listener that missed them.
            end = await self.end(tags) if start.continued or start.broadcast is not None else start
            publisher = self._running() or self._start(end)
        found = publisher.find(tags) or publisher.add(tags)
        position, missed = found.position, None
        if start.broadcast is found and found.holds(start.position):
            position = start.position
        elif start.after != publisher.reader.after or not publisher.reader.known <= {start.after, *start.known}:
            missed = LineReader(self.catalogue, tags, start.after, start.known)
        found.listeners += 1
        try:
            yield found, position, missed
        finally:
            found.listeners -= 1
            if not found.listeners:
                self._leave(publisher, found)

    def _running(self) -> Publisher | None:
        publisher = self._publisher
        return None if publisher is None or publisher.ended else publisher

    def _start(self, start: StreamStart) -> Publisher:
        reader = LineReader(self.catalogue, (), start.after, start.known)
        self._publisher = started = Publisher(reader, self.watch, self.options)
        self._task = asyncio.create_task(started.run())
        return started

    def _leave(self, publisher: Publisher, broadcast: Broadcast) -> None:
        publisher.remove(broadcast)
        if publisher.has_broadcasts or publisher is not self._publisher:
            return
        # The next listener starts another.
        publisher.ended = True
        if self._task is not None:
            self._task.cancel()
