"""Event streams, cut anywhere and opened again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from ketline.client import Event, RequestRefused, UnexpectedAnswer, WaitTimeout
from ketline.client.steps import Lost, Request, Response
from ketline.client.streams import EventReader
from ketline.client.watch import Completion, follow_task, follow_tasks
from ketline.domain.limits import MAX_BATCH_TASKS
from tests.unit.client.scripted import TASK_ID, Scripted, answered, event, in_turn, problem, task

GONE = Lost("the connection was reset")
STREAM = b"retry: 1000\n\n" + event(4, "pending") + b": ping\n\n" + event(5, "processing") + event(7, "completed")


def ids(events: list[Event]) -> list[int]:
    return [one.event_id for one in events]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_events_are_read_however_the_bytes_are_cut(size: int, newline: bytes) -> None:
    reader, data = EventReader(), STREAM.replace(b"\n", newline)
    found = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]
    assert ids(found) == [4, 5, 7]
    assert [one.status for one in found] == ["pending", "processing", "completed"]


def test_a_broken_stream_continues_after_its_last_event() -> None:
    streams: list[list[bytes | Lost]] = [
        [event(4, "pending")[:20], GONE],
        [event(4, "pending"), event(5, "processing")[:9], GONE],
        [event(5, "processing")],
        [event(7, "completed")],
    ]
    service = Scripted(in_turn(GONE), streams)
    found = list(service.emitted(follow_task(service.flows, TASK_ID, 0)))
    assert ids(found) == [4, 5, 7]
    assert [request.headers["last-event-id"] for request in service.requests] == ["0", "0", "4", "5"]


def test_following_waits_for_a_service_that_is_down() -> None:
    full = problem("too_many", 429)
    service = Scripted(in_turn(GONE, problem("database_unavailable", 503), full, Response(status=204)))
    assert list(service.emitted(follow_task(service.flows, TASK_ID, 7))) == []
    assert len(service.requests) == 4


def test_following_a_missing_task_raises() -> None:
    service = Scripted(in_turn(problem("task_not_found", 404)))
    with pytest.raises(RequestRefused):
        list(service.emitted(follow_task(service.flows, TASK_ID, 0)))


def test_a_malformed_stream_is_an_unexpected_answer() -> None:
    service = Scripted(in_turn(GONE), [[b"event: status\ndata: {}\nid: x\n\n"]])
    with pytest.raises(UnexpectedAnswer):
        list(service.emitted(follow_task(service.flows, TASK_ID, 0)))


def test_a_page_of_html_is_not_followed() -> None:
    page = answered("<html>", content_type="text/html")
    service = Scripted(in_turn(page))
    with pytest.raises(UnexpectedAnswer):
        list(service.emitted(follow_task(service.flows, TASK_ID, 0)))


def test_repeated_events_are_emitted_once() -> None:
    streams: list[list[bytes | Lost]] = [
        [event(4, "pending"), event(5, "processing"), GONE],
        [event(5, "processing"), event(6, "failed")],
        [event(6, "failed"), event(9, "pending")],
    ]
    service = Scripted(in_turn(GONE), streams)
    following = service.emitted(follow_tasks(service.flows, ["a b", "c"], None))
    assert ids([next(following) for _ in range(4)]) == [4, 5, 6, 9]
    assert service.requests[0].path == "/tasks/events?tag=a+b&tag=c"
    assert "last-event-id" not in service.requests[0].headers


def path_of(task_id: UUID) -> str:
    return f"/tasks/{task_id}"


class Tasks:
    """Tasks of a scripted service; those in `ended` have ended, and so many end before each further request."""

    def __init__(self, count: int, ends_at_once: int = 1) -> None:
        self._ends_at_once = ends_at_once
        self.ids = [uuid4() for _ in range(count)]
        self.ended: set[UUID] = set()
        self.deleted: set[UUID] = set()

    def __call__(self, request: Request) -> Response | Lost:
        path, _, query = request.path.partition("?")
        if path == "/tasks/events":
            return GONE
        if path == "/tasks/ended":
            return self._wait_for(json.loads(request.body or b""))
        if path == "/tasks":
            assert "submitted_after=" in query or "completed_after=" in query
            assert "fields=result" in query
            return answered({"tasks": [task(task_id=one) for one in self.ended]})
        task_id = UUID(path.rpartition("/")[2])
        if task_id in self.deleted:
            return problem("task_not_found", 404)
        return answered(task("completed" if task_id in self.ended else "pending", task_id))

    def _wait_for(self, requested: dict[str, Any]) -> Response:
        """Those of the requested tasks that have ended."""
        assert requested["until"] == "any"
        task_ids = list(map(UUID, requested["task_ids"]))
        running = [one for one in task_ids if one not in self.ended | self.deleted]
        self.ended.update(running[: self._ends_at_once])
        return answered(
            {
                "tasks": [task(task_id=one) for one in task_ids if one in self.ended and one not in running],
                "running": list(map(str, running)),
                "unread": [],
                "missing": [str(one) for one in task_ids if one in self.deleted],
            }
        )

    def times(self) -> dict[UUID, None]:
        return dict.fromkeys(self.ids)


def test_tasks_are_emitted_once_when_they_end() -> None:
    tasks = Tasks(3)
    first, second, third = tasks.ids

    def told() -> Iterator[bytes | Lost]:
        for number, one in enumerate((second, uuid4(), second, third, first)):
            tasks.ended.add(one)
            yield event(number, "completed", one)

    service = Scripted(tasks, [told()])
    given = service.emitted(Completion(service.flows, tasks.times(), None, changes=True)())
    assert [task_id for task_id, _, _ in given] == [second, third, first]


def test_tasks_that_ended_before_the_stream_began_are_found() -> None:
    tasks = Tasks(3)
    tasks.ended.update(tasks.ids)
    service = Scripted(tasks, [[]])
    found = [
        task_id for task_id, _, _ in service.emitted(Completion(service.flows, tasks.times(), None, changes=True)())
    ]
    assert sorted(found) == sorted(tasks.ids)
    assert service.requests[0].path == "/tasks/events"


def test_several_tasks_that_end_together_are_read_by_one_request() -> None:
    tasks = Tasks(5)
    *several, last = tasks.ids

    def told() -> Iterator[bytes | Lost]:
        tasks.ended.update(several)
        yield b"".join(event(number, "completed", one) for number, one in enumerate(several))
        tasks.ended.add(last)
        yield event(len(several), "completed", last)

    service = Scripted(tasks, [told()])
    given = service.emitted(Completion(service.flows, tasks.times(), None, changes=True)())
    assert sorted(next(given)[0] for _ in several) == sorted(several)
    assert [request.path.partition("?")[0] for request in service.requests] == [
        "/tasks/events",
        *map(path_of, tasks.ids),
        "/tasks",
    ]
    assert [task_id for task_id, _, _ in given] == [last]


def test_tasks_of_a_list_are_not_read_again() -> None:
    tasks = Tasks(4)
    tasks.ended.update(tasks.ids[:3])
    service = Scripted(tasks, [[]])
    moment = datetime.now(UTC)
    given = service.emitted(Completion(service.flows, dict.fromkeys(tasks.ids, moment), None, changes=True)())
    assert sorted(next(given)[0] for _ in range(3)) == sorted(tasks.ids[:3])
    assert [request.path.partition("?")[0] for request in service.requests] == ["/tasks/events", "/tasks"]


def test_a_deleted_task_is_emitted_without_its_value() -> None:
    tasks = Tasks(2)
    tasks.deleted.update(tasks.ids)
    service = Scripted(tasks, [[]])
    given = list(service.emitted(Completion(service.flows, tasks.times(), None, changes=True)()))
    assert sorted(given) == sorted((one, None, None) for one in tasks.ids)


def test_following_tasks_ends_at_its_timeout() -> None:
    tasks = Tasks(3)
    service = Scripted(tasks, ([GONE] for _ in iter(int, 1)))
    with pytest.raises(WaitTimeout, match="3 of the tasks have not ended after 4 s"):
        list(service.emitted(Completion(service.flows, tasks.times(), 4, changes=True)()))
    assert service.time == pytest.approx(1004, abs=0.5)


def test_ends_are_waited_for_without_a_stream_of_all_tasks() -> None:
    tasks = Tasks(4)
    tasks.deleted.add(tasks.ids[2])
    service = Scripted(tasks)
    given = list(service.emitted(Completion(service.flows, tasks.times(), None)()))
    assert sorted(task_id for task_id, _, _ in given) == sorted(tasks.ids)
    assert {task_id for task_id, status, _ in given if status is None} == tasks.deleted
    assert {request.path for request in service.requests} == {"/tasks/ended"}
    requested = [json.loads(request.body or b"")["task_ids"] for request in service.requests]
    assert [len(task_ids) for task_ids in requested] == sorted(range(1, 5), reverse=True)


def test_stream_is_followed_while_there_are_more_tasks_than_a_request_may_name() -> None:
    tasks = Tasks(MAX_BATCH_TASKS + 2, ends_at_once=MAX_BATCH_TASKS)
    tasks.ended.update(tasks.ids[:2])
    service = Scripted(tasks, [[]])
    given = service.emitted(Completion(service.flows, dict.fromkeys(tasks.ids, datetime.now(UTC)), None)())
    assert sorted(task_id for task_id, _, _ in given) == sorted(tasks.ids)
    paths = [request.path.partition("?")[0] for request in service.requests]
    assert paths == ["/tasks/events", "/tasks", "/tasks/ended", "/tasks/ended"]


def test_completion_ends_at_its_timeout() -> None:
    tasks = Tasks(3, ends_at_once=0)
    service = Scripted(tasks)
    with pytest.raises(WaitTimeout, match="3 of the tasks have not ended after 4 s"):
        list(service.emitted(Completion(service.flows, tasks.times(), 4)()))
    assert service.time == pytest.approx(1004, abs=0.5)


def test_other_changes_are_emitted_on_request() -> None:
    tasks = Tasks(1)
    (only,) = tasks.ids

    def told() -> Iterator[bytes | Lost]:
        yield event(1, "processing", only)
        yield event(2, "processing", uuid4())
        tasks.ended.add(only)
        yield event(3, "completed", only)

    service = Scripted(tasks, [told()])
    given = service.emitted(Completion(service.flows, tasks.times(), None, changes=True)())
    assert [(task_id, status) for task_id, status, _ in given] == [(only, "processing"), (only, "completed")]
