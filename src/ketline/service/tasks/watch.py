"""Wake those who wait for a task when it changes, without a query for each of them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ketline.domain.task import Change, TaskId, TaskStatus
from ketline.ports.repositories import TaskReader
from ketline.service.loop import Loop

# Notifications arrive within milliseconds; the poll makes up for lost ones.
POLL_SECONDS = 2.0

Standing = tuple[TaskStatus, int]


class Watcher:
    """One caller's wait for changes of one task, or only for its end."""

    __slots__ = ("_changed", "end_only")

    def __init__(self, *, end_only: bool) -> None:
        self.end_only = end_only
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """End the wait that is under way, or the next one."""
        self._changed.set()

    async def wait(self) -> None:
        """Return once there may be something new since the last return; without that it may be a false alarm."""
        await self._changed.wait()
        self._changed.clear()


@dataclass(slots=True)
class Watch:
    """Knows who waits for what; notifications reach it through `on_change`, and a slow poll makes up for lost ones."""

    repository: TaskReader
    poll_seconds: float = POLL_SECONDS
    closed: bool = field(default=False, init=False)
    _watchers: defaultdict[TaskId, set[Watcher]] = field(default_factory=lambda: defaultdict(set), init=False)
    _of_all: set[Watcher] = field(default_factory=set, init=False)
    _known: dict[TaskId, Standing | None] = field(default_factory=dict, init=False)
    _poll_now: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @contextmanager
    def watching(self, task_id: TaskId, *, end_only: bool = False) -> Iterator[Watcher]:
        """A watcher of this task; look at the task after entering, so that no change falls in between."""
        watcher = Watcher(end_only=end_only)
        self._watchers[task_id].add(watcher)
        if self.closed:
            watcher.tell()
        try:
            yield watcher
        finally:
            self._watchers[task_id].discard(watcher)
            if not self._watchers[task_id]:
                del self._watchers[task_id]
                self._known.pop(task_id, None)

    @contextmanager
    def watching_all(self) -> Iterator[Watcher]:
        """A watcher of whatever changes, told at each poll too; look after entering, as for one task."""
        watcher = Watcher(end_only=False)
        self._of_all.add(watcher)
        if self.closed:
            watcher.tell()
        try:
            yield watcher
        finally:
            self._of_all.discard(watcher)

    @property
    def watched(self) -> int:
        """How many watchers there are."""
        return len(self._of_all) + sum(map(len, self._watchers.values()))

    def on_change(self, changes: Sequence[Change]) -> None:
        """Take account of changes that were committed, by this process or another."""
        for change in changes:
            self._wake(change.task_id, ended=change.status.terminal)
        for watcher in self._of_all:
            watcher.tell()

    def resync(self) -> None:
        """Poll at once: notifications may have been missed."""
        self._poll_now.set()

    def close(self) -> None:
        """Let all who wait, and whoever comes after, find that no more notifications will arrive."""
        self.closed = True
        for watchers in (self._of_all, *self._watchers.values()):
            for watcher in watchers:
                watcher.tell()

    async def run(self) -> None:
        """Poll until cancelled."""
        await Loop(
            self.poll,
            self.poll_seconds,
            delayed="watch.poll_delayed",
            crashed="watch.poll_crashed",
            wake=self._poll_now,
            quiet=True,
        ).run()

    async def poll(self) -> None:
        """Ask how all watched tasks stand, in one query, and wake the watchers of those that have changed.

        Raises:
            DatabaseUnavailable: nobody was woken.
        """
        for watcher in self._of_all:
            watcher.tell()
        watched = list(self._watchers)
        if not watched:
            return
        found = await self.repository.statuses(watched)
        for task_id in watched:
            standing = found.get(task_id)
            ended = standing is None or standing[0].terminal
            # The first look at a task wakes too: what changed between the watcher's own look and this one is not known.
            if ended or self._known.get(task_id) != standing:
                self._wake(task_id, ended=ended)
            if task_id in self._watchers:
                self._known[task_id] = standing

    def _wake(self, task_id: TaskId, *, ended: bool) -> None:
        for watcher in self._watchers.get(task_id, ()):
            if ended or not watcher.end_only:
                watcher.tell()


class LocalNotifier:
    """A `Notifier` for the one process there is: passes changes to `on_change` at once."""

    def __init__(self) -> None:
        self.on_change: Callable[[Sequence[Change]], None] = _nobody

    def notify(self, *changes: Change) -> None:
        self.on_change(changes)


def _nobody(changes: Sequence[Change]) -> None:
    return
