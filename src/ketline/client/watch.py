"""Flows that follow tasks over event streams, for both clients; a broken stream is reopened after its last event."""

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
from ketline.client.steps import Close, Emit, Flow, Lost, Pause, Request, Response, open_stream, read_stream
from ketline.client.streams import EventReader
from ketline.domain.limits import MAX_BATCH_TASKS, MAX_PAGE_TASKS
from ketline.domain.status import TaskStatus

MEDIA_TYPE = "text/event-stream"
# A service sends at least a comment every 15 s.
MAX_SILENCE_SECONDS = 45.0
MIN_SILENCE_SECONDS = 0.2
# The pause before reopening a stream: one that the service ended, and one that broke.
RECONNECT_SECONDS = 1.0
BROKEN_SECONDS = 0.2
# The ids of this many events are remembered, because a reopened stream of many tasks may repeat events.
REMEMBERED_EVENTS = 2000
# After this time without an event, some tasks are read, because they may have been deleted.
CHECK_SECONDS = 10.0
CHECKED_AT_ONCE = 20
# This many tasks or more that ended at the same time are read as a list, with one request for all of them.
MIN_LISTED = 3
ENDED = [status.value for status in TaskStatus if status.terminal]
ALL_FIELDS = ["result", "history", "profile", "metadata"]


class Stream:
    """An event stream that can be reopened after its last event when it has ended or broken."""

    def __init__(self, flows: Flows, path: str, after: int | None, deadline: float = inf) -> None:
        self._flows = flows
        self._path = path
        self._deadline = deadline
        self._reader = EventReader()
        self._read_timeout_seconds = 0.0
        self.after = after
        self.over = False
        self.is_open = False

    def open(self) -> Flow[None]:
        """Open the stream, with retries; sets `over` if no more events will come.

        Raises:
            ClientError: the service rejected the request or does not answer.
            WaitTimeout: the deadline has come.
        """
        began, attempt = self._flows.now(), 0
        while True:
            outcome = yield from open_stream(self._request())
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
            yield from self._pause(pause)
            attempt += 1

    def read(self) -> Flow[list[Event]]:
        """Read the next events, none if only a comment came; closes the stream when it has ended or broken.

        Raises:
            WaitTimeout: the deadline has come.
        """
        data = yield from read_stream()
        if not data or isinstance(data, Lost):
            yield from self.close()
            yield from self._pause(RECONNECT_SECONDS if data == b"" else BROKEN_SECONDS)
            return []
        try:
            events = list(self._reader.feed(data))
        except (LookupError, TypeError, ValueError) as error:
            yield from self.close()
            raise not_ketline(self._flows.url) from error
        if events:
            self.after = events[-1].event_id
        if self._seconds_left() < self._read_timeout_seconds / 2:
            # Reopen the stream with a shorter read timeout, so that the deadline is not missed.
            yield from self.close()
        self._check_deadline()
        return events

    def close(self) -> Flow[None]:
        yield Close()
        self.is_open = False

    def _request(self) -> Request:
        self._read_timeout_seconds = max(MIN_SILENCE_SECONDS, min(MAX_SILENCE_SECONDS, self._seconds_left()))
        headers = {"accept": MEDIA_TYPE} | ({} if self.after is None else {"last-event-id": str(self.after)})
        return Request(method="GET", path=self._path, headers=headers, read_timeout_seconds=self._read_timeout_seconds)

    def _pause(self, seconds: float) -> Flow[None]:
        self._check_deadline()
        yield Pause(min(seconds, self._seconds_left()))

    def _seconds_left(self) -> float:
        return self._deadline - self._flows.now()

    def _check_deadline(self) -> None:
        if self._seconds_left() <= 0:
            raise WaitTimeout("The timeout has ended; the tasks continue.")


def follow_task(flows: Flows, task_id: UUID, after: int) -> Flow[None]:
    """Emit each event of a task that follows the event `after`, once, until the task ends."""
    stream = Stream(flows, f"/tasks/{task_id}/events", after)
    while True:
        yield from stream.open()
        if stream.over:
            return
        while stream.is_open:
            for event in (yield from stream.read()):
                yield Emit(event)
                if event.status.terminal:
                    yield Close()
                    return


def follow_tasks(flows: Flows, tags: Iterable[str], after: int | None) -> Flow[None]:
    """Emit each event of all tasks with these tags once, from now on or after the event `after`, without end."""
    query = urlencode([("tag", tag) for tag in tags])
    stream = Stream(flows, f"/tasks/events?{query}" if query else "/tasks/events", after)
    seen: dict[int, None] = {}
    while True:
        yield from stream.open()
        while stream.is_open:
            for event in (yield from stream.read()):
                if event.event_id not in seen:
                    seen[event.event_id] = None
                    yield Emit(event)
            seen = dict.fromkeys(sorted(seen)[-REMEMBERED_EVENTS:])


