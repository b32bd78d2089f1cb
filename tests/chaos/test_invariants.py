"""Each check passes what is right and finds what is corrupted: an evidence that cannot fail would prove nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.chaos.run.ledger import Cancellation
from tests.chaos.run.programs import entangled, wrong
from tests.chaos.stories import KNOWN, acknowledged, cancelled_task, completed_task, failed_task, line
from tests.chaos.verdict import invariants
from tests.chaos.verdict.records import HistoryLine, Message, StoredTask, Violation
from tests.chaos.verdict.replay import seeded_result_is_recomputed

Check = Callable[[StoredTask], Iterator[Violation]]
GOOD = completed_task()
LOST, REAPED, TAKEN, DONE = GOOD.history[1:]


def test_counts_of_another_seed_are_a_violation() -> None:
    known = entangled(5, qubits=3)
    counts = Simulator(ExecutionLimits()).run(
        load_program(known.program, ExecutionLimits()), known.shots, RunOptions(seed=7)
    )
    task = replace(GOOD, counts=dict(counts.counts), shots=known.shots, seed=7)
    assert list(seeded_result_is_recomputed(task, known)) == []
    (broken,) = seeded_result_is_recomputed(replace(task, seed=8), known)
    assert broken.invariant == "the result is that of the seed"


def test_answers_of_500_and_crashed_loops_are_violations() -> None:
    crashes = {"http.failed": 2, "slot.crashed": 1, "lease.renewal_crashed": 1, "consumer.lost": 9, "a library's": 5}
    found = [violation.subject for violation in invariants.no_defect_shows(crashes)]
    assert found == ["http.failed", "slot.crashed", "lease.renewal_crashed"]


def with_history(*history: HistoryLine) -> StoredTask:
    return replace(GOOD, history=(line(0, "pending"), *history))


@pytest.mark.parametrize("task", [GOOD, cancelled_task(), failed_task("parse_error", 3)])
@pytest.mark.parametrize(
    "check",
    [
        invariants.history_is_legal,
        invariants.attempts_grow,
        invariants.leases_close_once,
        invariants.result_is_of_last_attempt,
    ],
)
def test_right_task_breaks_nothing(check: Check, task: StoredTask) -> None:
    assert list(check(task)) == []
    assert list(invariants.all_terminal([task])) == []


@pytest.mark.parametrize(
    ("check", "task"),
    [
        pytest.param(invariants.history_is_legal, replace(GOOD, history=()), id="no history"),
        pytest.param(invariants.history_is_legal, replace(GOOD, history=GOOD.history[1:]), id="no first line"),
        pytest.param(invariants.history_is_legal, with_history(LOST, REAPED, DONE), id="completed while pending"),
        pytest.param(invariants.history_is_legal, with_history(LOST, TAKEN, DONE), id="claimed while processing"),
        pytest.param(invariants.history_is_legal, with_history(LOST, REAPED, TAKEN), id="no terminal line"),
        pytest.param(invariants.history_is_legal, with_history(*GOOD.history[1:], DONE), id="two terminal lines"),
        pytest.param(
            invariants.history_is_legal, with_history(*GOOD.history[1:], line(7, "pending")), id="alive after its end"
        ),
        pytest.param(invariants.history_is_legal, replace(GOOD, status="failed"), id="row differs from history"),
        pytest.param(invariants.attempts_grow, with_history(LOST, REAPED, LOST, DONE), id="attempt number again"),
        pytest.param(invariants.attempts_grow, with_history(TAKEN, REAPED, LOST, DONE), id="attempt number falls"),
        pytest.param(
            invariants.attempts_grow, with_history(LOST, REAPED, replace(TAKEN, token=LOST.token), DONE), id="old token"
        ),
        pytest.param(invariants.attempts_grow, replace(GOOD, attempt=3), id="row has another attempt"),
        pytest.param(invariants.attempts_grow, replace(GOOD, token="token-1"), id="row has another token"),
        pytest.param(
            invariants.leases_close_once,
            with_history(LOST, REAPED, TAKEN, line(6, "completed", 1, "first")),
            id="zombie completes",
        ),
        pytest.param(
            invariants.leases_close_once,
            with_history(LOST, REAPED, TAKEN, replace(DONE, token="token-1")),
            id="right attempt, old token",
        ),
        pytest.param(
            invariants.leases_close_once, with_history(LOST, REAPED, TAKEN, replace(DONE, worker="first")), id="worker"
        ),
        pytest.param(
            invariants.leases_close_once, with_history(LOST, line(4, "pending", 2, "second"), TAKEN, DONE), id="reaper"
        ),
        pytest.param(invariants.result_is_of_last_attempt, replace(GOOD, counts=None), id="completed, no result"),
        pytest.param(
            invariants.result_is_of_last_attempt, replace(cancelled_task(), counts={"0": 1}), id="cancelled, a result"
        ),
        pytest.param(
            invariants.result_is_of_last_attempt, with_history(LOST, REAPED, TAKEN, DONE, DONE), id="two results"
        ),
        pytest.param(
            invariants.result_is_of_last_attempt,
            with_history(LOST, REAPED, TAKEN, line(6, "completed", 1, "first")),
            id="result of another attempt",
        ),
        pytest.param(
            invariants.result_is_of_last_attempt, replace(failed_task("", None), error_code=None), id="failed, no error"
        ),
    ],
)
def test_corrupted_task_is_found(check: Check, task: StoredTask) -> None:
    assert list(check(task))


@pytest.mark.parametrize(
    "task",
    [
        replace(GOOD, status="pending"),
        replace(GOOD, status="processing"),
        replace(GOOD, completed_at=None),
        replace(GOOD, dispatch_due_at=GOOD.completed_at),
        replace(GOOD, lease_expires_at=GOOD.completed_at),
    ],
)
def test_task_that_has_not_come_to_rest_is_found(task: StoredTask) -> None:
    assert list(invariants.all_terminal([task]))


def test_missing_task_is_found() -> None:
    assert not list(invariants.acknowledged_exist([acknowledged()], [GOOD]))
    assert list(invariants.acknowledged_exist([acknowledged(), acknowledged("another")], [GOOD]))


def test_right_answers_pass() -> None:
    assert not list(invariants.answer_is_right(GOOD, KNOWN))
    assert not list(invariants.answer_is_right(failed_task("parse_error", wrong(7).error_line), wrong(7)))
    assert not list(invariants.answer_is_right(cancelled_task(), KNOWN))


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(replace(GOOD, counts={format(6, "014b"): KNOWN.shots}), id="another task's result"),
        pytest.param(replace(GOOD, counts={format(5, "014b"): KNOWN.shots - 1}), id="a shot short"),
        pytest.param(replace(GOOD, counts={}), id="no counts"),
        pytest.param(failed_task("parse_error", 3), id="failed without reason"),
        pytest.param(failed_task("worker_lost", None), id="given up"),
    ],
)
def test_wrong_answer_is_found(task: StoredTask) -> None:
    assert list(invariants.answer_is_right(task, KNOWN))


def test_wrong_program_must_fail_on_its_line() -> None:
    assert list(invariants.answer_is_right(failed_task("parse_error", 3), wrong(7)))
    assert list(invariants.answer_is_right(GOOD, wrong(7)))


def test_attempt_of_a_lost_worker_is_found() -> None:
    assert not list(invariants.no_worker_is_lost(with_history(LOST, replace(REAPED, cause="database_outage"), DONE)))
    assert list(invariants.no_worker_is_lost(with_history(LOST, replace(REAPED, cause="worker_lost"), TAKEN, DONE)))


def test_key_with_two_tasks_is_found() -> None:
    twin = replace(GOOD, task_id="twin")
    assert not list(invariants.one_task_per_key([acknowledged(), acknowledged()], [GOOD]))
    assert list(invariants.one_task_per_key([acknowledged(), acknowledged("twin")], [GOOD]))
    assert list(invariants.one_task_per_key([acknowledged()], [GOOD, twin]))


def test_cancellations_without_request_or_effect_are_found() -> None:
    asked, granted = (Cancellation(task_id="a-task", status=status) for status in (None, 200))
    assert not list(invariants.cancellations_hold([asked, granted], [cancelled_task()]))
    assert not list(invariants.cancellations_hold([asked], [GOOD]))
    assert list(invariants.cancellations_hold([], [cancelled_task()]))
    assert list(invariants.cancellations_hold([asked, granted], [GOOD]))


def test_messages_that_are_missing_wrong_or_of_two_ids_are_found() -> None:
    right = Message(task_id="a-task", status="completed", message_id="msg-1")
    other = replace(right, message_id="msg-2")
    assert not list(invariants.messages_arrive([GOOD], [right, right]))
    for messages in ([], [right, other], [replace(right, status="failed")], [right, replace(right, task_id="another")]):
        assert list(invariants.messages_arrive([GOOD], messages))


def test_log_that_contradicts_the_database_is_found() -> None:
    assert not list(invariants.logs_agree(GOOD, {"task.completed": [2], "task.fenced_off": [1]}))
    assert list(invariants.logs_agree(GOOD, {"task.completed": [1]}))
    assert list(invariants.logs_agree(GOOD, {"task.fenced_off": [2]}))
    assert list(invariants.logs_agree(cancelled_task(), {"task.failed": [1]}))
