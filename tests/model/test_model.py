"""The protocol keeps its promises in every state of every scenario, and each guard is needed for that."""

import pytest

from tests.model.__main__ import DOCUMENT, document
from tests.model.explorations import refute, verify, verify_redundancy
from tests.model.guards import GUARDS, Guards
from tests.model.removals import REDUNDANCIES, REMOVALS, Redundancy, Removal
from tests.model.scenarios import SCENARIOS, Scenario

# Situations that a sound model could miss without anybody noticing: each must come up somewhere.
SITUATIONS = (
    "API repeats the insert of task 0: it is there",
    "API finds the key of submit 1: it is task 0",
    "dispatcher dies before task 0 is published",
    "dispatcher takes task 0 again",
    "dispatcher takes task 0 again, long overdue",
    "broker rejects task 0",
    "worker 0 finds nothing to claim and acknowledges",
    "worker 0 claims task 0, the connection breaks, the repeat finds nothing",
    "worker 0 claims task 1 in place of task 0",
    "worker 1 receives task 0 on the wrong queue",
    "worker 1 claims task 1 in place of task 0",
    "a message of task 0 moves to the wrong queue",
    "worker 1 tries to record its outcome: fenced off",
    "worker 1 has lost its lease and kills its simulation",
    "worker 0 renews a lease that has expired",
    "worker 1 cannot renew in time, and continues",
    "worker 0 renews",
    "worker 0 repeats its write: recorded",
    "worker 0 crashes while recorded",
    "worker 0 is stopped and hands task 0 back",
    "worker 0 is stopped and hands task 0 back: no row matches",
    "worker 0 defers task 0",
    "worker 0 defers task 0: no row matches",
    "worker 0 loses its simulator and hands task 0 back: pending",
    "worker 0 loses its simulator and hands task 0 back: failed",
    "worker 0 loses its simulator and hands task 0 back: no row matches",
    "worker 1 resumes",
    "worker 1 is killed while frozen",
    "broker takes the message back from worker 0",
    "the dead worker's write arrives: it takes effect",
    "the dead worker's write arrives: no row matches",
    "reaper takes task 0: failed",
    "reaper takes task 1: pending",
    "reaper takes task 0: pending, at no cost",
    "database is down for longer than a lease",
    "the whole process is killed and starts afresh",
    "client cancels task 0",
    "database falls back to before the claim of task 0",
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_property_holds_in_every_reachable_state(scenario: Scenario) -> None:
    assert verify(scenario, Guards()).counterexample is None


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: "+".join(removal.guards))
def test_without_the_guard_its_property_breaks(removal: Removal) -> None:
    found = refute(removal)
    assert found is not None
    assert found.broken == removal.breaks


@pytest.mark.parametrize("redundancy", REDUNDANCIES, ids=lambda redundancy: redundancy.guard)
def test_without_a_redundant_guard_every_property_holds(redundancy: Redundancy) -> None:
    for scenario, verdict in verify_redundancy(redundancy):
        assert verdict.counterexample is None, scenario.name


def test_every_guard_is_removed_or_explained() -> None:
    alone = {removal.guards[0] for removal in REMOVALS if len(removal.guards) == 1}
    redundant = {redundancy.guard for redundancy in REDUNDANCIES}
    assert alone | redundant == set(GUARDS)
    assert not alone & redundant


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_model_reaches_this_situation(situation: str) -> None:
    assert any(situation in verify(scenario, Guards()).labels for scenario in SCENARIOS)


@pytest.mark.timeout(600)  # Alone, it does all of the above.
def test_the_document_shows_what_the_checker_finds() -> None:
    text = DOCUMENT.read_text()
    assert text == document(text), "run `python -m tests.model --write`"
