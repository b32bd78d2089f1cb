"""No project starves, in every state of every scenario, and each guard is needed for what is promised."""

import pytest

from tests.model.removals import Removal
from tests.model.turns.explorations import TURN_REMOVALS, refute_turns, verify_turns
from tests.model.turns.shares import TURN_GUARDS, TURN_SCENARIOS, TurnScenario


@pytest.mark.parametrize("scenario", TURN_SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_project_has_its_turn(scenario: TurnScenario) -> None:
    assert verify_turns(scenario)[1] is None


@pytest.mark.parametrize("removal", TURN_REMOVALS, ids=lambda removal: "+".join(removal.guards))
def test_without_the_guard_of_turns_its_property_breaks(removal: Removal) -> None:
    found = refute_turns(removal)
    assert found is not None
    assert found.broken == removal.breaks


def test_every_guard_of_turns_is_removed() -> None:
    assert [removal.guards for removal in TURN_REMOVALS] == [(guard,) for guard in TURN_GUARDS]
