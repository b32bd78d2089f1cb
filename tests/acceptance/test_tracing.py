"""Traces of real services, as a collector receives them: one tree for each task, in both modes and over faults."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from ketline.client import AsyncClient, trace_context
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import kill_at_work
from tests.acceptance.programs import BELL, ENDLESS, long_program
from tests.acceptance.test_distributed import QUICK_LEASE
from tests.collector import Collector, Span, open_collector
from tests.servers.ports import free_ports

TRACE, CALLER = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TRACE_ID, CALLER_ID = f"{TRACE:032x}", f"{CALLER:016x}"
TRACEPARENT = f"00-{TRACE_ID}-{CALLER_ID}-01"
# The spans of a task beside the request that submitted it, by name, each with the name of its parent.
TASK_TREE = {
    "store task": "POST /tasks",
    "publish task": "POST /tasks",
    "wait for worker": "POST /tasks",
    "process task": "POST /tasks",
    "claim task": "process task",
    "run program": "process task",
    "read program": "run program",
    "simulate circuit": "run program",
    "record outcome": "process task",
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as collector:
        yield collector


async def spans_until(collector: Collector, found: Callable[[Sequence[Span]], bool]) -> list[Span]:
    return await asyncio.to_thread(collector.until, found)


async def spans_of(collector: Collector, task_id: str, *, attempts: int = 1) -> list[Span]:
    """The spans of a task once so many attempts of it and its messages have arrived; those of requests are not."""

    def about(spans: Sequence[Span]) -> list[Span]:
        return [span for span in spans if span.attributes.get("ketline.task_id") == task_id and span.kind != "SERVER"]

    def complete(spans: Sequence[Span]) -> bool:
        names = [span.name for span in about(spans)]
        return names.count("process task") == attempts and "publish task" in names

    return about(await spans_until(collector, complete))


def tree_of(spans: Sequence[Span]) -> Mapping[str, str]:
    """The name of each span's parent, by its own name."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, span.parent_id) for span in spans}


def only(spans: Sequence[Span], name: str) -> Span:
    [found] = [span for span in spans if span.name == name]
    return found


def attempts_of(spans: Sequence[Span]) -> list[Span]:
    found = [span for span in spans if span.name == "process task"]
    return sorted(found, key=lambda span: int(span.attributes["ketline.attempt"]))


async def assert_one_tree(collector: Collector, task: Mapping[str, Any]) -> list[Span]:
    """Check the tree of a task that was submitted under `TRACEPARENT` and completed in its first attempt."""
    # Its process has sent what it stored and published before.
    submission = only(
        await spans_until(collector, lambda spans: any(span.name == "POST /tasks" for span in spans)), "POST /tasks"
    )
    spans = await spans_of(collector, task["task_id"])
    tree = dict(tree_of([*spans, submission]))
    assert tree.pop("POST /tasks") == CALLER_ID
    assert tree == TASK_TREE
    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert {span.attributes["ketline.correlation_id"] for span in spans} == {task["correlation_id"]}
    assert only(spans, "process task").links == [only(spans, "publish task").span_id]
    assert all(span.started <= span.ended for span in spans)
    simulated, run = only(spans, "simulate circuit"), only(spans, "run program")
    assert simulated.ended - simulated.started == pytest.approx(1e9 * task["profile"]["simulating_seconds"], abs=2000)
    assert run.started <= only(spans, "read program").started
    assert simulated.ended == run.ended
    return spans


async def test_embedded_service_sends_one_tree_of_a_task(embedded: Embedded, collector: Collector) -> None:
    up = await embedded.up(**collector.environment)
    async with embedded.api() as api:
        submitted = await api.http.post("/tasks", json={"qc": BELL}, headers={"traceparent": TRACEPARENT})
        task = await api.ended(submitted.json()["task_id"])
    spans = await assert_one_tree(collector, task)
    assert only(spans, "process task").resource["service.name"] == "ketline"
    line = await up.logged("task.completed", task_id=task["task_id"])
    assert line["trace_id"] == TRACE_ID
    assert await up.stop() == 0


