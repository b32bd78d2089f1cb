"""The spans of requests, submissions and messages, and the contexts that they take and pass on."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, Submission
from tests.recorded_spans import CALLER_ID, TRACE_ID, TRACEPARENT, Recorded, span_id, trace_id

TASK = TaskId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
CORRELATION = CorrelationId("order-42")


def submission(task_id: TaskId = TASK) -> Submission:
    return Submission(
        task_id=task_id, spec=TaskSpec(circuit="", shots=1), correlation_id=CORRELATION, trace_context=TRACEPARENT
    )


def test_request_is_a_child_of_the_caller_and_its_tasks_are_its_children() -> None:
    recorded = Recorded()
    request = recorded.tracing.request("POST", {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}, CORRELATION)
    request.about(str(TASK))
    request.end("/tasks", 202)
    [span] = recorded.spans()
    assert span.name == "POST /tasks"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == CALLER_ID
    assert span.context is not None
    assert span.context.trace_state.to_header() == "vendor=1"
    assert request.traceparent == f"00-{TRACE_ID}-{span_id(span)}-01"
    assert request.log_fields == {"trace_id": TRACE_ID}
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/tasks",
        "http.response.status_code": 202,
        "ketline.correlation_id": "order-42",
        "ketline.task_id": str(TASK),
    }


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{CALLER_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-{CALLER_ID}-01",
        f"00-{TRACE_ID.upper()}-{CALLER_ID}-01",
        f"00-{TRACE_ID}-{CALLER_ID}",
        f"00-{TRACE_ID}-{CALLER_ID}-01-more",
        TRACEPARENT + "\n" + TRACEPARENT,
        "\u0664" * 55,
    ],
)
def test_malformed_traceparent_begins_a_new_trace(traceparent: str) -> None:
    recorded = Recorded()
    recorded.tracing.request("GET", {"traceparent": traceparent}, CORRELATION).end("/tasks", 200)
    [span] = recorded.spans()
    assert span.parent is None
    assert trace_id(span) != TRACE_ID


def test_request_of_a_trace_that_is_not_sampled_passes_that_on() -> None:
    recorded = Recorded()
    request = recorded.tracing.request("POST", {"traceparent": f"00-{TRACE_ID}-{CALLER_ID}-00"}, CORRELATION)
    request.end("/tasks", 202)
    assert recorded.spans() == ()
    assert request.traceparent is not None
    assert request.traceparent.startswith(f"00-{TRACE_ID}-")
    assert request.traceparent.endswith("-00")


@pytest.mark.parametrize(("status", "problem", "failed"), [(200, None, False), (404, "a", False), (503, "b", True)])
def test_only_errors_of_the_service_fail_a_request(status: int, problem: str | None, failed: bool) -> None:
    recorded = Recorded()
    recorded.tracing.request("GET", {}, CORRELATION).end("/tasks", status, problem)
    [span] = recorded.spans()
    assert span.attributes is not None
    assert span.attributes.get("error.type") == problem
    assert (not span.status.is_ok) is failed


def test_name_of_a_request_without_a_route_is_its_method() -> None:
    recorded = Recorded()
    recorded.tracing.request("GET", {}, CORRELATION).end(None, 404, "path_not_found")
    assert [span.name for span in recorded.spans()] == ["GET"]


def test_batch_is_stored_in_one_span() -> None:
    recorded, other = Recorded(), TaskId(UUID(int=7))
    accepted = [
        Accepted(task_id=task_id, submitted_at=datetime.now(UTC), correlation_id=CORRELATION)
        for task_id in (TASK, other)
    ]
    recorded.tracing.stored([submission(), submission(other)], accepted, recorded.tracing.now())
    recorded.tracing.stored([submission()], accepted[:1], recorded.tracing.now())
    batch, single = recorded.spans()
    assert batch.attributes == {"ketline.correlation_id": "order-42", "ketline.tasks": 2}
    assert single.attributes is not None
    assert single.attributes["ketline.task_id"] == str(TASK)


def test_task_that_is_published_again_has_two_messages_in_its_trace() -> None:
    recorded = Recorded()
    dispatch = Dispatch(task_id=TASK, correlation_id=CORRELATION, trace_context=TRACEPARENT)
    messages = [recorded.tracing.publication(dispatch) for _ in range(2)]
    for message in messages:
        message.end()
    first, second = recorded.spans()
    assert first.parent == second.parent
    assert trace_id(first) == trace_id(second) == TRACE_ID
    assert len({message.dispatch.trace_context for message in messages}) == 2


def test_message_carries_the_context_of_its_own_span() -> None:
    recorded = Recorded()
    dispatch = Dispatch(task_id=TASK, correlation_id=CORRELATION, trace_context=TRACEPARENT)
    publication = recorded.tracing.publication(dispatch)
    publication.end("no confirmation")
    [span] = recorded.spans()
    assert publication.dispatch.trace_context == f"00-{TRACE_ID}-{span_id(span)}-01"
    assert publication.dispatch.task_id == TASK
    assert not span.status.is_ok
