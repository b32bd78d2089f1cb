"""What must hold after a run, and what must have been seen in it: each check gives the rows of a table."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ketline.domain.operations import metrics as table
from ketline.domain.operations.metrics import INSTRUMENTS, Instrument
from tests.acceptance.steady_load import SteadyLoad
from tests.acceptance.test_tracing import TASK_TREE, attempts_of
from tests.chaos.verdict import invariants
from tests.chaos.verdict.records import StoredTask, Violation
from tests.collector import Span
from tests.observed.load import expected_status, has_callback
from tests.observed.stack import Stack
from tests.observed.watch import Watch, has_changed

# What these faults cannot cause, and why.
QUIET_ALERTS = {
    "KetlineDatabaseFull": "needs a disk that is full",
    "KetlineDiskAlmostFull": "only `ketline up` has a data directory",
}
CONSTANT_METRICS: Mapping[Instrument, str] = {
    table.BUILD: "a constant",
    table.SLOTS: "a constant",
    table.DATA_FREE: "only `ketline up` has a data directory",
    table.DATA_SIZE: "only `ketline up` has a data directory",
}
# Their series are there only while something is wrong.
PASSING_METRICS = frozenset({table.DEPENDENCY_PROBLEM})
# Outcomes of attempts whose lease another process has ended.
UNRECORDED = frozenset({"fenced_off", "lease_lost"})
SPANS = frozenset({*TASK_TREE, "POST /tasks"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table; `sound` is None where nothing was to be seen."""

    area: str
    name: str
    sound: bool | None
    detail: str = ""


def tasks_rows(load: SteadyLoad, tasks: Sequence[StoredTask]) -> Iterator[Row]:
    """Each accepted task is there once, has ended as it should, and was recorded once."""
    broken: list[Violation] = [
        *invariants.acknowledged_exist(load.acknowledged, tasks),
        *invariants.one_task_per_key(load.acknowledged, tasks),
        *invariants.all_terminal(tasks),
        *_statuses(load, tasks),
    ]
    of_one = (
        invariants.history_is_legal,
        invariants.attempts_grow,
        invariants.leases_close_once,
        invariants.result_is_of_last_attempt,
    )
    broken += [violation for task in tasks for check in of_one for violation in check(task)]
    detail = f"{len(load.acknowledged)} accepted, {len(tasks)} stored, {len(load.retried_at)} retries of clients"
    yield Row(area="tasks", name="none lost, none recorded twice", sound=not broken, detail=detail)
    for violation in broken[:20]:
        yield Row(
            area="tasks", name=violation.invariant, sound=False, detail=f"{violation.subject}: {violation.detail}"
        )


def _statuses(load: SteadyLoad, tasks: Sequence[StoredTask]) -> Iterator[Violation]:
    status = {task.task_id: task.status for task in tasks}
    for promise in load.acknowledged:
        found, expected = status.get(promise.task_id), expected_status(promise.number)
        if found != expected:
            yield Violation(invariant=f"the task is {expected}", subject=promise.task_id, detail=str(found))


def webhook_rows(stack: Stack, load: SteadyLoad, tasks: Sequence[StoredTask]) -> Iterator[Row]:
    """Each end of a task with a callback arrived, under one id."""
    called = {promise.task_id for promise in load.acknowledged if has_callback(promise.number)}
    broken = list(
        invariants.messages_arrive([task for task in tasks if task.task_id in called], stack.callbacks.accepted)
    )
    detail = f"{len(called)} expected, {len(stack.callbacks.accepted)} accepted of {len(stack.receiver.requests)} sent"
    yield Row(area="webhooks", name="each delivered", sound=not broken, detail=detail)
    for violation in broken[:10]:
        yield Row(area="webhooks", name=violation.invariant, sound=False, detail=violation.subject)


async def metric_rows(watch: Watch) -> Sequence[Row]:
    """Each metric was seen, and changed unless it cannot."""
    rows = []
    for instrument in INSTRUMENTS:
        history = await watch.history(instrument)
        reason = CONSTANT_METRICS.get(instrument)
        seen = bool(history) if instrument in PASSING_METRICS else has_changed(instrument, history)
        sound = seen if reason is None else None
        values = [value for series in history for value in series]
        detail = reason or (f"{min(values):g} to {max(values):g}, {len(history)} series" if values else "never seen")
        rows.append(Row(area="metrics", name=instrument.name, sound=sound, detail=detail))
    return rows


async def alert_rows(watch: Watch, names: Sequence[str], still: set[str]) -> Sequence[Row]:
    """Each alert that the faults can cause fired while they lasted, and ended."""
    fired = await watch.ever_fired()
    rows = []
    for name in names:
        seconds = sum(value for label, value in fired.items() if label.split()[0] == name)
        ceased = not any(label.split()[0] == name for label in still)
        reason = QUIET_ALERTS.get(name)
        in_time = not any(label.split()[0] == name for label in watch.missed)
        detail = reason or f"fired for {seconds:g} s" + ("" if ceased else ", and still does")
        if not in_time:
            detail += ", not while its fault lasted"
        sound = None if reason and not seconds else bool(seconds) and ceased and in_time
        rows.append(Row(area="alerts", name=name, sound=sound, detail=detail))
    return rows


def span_rows(spans: Sequence[Span], tasks: Sequence[StoredTask]) -> Iterator[Row]:
    """Each kind of span arrived; those of a task are of one trace, and each attempt links to the one before."""
    counts: dict[str, int] = defaultdict(int)
    of_task: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        counts[span.name] += 1
        task_id = span.attributes.get("ketline.task_id")
        if task_id is not None and span.kind != "SERVER":
            of_task[str(task_id)].append(span)
    for name in sorted(SPANS):
        yield Row(area="spans", name=name, sound=counts[name] > 0, detail=f"{counts[name]}")
    several = [task_id for task_id, found in of_task.items() if len({span.trace_id for span in found}) > 1]
    yield Row(
        area="spans", name="one trace for each task", sound=not several, detail=f"{len(several)} of {len(of_task)}"
    )
    links = [pair for found in of_task.values() for pair in _successive(attempts_of(found))]
    unlinked = [f"{first} and {second}" for first, second in links if first.span_id not in second.links]
    yield Row(
        area="spans",
        name="links to the attempt before",
        sound=bool(links) and not unlinked,
        detail="; ".join([f"{len(links) - len(unlinked)} of {len(links)}", *unlinked]),
    )
    expected = sum(task.attempt for task in tasks)
    arrived = counts["process task"]
    yield Row(
        area="spans", name="spans of attempts", sound=arrived >= 0.95 * expected, detail=f"{arrived} of {expected}"
    )


def _successive(attempts: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Each attempt with the one before; that has no span of its own if its worker could not record its outcome."""
    ended = {_number(span): span for span in attempts if span.attributes.get("ketline.outcome") not in UNRECORDED}
    for span in attempts:
        if (before := ended.get(_number(span) - 1)) is not None:
            yield before, span


def _number(attempt: Span) -> int:
    return int(attempt.attributes["ketline.attempt"])


def command_rows(results: Mapping[str, str | None]) -> Iterator[Row]:
    """Each command ended with 0."""
    for name, problem in results.items():
        yield Row(area="commands", name=name, sound=problem is None, detail=problem or "")