async def test_client_sends_the_context_of_its_caller(embedded: Embedded, collector: Collector) -> None:
    await embedded.up(**collector.environment)
    caller = SpanContext(TRACE, CALLER, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    async with AsyncClient(f"http://127.0.0.1:{embedded.port}") as client:
        with use_span(NonRecordingSpan(caller)):
            handle = await client.submit(BELL)
            await handle.result()
        with trace_context(f"00-{'b' * 32}-{'c' * 16}-01"):
            other = await client.submit(BELL)
        await other.result()
    spans = await spans_of(collector, str(handle.task_id))
    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert {span.trace_id for span in await spans_of(collector, str(other.task_id)) if span.kind == "CONSUMER"} == {
        "b" * 32
    }


async def test_batch_is_one_trace_and_a_sweep_one_attempt(embedded: Embedded, collector: Collector) -> None:
    await embedded.up(**collector.environment)
    sweep = "OPENQASM 3.0; input float a; qubit q; bit c; U(a, 0, 0) q; c = measure q;"
    batch = [{"qc": BELL}, {"qc": BELL}, {"qc": sweep, "inputs": {"a": [0.1, 0.2, 0.3]}}]
    async with embedded.api() as api:
        response = await api.http.post("/tasks/batch", json={"tasks": batch}, headers={"traceparent": TRACEPARENT})
        ids = [task["task_id"] for task in response.json()["tasks"]]
        for task_id in ids:
            assert (await api.ended(task_id))["status"] == "completed"
    found = [await spans_of(collector, task_id) for task_id in ids]
    [request] = {only(spans, "process task").parent_id for spans in found}
    everything = collector.spans()
    assert next(span for span in everything if span.span_id == request).name == "POST /tasks/batch"
    assert only(everything, "store task").attributes["ketline.tasks"] == 3
    assert only(found[2], "process task").attributes["ketline.points"] == 3
    assert tree_of(found[2])["simulate circuit"] == "run program"


async def test_next_attempt_links_to_that_whose_simulator_was_killed(embedded: Embedded, collector: Collector) -> None:
    up = await embedded.up(WORKER_RETRY_DELAY_S="0.1", KETLINE_WORKER_SLOTS="1", **collector.environment)
    async with embedded.api() as api:
        task_id = await api.submit(long_program(rounds=60), method="statevector")
        await kill_at_work(up)
        assert (await api.ended(task_id))["status"] == "completed"
    first, second = attempts_of(await spans_of(collector, task_id, attempts=2))
    assert (first.failed, first.attributes["ketline.outcome"]) == (True, "interrupted")
    assert (second.failed, second.attributes["ketline.outcome"]) == (False, "completed")
    assert first.span_id in second.links
    assert first.trace_id == second.trace_id
    assert first.parent_id == second.parent_id


async def test_next_attempt_links_to_that_of_a_killed_worker(distributed: Distributed, collector: Collector) -> None:
    settings = {**QUICK_LEASE, **collector.environment}
    await distributed.start_api(**settings)
    doomed = await distributed.start_worker("doomed", **settings)
    async with distributed.api() as api:
        headers = {"traceparent": TRACEPARENT}
        quick = (await api.http.post("/tasks", json={"qc": BELL}, headers=headers)).json()["task_id"]
        await assert_one_tree(collector, await api.ended(quick))
        task_id = await api.submit(long_program(rounds=60), method="statevector")
        await api.reached(task_id, "processing")
        await doomed.kill()
        await distributed.start_worker("heir", **settings)
        assert (await api.ended(task_id))["status"] == "completed"
    lost, heirs = attempts_of(await spans_of(collector, task_id, attempts=2))
    assert (lost.failed, lost.attributes["ketline.worker_id"]) == (True, "doomed")
    assert lost.attributes["error.type"] == "worker_lost"
    assert lost.ended - lost.started >= 1e9 * float(QUICK_LEASE["KETLINE_LEASE_S"])
    assert heirs.attributes["ketline.worker_id"] == "heir"
    assert lost.span_id in heirs.links
    assert {lost.resource["ketline.role"], heirs.resource["ketline.role"]} <= {"api", "worker"}


async def test_service_without_its_collector_runs_tasks_and_stops_in_time(embedded: Embedded) -> None:
    [closed] = free_ports(1)
    up = await embedded.up(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{closed}",
        OTEL_BSP_SCHEDULE_DELAY="50",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    async with embedded.api() as api:
        for _ in range(5):
            assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        lost = await up.logged("tracing.spans_lost")
        assert lost["reason"].endswith("ConnectionError")
        for _ in range(5):
            assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    assert await up.stop() == 0
    events = [line["event"] for line in up.log_lines() if line["level"] not in ("debug", "info")]
    # One when the first batch was lost, and at most one with the rest when the process ends.
    assert set(events) == {"tracing.spans_lost"}
    assert len(events) <= 2


async def test_running_task_is_handed_back_in_a_span_before_the_process_ends(
    embedded: Embedded, collector: Collector
) -> None:
    up = await embedded.up(
        KETLINE_SHUTDOWN_GRACE_S="0", **{**collector.environment, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    )
    async with embedded.api() as api:
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        assert await up.stop() == 0
    [attempt] = attempts_of([s for s in collector.spans() if s.attributes.get("ketline.task_id") == task_id])
    assert (attempt.failed, attempt.attributes["ketline.outcome"]) == (False, "handed_back")
