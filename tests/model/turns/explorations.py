"""What the checker finds about the choice between projects, and its part of `docs/model.md`."""

from collections.abc import Iterator
from functools import cache

from tests.model.checker import Counterexample, Graph, explore
from tests.model.liveness import find_stuck
from tests.model.removals import Removal, removal
from tests.model.report import guard_names, removals_table, run_lines, wrapped
from tests.model.turns.shares import TURN_SCENARIOS, Shares, TurnGuards, TurnScenario, turns

HAS_TURN = "a project with a waiting task gets a slot, whatever the others submit"
NOT_SKIPPED = "of projects with equal use and weight, the one with fewer running tasks gets the slot"

TURN_REMOVALS = (
    removal("use", "alone", HAS_TURN),
    removal("oldest", "alone", HAS_TURN),
    removal("running", "several", NOT_SKIPPED),
    removal("decay", "alone", HAS_TURN),
)
_BY_NAME = {scenario.name: scenario for scenario in TURN_SCENARIOS}


def _has_turn(state: Shares) -> bool:
    return state.claimed


def _not_skipped(state: Shares) -> bool:
    return not state.skipped


@cache
def verify_turns(scenario: TurnScenario) -> tuple[Graph[Shares], Counterexample[Shares] | None]:
    """Both properties, in every reachable state of the scenario."""
    graph, counterexample = explore(turns(scenario, TurnGuards()), {NOT_SKIPPED: _not_skipped})
    return graph, counterexample or find_stuck(graph, _has_turn, HAS_TURN)


@cache
def refute_turns(removed: Removal) -> Counterexample[Shares] | None:
    """A shortest run that breaks the property which the removed guard protects."""
    watched = {NOT_SKIPPED: _not_skipped} if removed.breaks == NOT_SKIPPED else {}
    graph, counterexample = explore(turns(_BY_NAME[removed.scenario], TurnGuards().without(*removed.guards)), watched)
    return counterexample if watched else find_stuck(graph, _has_turn, HAS_TURN)


def turn_report() -> Iterator[str]:
    """The lines of the document about turns."""
    yield "### Turns of projects: all guards in force"
    yield ""
    yield "| scenario | about | states | steps | properties |"
    yield "|---|---|---|---|---|"
    for scenario in TURN_SCENARIOS:
        graph, counterexample = verify_turns(scenario)
        outcome = "holds" if counterexample is None else f"BROKEN: {counterexample.broken}"
        yield f"| {scenario.name} | {scenario.about} | {len(graph.states):,} | {graph.taken.total():,} | {outcome} |"
    yield ""
    yield from removals_table("### One guard of turns removed", TURN_REMOVALS, refute_turns)
    yield ""
    yield "### The shortest counterexamples of turns"
    for one in TURN_REMOVALS:
        yield from ["", *wrapped(f"Without {guard_names(one)}: {one.breaks}.", ""), "", "```text"]
        found = refute_turns(one)
        yield from run_lines(found) if found else ["no counterexample"]
        yield "```"
