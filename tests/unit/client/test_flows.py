"""The requests and results of flows, with failures at any point."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from ketline.client import (
    AddressInvalid,
    BacklogFull,
    BatchIncomplete,
    Client,
    ClientError,
    Queue,
    RequestRefused,
    ServiceUnreachable,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    UnexpectedAnswer,
    WaitTimeout,
)
from ketline.client.decoding import read_task
from ketline.client.flows import MAX_BYTES_IN_A_REQUEST, parts_of
from ketline.client.models import Accepted
from ketline.client.problems import failure_of
from ketline.client.steps import Lost, Request, Response
from ketline.domain.limits import MAX_BATCH_TASKS
from tests.unit.client.scripted import TASK_ID, Scripted, accepted, answered, in_turn, problem, task

GONE = Lost("the connection was reset")


def key(request: Request) -> str:
    return request.headers["idempotency-key"]


def test_external_backends_come_after_the_service_s_own() -> None:
    own, lab = {"name": "ketline-aer"}, {"name": "lab", "queue": "run.lab"}
    for document, found in (({"backends": [own]}, (own,)), ({"backends": [own], "external": [lab]}, (own, lab))):
        service = Scripted(in_turn(answered(document)))
        assert service.run(service.flows.backends()) == found


def test_usage_is_requested_with_what_is_given() -> None:
    service = Scripted(in_turn(answered({"rows": []})))
    found = service.run(service.flows.usage({"from": date(2026, 11, 1), "to": None, "group": "day,owner"}))
    assert found == {"rows": []}
    assert [request.path for request in service.requests] == ["/usage?from=2026-11-01&group=day%2Cowner"]


def test_history_is_requested_with_what_is_given() -> None:
    service = Scripted(in_turn(answered({"points": []})))
    start = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert service.run(service.flows.history({"from": start, "to": None, "step": 300})) == {"points": []}
    [request] = service.requests
    assert request.path == "/tasks/stats/history?from=2026-11-30T12%3A00%3A00%2B00%3A00&step=300"


def test_statistics_have_the_counts_of_each_queue() -> None:
    counted = {"counted_at": "2026-01-02T03:04:05.678901Z", "counts": {"pending": 3}}
    queues = {"convert": {"waiting": 2, "processing": 1}}
    service = Scripted(in_turn(answered({**counted, "queues": queues}), answered(counted)))
    assert service.run(service.flows.statistics()).queues == queues
    assert service.run(service.flows.statistics()).queues == {}, "an older service"


def test_every_attempt_of_a_submission_has_the_same_key_and_body() -> None:
    service = Scripted(
        in_turn(
            GONE, problem("backlog_full", 429), problem("database_unavailable", 503), GONE, answered(accepted(), 202)
        )
    )
    found = service.run(service.flows.submit("qubit q;", {"shots": 5}, "k"))
    assert found.task_id == TASK_ID
    assert len(service.requests) == 5
    assert {(key(one), one.body) for one in service.requests} == {("k", b'{"qc": "qubit q;", "shots": 5}')}


def test_last_error_is_raised_when_the_retry_time_ends() -> None:
    service = Scripted(in_turn(problem("backlog_full", 429)))
    with pytest.raises(BacklogFull) as raised:
        service.run(service.flows.submit("qubit q;", {}, "k"))
    assert sum(service.pauses) == pytest.approx(120)
    assert raised.value.attempts == len(service.requests) > 10


def test_a_service_that_never_answered_is_retried_for_a_shorter_time() -> None:
    service = Scripted(in_turn(GONE))
    with pytest.raises(ServiceUnreachable, match=r"Cannot reach http://ketline[.]test: the connection was reset"):
        service.run(service.flows.workers())
    assert sum(service.pauses) == pytest.approx(10)


def test_a_service_that_answered_before_is_retried_for_longer() -> None:
    service = Scripted(in_turn(answered({"workers": []}), GONE))
    service.run(service.flows.workers())
    with pytest.raises(ServiceUnreachable):
        service.run(service.flows.workers())
    assert sum(service.pauses) == pytest.approx(120)


def test_rejection_has_its_code_and_faults() -> None:
    faults = [{"detail": "must be at least 1", "pointer": "#/shots"}]
    service = Scripted(in_turn(problem("invalid_request", 422, errors=faults, correlation_id="c-1")))
    with pytest.raises(RequestRefused) as raised:
        service.run(service.flows.submit("", {"shots": 0}, "k"))
    error = raised.value
    assert (error.code, error.status, error.correlation_id, error.attempts) == ("invalid_request", 422, "c-1", 1)
    assert [(fault.pointer, fault.detail) for fault in error.faults] == [("#/shots", "must be at least 1")]


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200, body=b"<html>Welcome</html>"),
        Response(status=200, body=b"[]"),
        answered({"task_id": "none"}),
        answered(task(status="folded")),
        Response(status=302, headers={"location": "https://login.example"}),
    ],
)
def test_responses_of_other_services_are_unexpected_answers(answer: Response) -> None:
    service = Scripted(in_turn(answer))
    with pytest.raises(UnexpectedAnswer):
        service.run(service.flows.read(TASK_ID))


def test_error_without_a_problem_document_has_its_status() -> None:
    service = Scripted(in_turn(Response(status=413, body=b"<html>nginx</html>")))
    with pytest.raises(RequestRefused) as raised:
        service.run(service.flows.submit("qubit q;", {}, "k"))
    assert (raised.value.status, raised.value.code) == (413, "unknown")


def test_run_is_one_request_for_a_task_that_ends_at_once() -> None:
    service = Scripted(in_turn(answered(task())))
    found = service.run(service.flows.run("qubit q;", {}, "k"))
    assert isinstance(found, Task)
    assert found.result is not None
    assert found.result.counts == {"00": 3, "11": 4}


def test_run_waits_by_id_for_a_task_that_does_not_end_at_once() -> None:
    service = Scripted(in_turn(answered(accepted(), 202)))
    assert isinstance(service.run(service.flows.run("qubit q;", {}, "k")), Accepted)


def test_wait_continues_after_lost_responses_and_restarts() -> None:
    responses = in_turn(answered(task("pending")), GONE, answered(task("processing")), GONE, GONE, answered(task()))
    service = Scripted(responses)
    assert service.run(service.flows.wait(TASK_ID, None)).ended
    assert {request.headers["prefer"] for request in service.requests} == {"shape=full, wait=30"}
    assert all((request.read_timeout_seconds or 0) > 30 for request in service.requests)


def test_wait_polls_at_growing_intervals_if_the_service_does_not_wait() -> None:
    service = Scripted(in_turn(*[answered(task("pending"))] * 30, answered(task())))
    service.run(service.flows.wait(TASK_ID, None))
    assert service.pauses == sorted(service.pauses)
    assert service.pauses[-1] == 2.0


def test_wait_ends_at_its_timeout() -> None:
    service = Scripted(in_turn(answered(task("processing"))))
    with pytest.raises(WaitTimeout, match="still processing after 5 s"):
        service.run(service.flows.wait(TASK_ID, 5))
    assert service.time == pytest.approx(1005)


def test_wait_ends_at_its_timeout_without_any_response() -> None:
    service = Scripted(in_turn(answered(task("processing")), GONE))
    with pytest.raises(WaitTimeout, match="the connection was reset"):
        service.run(service.flows.wait(TASK_ID, 5))
    assert service.time <= 1005


def ended(tasks: list[dict[str, object]], **ids: list[UUID]) -> Response:
    others = {name: list(map(str, ids.get(name, ()))) for name in ("running", "unread", "missing")}
    return answered({"tasks": tasks, **others})


def test_many_tasks_are_waited_for_and_read_with_one_request() -> None:
    other, gone = uuid4(), uuid4()
    service = Scripted(in_turn(GONE, ended([task("failed", other), task()], missing=[gone])))
    found = service.run(service.flows.wait_for_all([TASK_ID, other, gone, TASK_ID], None))
    assert {task_id: one and one.status for task_id, one in found.items()} == {
        TASK_ID: "completed",
        other: "failed",
        gone: None,
    }
    assert {request.headers["prefer"] for request in service.requests} == {"wait=30"}
    assert all((request.read_timeout_seconds or 0) > 30 for request in service.requests)
    requested = json.loads(service.requests[-1].body or b"")
    assert requested == {"task_ids": list(map(str, (TASK_ID, other, gone))), "until": "all"}


def test_only_tasks_that_have_not_ended_are_requested_again() -> None:
    other = uuid4()
    service = Scripted(in_turn(ended([task()], running=[other]), ended([task(task_id=other)])))
    assert service.run(service.flows.wait_for_all([TASK_ID, other], None)).keys() == {TASK_ID, other}
    assert json.loads(service.requests[-1].body or b"")["task_ids"] == [str(other)]


def test_results_too_large_to_be_read_together_are_read_one_by_one() -> None:
    other = uuid4()
    responses = in_turn(ended([], unread=[TASK_ID, other]), answered(task()), ended([task(task_id=other)]))
    service = Scripted(responses)
    assert service.run(service.flows.wait_for_all([TASK_ID, other], None))[TASK_ID] is not None
    assert [request.path for request in service.requests] == ["/tasks/ended", f"/tasks/{TASK_ID}", "/tasks/ended"]


def test_a_large_result_that_was_deleted_meanwhile_is_missing() -> None:
    service = Scripted(in_turn(ended([], unread=[TASK_ID]), problem("task_not_found", 404)))
    assert service.run(service.flows.wait_for_all([TASK_ID], None)) == {TASK_ID: None}


def test_more_tasks_than_a_request_may_name_are_waited_for_in_parts() -> None:
    task_ids = [uuid4() for _ in range(MAX_BATCH_TASKS + 1)]
    service = Scripted(
        in_turn(ended([task(task_id=each) for each in task_ids[:-1]]), ended([task(task_id=task_ids[-1])]))
    )
    assert list(service.run(service.flows.wait_for_all(task_ids, None))) == task_ids
    assert len(service.requests) == 2


def test_wait_for_all_polls_at_growing_intervals_if_the_service_does_not_wait() -> None:
    service = Scripted(in_turn(*[ended([], running=[TASK_ID])] * 30, ended([task()])))
    service.run(service.flows.wait_for_all([TASK_ID], None))
    assert service.pauses == sorted(service.pauses)
    assert service.pauses[-1] == 2.0


def test_wait_for_all_ends_at_its_timeout() -> None:
    service = Scripted(in_turn(ended([task()], running=[uuid4()])))
    with pytest.raises(WaitTimeout, match="1 of the tasks have not ended after 5 s"):
        service.run(service.flows.wait_for_all([TASK_ID, uuid4()], 5))


def test_waiting_for_no_tasks_sends_nothing() -> None:
    service = Scripted(in_turn(GONE))
    assert service.run(service.flows.wait_for_all([], None)) == {}
    assert service.requests == []


def test_a_lost_answer_to_a_cancellation_does_no_harm() -> None:
    cancelled = problem("task_ended", 409, task_status="cancelled")
    service = Scripted(in_turn(GONE, cancelled, answered(task("cancelled"))))
    assert service.run(service.flows.cancel(TASK_ID)).status == "cancelled"


def test_a_lost_answer_to_a_release_does_no_harm() -> None:
    released = task("pending", hold=True, released_at="2026-01-02T03:04:05Z")
    service = Scripted(in_turn(GONE, answered(released)))
    found = service.run(service.flows.enqueue(TASK_ID))
    assert (found.hold, found.released_at) == (True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_deliveries_are_read_and_repeated() -> None:
    delivery = {"task_id": str(TASK_ID), "state": "dead"}
    page = answered({"deliveries": [delivery]})
    service = Scripted(in_turn(page, GONE, page, answered(delivery, 202), answered({"repeated": 3}, 202)))
    flows = service.flows
    assert service.run(flows.deliveries(TASK_ID)) == (delivery,)
    assert service.run(flows.recent_deliveries({"state": "dead", "limit": 2})) == (delivery,)
    assert service.run(flows.redeliver(TASK_ID)) == delivery
    assert service.run(flows.redeliver_dead()) == 3
    assert [(request.method, request.path) for request in service.requests] == [
        ("GET", f"/tasks/{TASK_ID}/deliveries"),
        *[("GET", "/deliveries?state=dead&limit=2")] * 2,
        ("POST", f"/tasks/{TASK_ID}/redeliver"),
        ("POST", "/deliveries/redeliver"),
    ]


def test_a_completed_task_is_not_cancelled() -> None:
    service = Scripted(in_turn(problem("task_ended", 409, task_status="completed")))
    with pytest.raises(RequestRefused) as raised:
        service.run(service.flows.cancel(TASK_ID))
    assert raised.value.code == "task_ended"


def test_a_lost_answer_to_a_deletion_does_no_harm() -> None:
    service = Scripted(in_turn(GONE, problem("task_not_found", 404)))
    service.run(service.flows.delete(TASK_ID))
    with pytest.raises(TaskNotFound):
        service.run(service.flows.delete(TASK_ID))


def test_a_large_batch_is_sent_in_parts_with_their_own_keys() -> None:
    def answer(request: Request) -> Response | Lost:
        lost = key(request) == "k-1" and len(service.requests) == 2
        count = len(json.loads(request.body or b"")["tasks"])
        return GONE if lost else answered({"tasks": [accepted(uuid4()) for _ in range(count)]}, 202)

    service = Scripted(answer)
    made = service.run(service.flows.submit_batch([("qubit q;", {})] * 2500, "k", lambda one: one))
    assert len({one.task_id for one in made}) == 2500
    assert [key(request) for request in service.requests] == ["k", "k-1", "k-1", "k-2"]
    assert service.requests[1].body == service.requests[2].body


def test_a_batch_that_is_stored_in_part_has_the_stored_tasks() -> None:
    def answer(request: Request) -> Response | Lost:
        if key(request) == "k-1":
            return problem("invalid_request", 422)
        return answered({"tasks": [accepted()] * 1000}, 202)

    service = Scripted(answer)
    with pytest.raises(BatchIncomplete, match="1000 of 1001") as raised:
        service.run(service.flows.submit_batch([("qubit q;", {})] * 1001, "k", lambda one: one.task_id))
    assert raised.value.tasks == (TASK_ID,) * 1000
    assert isinstance(raised.value.__cause__, RequestRefused)


def test_parts_fit_into_a_request_and_keep_the_order() -> None:
    items: list[dict[str, object]] = [
        {"qc": "x" * size, "n": n} for n, size in enumerate([5 << 20, 10, 3 << 20, 2 << 20, 1])
    ]
    parts = list(parts_of(items))
    assert [[json.loads(one)["n"] for one in part] for part in parts] == [[0], [1, 2], [3, 4]]
    assert all(len(part) <= MAX_BATCH_TASKS for part in parts)
    assert all(sum(map(len, part)) <= MAX_BYTES_IN_A_REQUEST for part in parts if len(part) > 1)


def test_failure_points_at_the_line() -> None:
    failed = read_task(task("failed", error={"code": "parse_error", "message": "no such gate", "line": 2, "column": 3}))
    error = failure_of(failed, "qubit q;\n  foo q;")
    assert (error.code, error.line, error.column, error.task_id) == ("parse_error", 2, 3, TASK_ID)
    assert str(error) == "parse_error at line 2, column 3: no such gate\n    foo q;\n    ^"


def test_cancelled_task_has_its_own_error() -> None:
    error = failure_of(read_task(task("cancelled", error={"code": "cancelled", "message": "on request"})))
    assert isinstance(error, TaskCancelled)
    assert isinstance(error, TaskFailed)
    assert isinstance(error, ClientError)


def test_unknown_fields_are_ignored_but_remain_in_data() -> None:
    found = read_task(task("pending", mood="blue"))
    assert found.data["mood"] == "blue"


def test_position_in_the_queue_is_read() -> None:
    place = {"position": 3, "at_least": True, "estimated_start": "2026-01-02T03:04:05Z"}
    queue = read_task(task("pending", queue=place, priority=10)).queue
    assert queue is not None
    assert (queue.position, queue.at_least, queue.estimated_start) == (
        3,
        True,
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert read_task(task("pending", queue={"position": 1})).queue == Queue(position=1)


def test_sweep_has_points() -> None:
    counts: list[dict[str, int]] = [{"0": 9}, {"0": 5, "1": 4}]
    result = read_task(task(result={"counts": counts, "shots": 9, "memory": [["0"], ["1"]]})).result
    assert result is not None
    assert list(result.points) == counts
    assert result.memories == (["0"], ["1"])
    with pytest.raises(ValueError, match="sweep of 2 points"):
        _ = result.counts


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://host", "http://", "http://host:port", "http://host?x=1", "http://a..b/", "http://xn--a/"],
)
def test_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(AddressInvalid):
        Client(url)


def test_invalid_key_is_rejected_and_not_in_the_message() -> None:
    with pytest.raises(AddressInvalid) as raised:
        Client("http://host", api_key="sec\nret")
    assert "ret" not in str(raised.value).replace("others", "")


def test_password_in_a_url_is_not_in_the_message() -> None:
    with Client("http://ada:secret@host") as client:
        assert "secret" not in repr(client)


@pytest.mark.parametrize("offset", [UTC, timezone(timedelta(hours=5)), None])
def test_times_in_a_filter_have_an_offset(offset: timezone | None) -> None:
    service = Scripted(in_turn(answered({"tasks": [], "next": None})))
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=offset)
    service.run(service.flows.page({"submitted_after": moment}))
    (written,) = parse_qs(urlsplit(service.requests[0].path).query)["submitted_after"]
    assert "T" in written
    assert datetime.fromisoformat(written).utcoffset() is not None
    assert datetime.fromisoformat(written) == moment.astimezone(UTC)


def test_misspelt_option_is_named() -> None:
    service = Scripted(in_turn(answered(accepted(), 202)))
    wrong: Any = {"shot": 5}
    with pytest.raises(TypeError, match="no option shot"):
        service.run(service.flows.submit("qubit q;", wrong, "k"))
    assert service.requests == []


def test_program_that_is_not_text_is_rejected_before_a_request() -> None:
    service = Scripted(in_turn(answered(accepted(), 202)))
    circuit: Any = object()
    with pytest.raises(TypeError, match="OpenQASM text, not object"):
        service.run(service.flows.submit_batch([("qubit q;", {}), (circuit, {})], "k", lambda one: one))
    assert service.requests == []


def test_ids_are_checked_before_a_request() -> None:
    with Client("http://host") as client, pytest.raises(ValueError, match="hexadecimal"):
        client.task("../workers")
    assert UUID(str(TASK_ID)) == TASK_ID
