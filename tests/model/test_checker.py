"""The checker itself, on models small enough to know the answer."""

from collections.abc import Iterable

import pytest

from tests.model.checker import Counterexample, Model, Step, TooLarge, explore
from tests.model.liveness import find_stuck

Edges = dict[int, list[tuple[str, bool, int]]]


def model(edges: Edges) -> Model[int]:
    def steps(state: int) -> Iterable[Step[int]]:
        return [Step(*edge) for edge in edges.get(state, [])]

    return Model(0, steps)


def stuck(edges: Edges, goal: int) -> Counterexample[int] | None:
    graph, broken = explore(model(edges), {})
    assert broken is None
    return find_stuck(graph, lambda state: state == goal, "arrives")


def test_the_shortest_run_to_a_broken_invariant_is_told() -> None:
    edges = {
        0: [("long", True, 1), ("short", True, 3)],
        1: [("on", True, 2)],
        2: [("on", True, 9)],
        3: [("off", True, 9)],
    }
    graph, found = explore(model(edges), {"small": lambda state: state < 9})
    assert found == Counterexample(broken="small", trace=["short", "off"], state=9)
    assert len(graph.states) == 5


def test_every_state_is_visited_once() -> None:
    graph, found = explore(model({0: [("a", True, 1), ("b", True, 1)], 1: [("c", True, 0)]}), {})
    assert found is None
    assert graph.states == [0, 1]
    assert graph.taken.total() == 3


def test_an_unbounded_model_is_rejected() -> None:
    endless: Model[int] = Model(0, lambda state: [Step("up", True, state + 1)])
    with pytest.raises(TooLarge):
        explore(endless, {}, limit=100)


def test_a_deadlock_is_found() -> None:
    found = stuck({0: [("on", True, 1), ("astray", False, 2)], 1: [("on", True, 9)]}, goal=9)
    assert found
    assert found.trace == ["astray"]


def test_only_fair_steps_count_as_a_way_out() -> None:
    assert stuck({0: [("perhaps", False, 9)]}, goal=9)
    assert stuck({0: [("surely", True, 9)]}, goal=9) is None


def test_a_loop_that_starves_a_step_is_unfair_and_no_counterexample() -> None:
    assert (
        stuck({0: [("spin", True, 1), ("leave", True, 9)], 1: [("spin", True, 0), ("leave", True, 9)]}, goal=9) is None
    )


def test_a_loop_that_disables_the_way_out_now_and_then_is_fair() -> None:
    found = stuck({0: [("spin", True, 1), ("leave", True, 9)], 1: [("spin", True, 0)]}, goal=9)
    assert found
    assert found.loop == ("spin",)
