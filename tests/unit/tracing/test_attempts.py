"""The spans of an attempt: its steps, the parts of its program, and the links to what came before."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from ketline.client.trace_context import trace_headers
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.attempts.claim import Claim, Lease, Reaped
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.operations.tracing import Step
from tests.recorded_spans import CALLER_ID, TRACE_ID, TRACEPARENT, Recorded, span_id, trace_id
from tests.runners import RESULT

TASK = TaskId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
MESSAGE = f"00-{TRACE_ID}-{'d' * 16}-01"
MILLISECOND = 1_000_000


def claim(attempt: int = 1, trace_context: str | None = TRACEPARENT) -> Claim:
    return Claim(
        lease=Lease(task_id=TASK, attempt=attempt, token=LeaseToken(UUID(int=1)), worker_id=WorkerId("w")),
        project=DEFAULT_PROJECT,
        spec=TaskSpec(circuit="", shots=10),
        correlation_id=CorrelationId("order-42"),
        queued_seconds=0.25,
        trace_context=trace_context,
    )


def completed(recorded: Recorded, attempt: Claim, message: str | None = None) -> dict[str, ReadableSpan]:
    """The spans of an attempt that completed, by name."""
    trace = recorded.tracing.attempt(attempt, recorded.tracing.now(), message)
    trace.step(Step.RUN)
    trace.step(Step.RECORD)
    trace.ran(RESULT.profile)
    trace.end("completed", recorded=True)
    return recorded.by_name()


def test_attempt_has_its_steps_as_children() -> None:
    spans = completed(Recorded(), claim())
    own = span_id(spans["process task"])
    for name in ("claim task", "run program", "record outcome"):
        parent = spans[name].parent
        assert parent is not None
        assert f"{parent.span_id:016x}" == own
    assert spans["claim task"].end_time == spans["run program"].start_time
    assert spans["run program"].end_time == spans["record outcome"].start_time
    assert spans["record outcome"].end_time == spans["process task"].end_time
    assert {trace_id(span) for span in spans.values()} == {TRACE_ID}


def test_every_span_has_the_ids_of_the_task() -> None:
    for span in completed(Recorded(), claim()).values():
        assert span.attributes is not None
        assert span.attributes["ketline.task_id"] == str(TASK)
        assert span.attributes["ketline.correlation_id"] == "order-42"


def test_wait_is_as_long_as_the_claim_says_and_of_the_first_attempt_only() -> None:
    wait = completed(Recorded(), claim())["wait for worker"]
    assert wait.start_time is not None
    assert wait.end_time is not None
    assert wait.end_time - wait.start_time == 250 * MILLISECOND
    assert "wait for worker" not in completed(Recorded(), claim(attempt=2))


def test_parts_of_a_program_never_begin_before_it_runs() -> None:
    # The profile says 3 ms, and the steps took microseconds.
    spans = completed(Recorded(), claim())
    run = spans["run program"]
    for name in ("read program", "simulate circuit"):
        started = spans[name].start_time
        assert started is not None
        assert run.start_time is not None
        assert started >= run.start_time
    assert spans["read program"].end_time == spans["simulate circuit"].start_time


def test_attempt_links_to_the_one_before_and_to_its_message() -> None:
    first = completed(Recorded(), claim())["process task"]
    second = completed(Recorded(), claim(attempt=2), MESSAGE)["process task"]
    assert [f"{link.context.span_id:016x}" for link in second.links] == [span_id(first), "d" * 16]
    assert first.links == ()


@pytest.mark.parametrize("message", [None, "nonsense", TRACEPARENT])
def test_message_without_a_span_of_its_own_is_no_link(message: str | None) -> None:
    assert completed(Recorded(), claim(), message)["process task"].links == ()


def test_attempts_of_a_task_without_context_share_the_trace_that_its_id_names() -> None:
    first = completed(Recorded(), claim(trace_context=None))["process task"]
    second = completed(Recorded(), claim(attempt=2, trace_context=None))["process task"]
    assert trace_id(first) == trace_id(second) == TASK.hex
    assert first.parent is None
    assert [f"{link.context.span_id:016x}" for link in second.links] == [span_id(first)]


def test_reaper_ends_the_attempt_of_a_lost_worker_in_its_place() -> None:
    lost = Reaped(
        task_id=TASK,
        correlation_id=CorrelationId("order-42"),
        attempt=1,
        worker_id=WorkerId("w"),
        status=TaskStatus.PENDING,
        cause="worker_lost",
        trace_context=TRACEPARENT,
        held_seconds=timedelta(seconds=12).total_seconds(),
    )
    recorded = Recorded()
    recorded.tracing.reaped(lost)
    span = recorded.by_name()["process task"]
    assert span_id(span) == span_id(completed(Recorded(), claim())["process task"])
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 12_000 * MILLISECOND
    assert not span.status.is_ok


def test_attempt_whose_outcome_was_not_recorded_leaves_its_id_to_the_reaper() -> None:
    recorded = Recorded()
    trace = recorded.tracing.attempt(claim(), recorded.tracing.now())
    trace.end("lease_lost", recorded=False)
    ended = recorded.by_name()["process task"]
    assert span_id(ended) != span_id(completed(Recorded(), claim())["process task"])


def test_only_the_first_end_counts() -> None:
    recorded = Recorded()
    trace = recorded.tracing.attempt(claim(), recorded.tracing.now())
    trace.end("failed", recorded=True, code="parse_error")
    trace.end("crashed", recorded=False)
    [span] = [span for span in recorded.spans() if span.name == "process task"]
    assert span.attributes is not None
    assert (span.attributes["ketline.outcome"], span.attributes["error.type"]) == ("failed", "parse_error")


def test_clients_within_an_attempt_send_its_context_on() -> None:
    recorded = Recorded()
    trace = recorded.tracing.attempt(claim(), recorded.tracing.now())
    with trace.active():
        sent = trace_headers()
    assert trace_headers() == {}
    trace.end("completed", recorded=True)
    assert sent == {"traceparent": f"00-{TRACE_ID}-{span_id(recorded.by_name()['process task'])}-01"}


def test_task_of_a_trace_that_is_not_sampled_makes_no_spans() -> None:
    recorded = Recorded()
    unsampled = replace(claim(), trace_context=f"00-{TRACE_ID}-{CALLER_ID}-00")
    assert completed(recorded, unsampled) == {}
