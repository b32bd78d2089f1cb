"""Waits for changes of tasks: any number of callers share the notifications and one poll.

Long polls, event streams and broadcasts of the API wait with it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.ports.tasks.repositories import TaskReader
from ketline.service.loop import Loop

# Notifications arrive within milliseconds; the poll makes up for lost ones.
POLL_SECONDS = 2.0

StatusAndAttempt = tuple[TaskStatus, int]


class Watcher:
    """One caller's wait for changes of some tasks or of all; with `end_only`, only for the end of a task."""

    __slots__ = ("_changed", "end_only")

    def __init__(self, *, end_only: bool) -> None:
        self.end_only = end_only
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """End the current wait, or the next one if nobody waits now."""
        self._changed.set()

    async def wait(self) -> None:
        """Return when the task may have changed since the last return; wake-ups can be spurious."""
        await self._changed.wait()
        self._changed.clear()


@dataclass(slots=True)
class Watch:
    """Wakes the watchers of a task: on each notification passed to `on_change`, and by a slow poll for lost ones."""

    repository: TaskReader
    poll_seconds: float = POLL_SECONDS
    closed: bool = field(default=False, init=False)
    _watchers: defaultdict[TaskId, set[Watcher]] = field(default_factory=lambda: defaultdict(set), init=False)
    _watchers_of_all: set[Watcher] = field(default_factory=set, init=False)
    _known: dict[TaskId, StatusAndAttempt | None] = field(default_factory=dict, init=False)
    _poll_now: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @contextmanager
    def watching(self, task_id: TaskId, *, end_only: bool = False) -> Iterator[Watcher]:
        """Register a watcher of this task; read the task after entering the context, so that no change is missed."""
        with self.watching_any([task_id], end_only=end_only) as watcher:
            yield watcher

    @contextmanager
    def watching_any(self, task_ids: Collection[TaskId], *, end_only: bool = False) -> Iterator[Watcher]:
        """Register one watcher of several tasks, woken when any of them may have changed."""
        watcher = Watcher(end_only=end_only)
        for task_id in task_ids:
            self._watchers[task_id].add(watcher)
        if self.closed:
            watcher.wake()
        try:
            yield watcher
        finally:
            for task_id in task_ids:
                self._watchers[task_id].discard(watcher)
                if not self._watchers[task_id]:
                    del self._watchers[task_id]
                    self._known.pop(task_id, None)

    @contextmanager
    def watching_all(self) -> Iterator[Watcher]:
        """Register a watcher of all tasks, woken at each poll too; read after entering the context, as for one task."""
        watcher = Watcher(end_only=False)
        self._watchers_of_all.add(watcher)
        if self.closed:
            watcher.wake()
        try:
            yield watcher
        finally:
            self._watchers_of_all.discard(watcher)

    @property
    def watched(self) -> int:
        """The number of watchers."""
        return len(self._watchers_of_all) + sum(map(len, self._watchers.values()))

    def on_change(self, changes: Sequence[Change]) -> None:
        """Wake the watchers of tasks whose changes this process or another has committed."""
        for change in changes:
            self._wake(change.task_id, ended=change.status.terminal)
        for watcher in self._watchers_of_all:
            watcher.wake()

    def resync(self) -> None:
        """Poll at once, because notifications may have been lost."""
        self._poll_now.set()

    def close(self) -> None:
        """Wake all watchers, present and later ones, because no more notifications will arrive."""
        self.closed = True
        for watchers in (self._watchers_of_all, *self._watchers.values()):
            for watcher in watchers:
                watcher.wake()

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
        """Read the statuses of all watched tasks in one query, and wake the watchers of those that changed.

        Raises:
            DatabaseUnavailable: the statuses could not be read.
        """
        for watcher in self._watchers_of_all:
            watcher.wake()
        watched = list(self._watchers)
        if not watched:
            return
        found = await self.repository.statuses(watched)
        for task_id in watched:
            status = found.get(task_id)
            ended = status is None or status[0].terminal
            # The first poll of a task wakes too: it may have changed between the watcher's own read and this one.
            if ended or self._known.get(task_id) != status:
                self._wake(task_id, ended=ended)
            if task_id in self._watchers:
                self._known[task_id] = status

    def _wake(self, task_id: TaskId, *, ended: bool) -> None:
        for watcher in self._watchers.get(task_id, ()):
            if ended or not watcher.end_only:
                watcher.wake()


class LocalNotifier:
    """The `Notifier` of the embedded service, which is one process: calls `on_change` at once."""

    def __init__(self) -> None:
        self.on_change: Callable[[Sequence[Change]], None] = _ignore

    def notify(self, *changes: Change) -> None:
        self.on_change(changes)


def _ignore(changes: Sequence[Change]) -> None:
    return
