"""Walks every reachable state of a model, breadth first, and tells the shortest way to a state that breaks a property.

A model is its first state and a function from a state to its steps. Nothing here knows about tasks.
"""

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)

Invariant = Callable[[S], bool]


class Step(NamedTuple, Generic[S]):
    """One way on from a state; `fair` steps are taken sooner or later, the others need never happen."""

    label: str
    fair: bool
    state: S


@dataclass(frozen=True, slots=True)
class Model(Generic[S]):
    """What is explored: `steps` must be a pure function that gives its steps in a fixed order."""

    first: S
    steps: Callable[[S], Iterable[Step[S]]]


@dataclass(frozen=True, slots=True)
class Graph(Generic[S]):
    """All states found, by number in breadth-first order, with one shortest way back from each.

    `fair[n]` are the fair steps from state n, as pairs of label and number; `taken` counts all steps by label.
    """

    states: list[S]
    parents: list[tuple[int, str]]
    fair: list[list[tuple[str, int]]]
    taken: Counter[str]

    def trace(self, number: int) -> list[str]:
        """The labels of a shortest run to this state."""
        labels = []
        while number:
            number, label = self.parents[number]
            labels.append(label)
        return labels[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample(Generic[S]):
    """A run that breaks a property; with a `loop`, the run ends in steps that may repeat for ever."""

    broken: str
    trace: list[str]
    state: S
    loop: tuple[str, ...] = ()


class TooLarge(Exception):
    """The model has more states than it may: its bounds do not bound it, or are too wide."""


def explore(
    model: Model[S], invariants: Mapping[str, Invariant[S]], limit: int = 5_000_000
) -> tuple[Graph[S], Counterexample[S] | None]:
    """Every reachable state, or those up to the first that breaks an invariant.

    Raises:
        TooLarge: there are more than `limit` states.
    """
    numbers = {model.first: 0}
    graph: Graph[S] = Graph([model.first], [(0, "")], [], Counter())
    for number, state in enumerate(graph.states):  # The list grows while it is read: it is the queue of the search.
        for name, holds in invariants.items():
            if not holds(state):
                return graph, Counterexample(broken=name, trace=graph.trace(number), state=state)
        _expand(model, graph, numbers, number, state)
        if len(numbers) > limit:
            raise TooLarge(f"{len(numbers)} states and no end; narrow the bounds.")
    return graph, None


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pauses garbage collection during an exploration, until its graph is gone.

    States hold no cycles; looking for some among a growing million of objects takes a quarter of the time.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _expand(model: Model[S], graph: Graph[S], numbers: dict[S, int], number: int, state: S) -> None:
    fair = []
    for label, is_fair, following in model.steps(state):
        graph.taken[label] += 1
        reached = numbers.setdefault(following, len(numbers))
        if reached == len(graph.states):
            graph.states.append(following)
            graph.parents.append((number, label))
        if is_fair:
            fair.append((label, reached))
    graph.fair.append(fair)
