"""Follow tasks as they change, over streams that may break at any moment and are taken up again."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from urllib.parse import urlencode
from uuid import UUID

from ketline.client.errors import TaskNotFound, WaitTimeout
from ketline.client.flows import Flows
from ketline.client.models import Event, Task, TaskPage
from ketline.client.problems import error_of, not_ketline
from ketline.client.streams import EventReader
from ketline.client.wire import Close, Flow, Give, Lost, Pause, Request, Response, heard, opened

MEDIA_TYPE = "text/event-stream"
# A service says something every 15 s at least.
LONGEST_SILENCE_SECONDS = 45.0
SHORTEST_SILENCE_SECONDS = 0.2
# What a service asks its clients to let pass before they come back to a stream that ended.
RECONNECT_SECONDS = 1.0
BROKEN_SECONDS = 0.2
# Events of a continued stream of many tasks may come twice; so many are remembered.
REMEMBERED = 2000
# Tasks looked at when nothing is heard of them, which may have been deleted.
LOOK_SECONDS = 10.0
LOOKED_AT_ONCE = 20
MOST_ON_A_PAGE = 200
# From so many on, tasks that ended are read from the list of those that did: one request, not one for each.
FEWEST_LISTED = 3
ENDED = ["completed", "failed", "cancelled"]
ALL_OF_A_TASK = ["result", "history", "profile", "metadata"]


class Stream:
    """A stream of events that is opened again, where it was, whenever it breaks off."""

    def __init__(self, flows: Flows, path: str, after: int | None, deadline: float = inf) -> None:
        self._flows = flows
        self._path = path
        self._deadline = deadline
        self._reader = EventReader()
        self._silence = 0.0
        self.after = after
        self.over = False
        self.is_open = False

    def open(self) -> Flow[None]:
        """Open it, however often that takes; `over` if there is nothing more to come.

        Raises:
            ClientError: it is refused, or there is no answer.
            WaitTimeout: the deadline has come.
        """
        began, attempt = self._flows.now(), 0
        while True:
            outcome = yield from opened(self._request())
            if isinstance(outcome, Response) and outcome.status in (200, 204):
                if not outcome.headers.get("content-type", MEDIA_TYPE).startswith(MEDIA_TYPE):
                    yield Close()
                    raise not_ketline(self._flows.url)
                self.is_open, self.over = outcome.status == 200, outcome.status == 204
                self._reader = EventReader()
                return
            pause = self._flows.pause(outcome, began, attempt)
            if pause is None:
                raise error_of(outcome, self._flows.url)
            yield from self._rest(pause)
            attempt += 1

    def read(self) -> Flow[list[Event]]:
        """The events that come next, none if there was but a sign of life; closes the stream when it ends.

        Raises:
            WaitTimeout: the deadline has come.
        """
        data = yield from heard()
        if not data or isinstance(data, Lost):
            yield from self.close()
            yield from self._rest(RECONNECT_SECONDS if data == b"" else BROKEN_SECONDS)
            return []
        try:
            events = list(self._reader.feed(data))
        except (LookupError, TypeError, ValueError) as error:
            yield from self.close()
            raise not_ketline(self._flows.url) from error
        if events:
            self.after = events[-1].event_id
        if self._left() < self._silence / 2:
            # Silence is to be noticed in time: with less of it allowed the stream is opened again.
            yield from self.close()
        self._require_time()
        return events

    def close(self) -> Flow[None]:
        yield Close()
        self.is_open = False

    def _request(self) -> Request:
        self._silence = max(SHORTEST_SILENCE_SECONDS, min(LONGEST_SILENCE_SECONDS, self._left()))
        headers = {"accept": MEDIA_TYPE} | ({} if self.after is None else {"last-event-id": str(self.after)})
        return Request(method="GET", path=self._path, headers=headers, silence_seconds=self._silence)

    def _rest(self, seconds: float) -> Flow[None]:
        self._require_time()
        yield Pause(min(seconds, self._left()))

    def _left(self) -> float:
        return self._deadline - self._flows.now()

    def _require_time(self) -> None:
        if self._left() <= 0:
            raise WaitTimeout("The time to wait is up; what was waited for goes on.")


def follow_task(flows: Flows, task_id: UUID, after: int) -> Flow[None]:
    """Give each event of a task once, from the one after `after` to the last."""
    stream = Stream(flows, f"/tasks/{task_id}/events", after)
    while True:
        yield from stream.open()
        if stream.over:
            return
        while stream.is_open:
            for event in (yield from stream.read()):
                yield Give(event)
                if event.status.terminal:
                    yield Close()
                    return


def follow_tasks(flows: Flows, tags: Iterable[str], after: int | None) -> Flow[None]:
    """Give each event of all tasks with these tags, from now on or from after `after`, without end."""
    query = urlencode([("tag", tag) for tag in tags])
    stream = Stream(flows, f"/tasks/events?{query}" if query else "/tasks/events", after)
    seen: dict[int, None] = {}
    while True:
        yield from stream.open()
        while stream.is_open:
            for event in (yield from stream.read()):
                if event.event_id not in seen:
                    seen[event.event_id] = None
                    yield Give(event)
            seen = dict.fromkeys(sorted(seen)[-REMEMBERED:])


class Completion:
    """Gives tasks as they end: (id, status, task), and None for both where it was deleted. Each end is given once.

    With `changes` it also gives each other status that they come to, without the task. One stream tells of all of them.
    It may have begun after some ended, so whenever it begins anew they are looked for.
    """

    def __init__(
        self,
        flows: Flows,
        tasks: Mapping[UUID, datetime | None],
        timeout_seconds: float | None,
        *,
        changes: bool = False,
    ) -> None:
        self._flows = flows
        self._left = dict(tasks)
        self._timeout = timeout_seconds
        self._changes = changes
        self._look_at_time = flows.now() + LOOK_SECONDS
        self._deadline = inf if timeout_seconds is None else flows.now() + timeout_seconds

    def __call__(self) -> Flow[None]:
        """
        Raises:
            WaitTimeout: some had not ended in time.
        """
        stream = Stream(self._flows, "/tasks/events", None, self._deadline)
        try:
            while self._left:
                if len(self._left) <= self._fewest:
                    yield from self._last()
                    return
                yield from stream.open()
                if stream.after is None:
                    yield from self._look_for_all()
                while stream.is_open and len(self._left) > self._fewest:
                    events = yield from stream.read()
                    yield from self._hear(events)
                if stream.is_open:
                    yield from stream.close()
        except WaitTimeout as error:
            raise WaitTimeout(f"{len(self._left)} of the tasks have not ended after {self._timeout:g} s.") from error

    @property
    def _fewest(self) -> int:
        # For a last task alone a long poll is cheaper, but tells of nothing else.
        return 0 if self._changes else 1

    def _last(self) -> Flow[None]:
        (task_id,) = self._left
        left = None if self._deadline == inf else max(0.0, self._deadline - self._flows.now())
        try:
            task: Task | None = yield from self._flows.wait(task_id, left)
        except TaskNotFound:
            task = None
        yield from self._give(task_id, task)

    def _give(self, task_id: UUID, task: Task | None) -> Flow[None]:
        del self._left[task_id]
        yield Give((task_id, task and task.status, task))

    def _hear(self, events: Iterable[Event]) -> Flow[None]:
        for event in events if self._changes else ():
            if event.task_id in self._left and not event.status.terminal:
                yield Give((event.task_id, event.status, None))
        ends = [event for event in events if event.status.terminal]
        heard_of = dict.fromkeys(event.task_id for event in ends)
        if heard_of.keys() & self._left.keys():
            self._look_at_time = self._flows.now() + LOOK_SECONDS
        elif self._flows.now() >= self._look_at_time:
            # Nothing for long: some may be gone without a word. Those that are still there go to the end of the line.
            self._look_at_time = self._flows.now() + LOOK_SECONDS
            for task_id in list(islice(self._left, LOOKED_AT_ONCE)):
                self._left[task_id] = self._left.pop(task_id)
                heard_of[task_id] = None
        ended = [event for event in ends if event.task_id in self._left]
        if len(ended) >= FEWEST_LISTED:
            yield from self._list_since(min(event.change.at for event in ended), len(ended))
        for task_id in heard_of:
            yield from self._look_at(task_id)

    def _list_since(self, moment: datetime, expected: int) -> Flow[None]:
        """Give those that ended since then, of the first so many that did; others may have ended at the same time."""
        asked = {"completed_after": moment.isoformat(), "status": ENDED, "order": "completed_at"}
        limit = min(MOST_ON_A_PAGE, 2 * expected)
        page = yield from self._flows.page({**asked, "fields": ALL_OF_A_TASK, "limit": limit})
        yield from self._give_listed(page)

    def _give_listed(self, page: TaskPage) -> Flow[None]:
        for task in page.tasks:
            if task.task_id in self._left and task.ended:
                yield from self._give(task.task_id, task)

    def _look_for_all(self) -> Flow[None]:
        unlisted = [task_id for task_id, submitted_at in self._left.items() if submitted_at is None]
        for task_id in unlisted:
            yield from self._look_at(task_id)
        times = [submitted_at for submitted_at in self._left.values() if submitted_at is not None]
        if not times:
            return
        asked = {
            "submitted_after": min(times).isoformat(),
            "submitted_before": (max(times) + timedelta(microseconds=1)).isoformat(),
            "status": ENDED,
            "order": "submitted_at",
            "fields": ALL_OF_A_TASK,
            "limit": MOST_ON_A_PAGE,
        }
        page = yield from self._flows.page(asked)
        for _ in range(2 + len(times) // LOOKED_AT_ONCE):
            yield from self._give_listed(page)
            if page.next is None:
                return
            page = yield from self._flows.page_at(page.next)
        # The list is mostly of tasks of others.
        for task_id in list(self._left):
            yield from self._look_at(task_id)

    def _look_at(self, task_id: UUID) -> Flow[None]:
        if task_id not in self._left:
            return
        try:
            task: Task | None = yield from self._flows.read(task_id, deadline=self._deadline)
        except TaskNotFound:
            task = None
        if task is None or task.ended:
            yield from self._give(task_id, task)
