"""Clients and the API: a submit, its crash at every step, its repeat after a lost answer, and a cancel."""

from collections.abc import Iterator

from tests.model import statements
from tests.model.checker import Step
from tests.model.guards import Guards
from tests.model.scenarios import Scenario
from tests.model.state import Request, State

Steps = Iterator[Step[State]]


def submit_steps(state: State, scenario: Scenario, guards: Guards) -> Steps:
    for number, request in enumerate(state.requests):
        yield from _request_steps(state, number, request, scenario, guards)
        if scenario.api_crash and request.phase in ("looked", "promised", "unsure", "stored"):
            # Who was promised an answer has it already; the others never learn.
            phase = "acknowledged" if request.phase == "promised" else "unanswered"
            label = f"API crashes in submit {number}"
            yield Step(label, False, state.with_request(number, request._replace(phase=phase)))


def cancel_steps(state: State, scenario: Scenario, guards: Guards) -> Steps:
    if not scenario.cancel:
        return
    if (task := state.cancelling) >= 0:
        cancelled = state.with_row(task, statements.cancel(state.rows[task]))
        yield Step(f"API cancels task {task}", False, cancelled._replace(cancelling=-1))
        return
    for task, row in enumerate(state.rows):
        if not statements.may_cancel(row, guards):
            continue
        if guards.cancel_locks:
            yield Step(f"client cancels task {task}", False, state.with_row(task, statements.cancel(row)))
        else:
            yield Step(f"client cancels task {task}: it has not ended", False, state._replace(cancelling=task))


def _request_steps(state: State, number: int, request: Request, scenario: Scenario, guards: Guards) -> Steps:
    match request.phase:
        case "new":
            yield from _begin(state, number, scenario, guards)
        case "looked":
            yield Step(f"API commits task {number}, then its key", True, _insert(state, number, "stored", guards))
        case "promised":
            yield Step(f"API commits task {number}", True, _insert(state, number, "acknowledged", guards))
        case "unsure":
            phase = "stored" if guards.insert_on_conflict else "rejected"
            outcome = "it is there" if phase == "stored" else "duplicate id, rejected"
            yield Step(
                f"API repeats the insert of task {number}: {outcome}",
                True,
                state.with_request(number, Request(phase, number)),
            )
        case "stored":
            yield _answer(state, number, request, guards)


def _begin(state: State, number: int, scenario: Scenario, guards: Guards) -> Steps:
    """A request reaches the API; a crash before its commit is the same as no request."""
    known = _task_with_key(state, number, scenario)
    if known >= 0:
        label = f"API finds the key of submit {number}: it is task {known}"
        yield Step(label, False, state.with_request(number, Request("stored", known)))
    elif not guards.answer_after_commit:
        label = f"API answers 202 to submit {number} before the commit"
        yield Step(label, False, state.with_request(number, Request("promised", number)))
    elif scenario.same_key and not guards.key_in_transaction:
        label = f"API looks for the key of submit {number}: nothing"
        yield Step(label, False, state.with_request(number, Request("looked", number)))
    else:
        yield Step(f"API commits task {number}", False, _insert(state, number, "stored", guards))
        if scenario.cut:
            label = f"API commits task {number}, the connection breaks"
            yield Step(label, False, _insert(state, number, "unsure", guards))


def _task_with_key(state: State, number: int, scenario: Scenario) -> int:
    if not scenario.same_key:
        return -1
    return next((task for task, row in enumerate(state.rows) if row.status and task != number), -1)


def _insert(state: State, number: int, phase: str, guards: Guards) -> State:
    return state.with_row(number, statements.insert(guards)).with_request(number, Request(phase, number))


def _answer(state: State, number: int, request: Request, guards: Guards) -> Step[State]:
    answered = state.with_request(number, request._replace(phase="acknowledged"))
    if guards.outbox:
        return Step(f"API answers 202 to submit {number}", True, answered)
    # Without the mark in the row, the API itself has to publish.
    return Step(f"API publishes task {number} and answers 202", True, answered.with_messages(request.task, 1))
