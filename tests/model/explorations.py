"""Runs of the checker on the protocol, each done once however often it is requested."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tests.model.checker import Counterexample, Invariant, Model, collector_paused, explore
from tests.model.guards import Guards
from tests.model.liveness import find_stuck
from tests.model.properties import FINISHES, finished, invariants
from tests.model.protocol import protocol
from tests.model.removals import Redundancy, Removal
from tests.model.scenarios import BY_NAME, SCENARIOS, Scenario
from tests.model.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How large an exploration was, what it found, and which steps were taken in it."""

    states: int
    steps: int
    labels: frozenset[str]
    counterexample: Counterexample[State] | None


@cache
def verify(scenario: Scenario, guards: Guards) -> Verdict:
    """Every property, in every reachable state of the scenario."""
    with collector_paused():
        return _verified(scenario, guards)


def _verified(scenario: Scenario, guards: Guards) -> Verdict:
    graph, counterexample = explore(protocol(scenario, guards), invariants(scenario))
    if counterexample is None:
        counterexample = find_stuck(graph, finished(scenario), FINISHES)
    return Verdict(
        states=len(graph.states),
        steps=graph.taken.total(),
        labels=frozenset(graph.taken),
        counterexample=counterexample,
    )


@cache
def refute(removal: Removal) -> Counterexample[State] | None:
    """A shortest run that breaks the property which the removed guards protect."""
    scenario = BY_NAME[removal.scenario]
    model = protocol(scenario, Guards().without(*removal.guards))
    watched = {name: holds for name, holds in invariants(scenario).items() if name == removal.breaks}
    with collector_paused():
        return _broken(model, watched, finished(scenario))


def _broken(
    model: Model[State], watched: Mapping[str, Invariant[State]], goal: Callable[[State], bool]
) -> Counterexample[State] | None:
    """A run that breaks one of the invariants; if there are none, one that does not reach the goal."""
    graph, counterexample = explore(model, watched)
    return counterexample if watched else find_stuck(graph, goal, FINISHES)


def verify_redundancy(redundancy: Redundancy, *, deep: bool = False) -> Iterator[tuple[Scenario, Verdict]]:
    """The protocol without this guard: in the scenarios that would show it, or with `deep` in all."""
    guards = Guards().without(redundancy.guard)
    for scenario in SCENARIOS if deep else [BY_NAME[name] for name in redundancy.scenarios]:
        yield scenario, verify(scenario, guards)