class Completion:
    """A flow that emits each task once when it has ended: (id, status, task), or (id, None, None) if it was deleted.

    With `changes` it also emits other changes of status, with None for the task. For these, and while there are more
    tasks than one request can wait for, it follows one event stream of all tasks. Tasks may end before the stream is
    open, so their statuses are read whenever the stream starts anew.
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
        self._tasks_left = dict(tasks)
        self._timeout = timeout_seconds
        self._changes = changes
        self._next_check_at = flows.now() + CHECK_SECONDS
        self._deadline = inf if timeout_seconds is None else flows.now() + timeout_seconds

    def __call__(self) -> Flow[None]:
        """Run until all tasks have ended.

        Raises:
            WaitTimeout: some tasks have not ended in time.
        """
        stream = Stream(self._flows, "/tasks/events", None, self._deadline)
        try:
            while self._tasks_left:
                if len(self._tasks_left) <= self._most_polled:
                    yield from self._wait_for_rest()
                    return
                yield from stream.open()
                if stream.after is None:
                    yield from self._check_all()
                while stream.is_open and len(self._tasks_left) > self._most_polled:
                    events = yield from stream.read()
                    yield from self._process(events)
                if stream.is_open:
                    yield from stream.close()
        except WaitTimeout as error:
            raise WaitTimeout(
                f"{len(self._tasks_left)} of the tasks have not ended after {self._timeout:g} s."
            ) from error

    @property
    def _most_polled(self) -> int:
        # A request that waits for these tasks alone costs nothing for the tasks of others, but reports only ends.
        return 0 if self._changes else MAX_BATCH_TASKS

    def _wait_for_rest(self) -> Flow[None]:
        while self._tasks_left:
            found = yield from self._flows.wait_for_some(list(self._tasks_left), "any", self._deadline)
            for task_id, task in found.items():
                yield from self._emit(task_id, task)

    def _emit(self, task_id: UUID, task: Task | None) -> Flow[None]:
        del self._tasks_left[task_id]
        yield Emit((task_id, task and task.status, task))

    def _process(self, events: Iterable[Event]) -> Flow[None]:
        for event in events if self._changes else ():
            if event.task_id in self._tasks_left and not event.status.terminal:
                yield Emit((event.task_id, event.status, None))
        ends = [event for event in events if event.status.terminal]
        to_check = dict.fromkeys(event.task_id for event in ends)
        if to_check.keys() & self._tasks_left.keys():
            self._next_check_at = self._flows.now() + CHECK_SECONDS
        elif self._flows.now() >= self._next_check_at:
            # No event for long: some tasks may have been deleted. Check the first ones and move them to the end.
            self._next_check_at = self._flows.now() + CHECK_SECONDS
            for task_id in list(islice(self._tasks_left, CHECKED_AT_ONCE)):
                self._tasks_left[task_id] = self._tasks_left.pop(task_id)
                to_check[task_id] = None
        ended = [event for event in ends if event.task_id in self._tasks_left]
        if len(ended) >= MIN_LISTED:
            yield from self._list_since(min(event.change.at for event in ended), len(ended))
        for task_id in to_check:
            yield from self._check(task_id)

    def _list_since(self, moment: datetime, expected: int) -> Flow[None]:
        """Emit the tasks that ended since `moment`, from the list of all ended tasks, which may contain others."""
        parameters = {"completed_after": moment.isoformat(), "status": ENDED, "order": "completed_at"}
        limit = min(MAX_PAGE_TASKS, 2 * expected)
        page = yield from self._flows.page({**parameters, "fields": ALL_FIELDS, "limit": limit})
        yield from self._emit_listed(page)

    def _emit_listed(self, page: TaskPage) -> Flow[None]:
        for task in page.tasks:
            if task.task_id in self._tasks_left and task.ended:
                yield from self._emit(task.task_id, task)

    def _check_all(self) -> Flow[None]:
        # The list is searched by time of submission, so a task without one is read by itself.
        untimed = [task_id for task_id, submitted_at in self._tasks_left.items() if submitted_at is None]
        for task_id in untimed:
            yield from self._check(task_id)
        times = [submitted_at for submitted_at in self._tasks_left.values() if submitted_at is not None]
        if not times:
            return
        parameters = {
            "submitted_after": min(times).isoformat(),
            "submitted_before": (max(times) + timedelta(microseconds=1)).isoformat(),
            "status": ENDED,
            "order": "submitted_at",
            "fields": ALL_FIELDS,
            "limit": MAX_PAGE_TASKS,
        }
        page = yield from self._flows.page(parameters)
        # Read at most two pages, and one more for every `CHECKED_AT_ONCE` tasks.
        for _ in range(2 + len(times) // CHECKED_AT_ONCE):
            yield from self._emit_listed(page)
            if page.next is None:
                return
            page = yield from self._flows.page_at(page.next)
        # The list consists mostly of other tasks: read the rest one by one.
        for task_id in list(self._tasks_left):
            yield from self._check(task_id)

    def _check(self, task_id: UUID) -> Flow[None]:
        if task_id not in self._tasks_left:
            return
        try:
            task: Task | None = yield from self._flows.read(task_id, deadline=self._deadline)
        except TaskNotFound:
            task = None
        if task is None or task.ended:
            yield from self._emit(task_id, task)
