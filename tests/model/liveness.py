"""Does every run reach its goal once faults have stopped? Asked of a graph that `checker.explore` has completed.

Faults have stopped where only fair steps are left. Two things can then keep a run from its goal: it is in a state from
which fair steps lead there no more (a deadlock is the simplest), or it goes round a loop for ever without being unfair
to any step. A loop is unfair under weak fairness when some step is possible in all its states and never taken.
"""

from collections.abc import Callable, Iterable, Iterator

from tests.model.checker import Counterexample, Graph, S


def doomed(graph: Graph[S], goal: Callable[[S], bool]) -> list[int]:
    """The states from which no fair run reaches the goal, nearest to the start first."""
    origins: list[list[int]] = [[] for _ in graph.states]
    for number, steps in enumerate(graph.fair):
        for _, reached in steps:
            origins[reached].append(number)
    hopeful = [goal(state) for state in graph.states]
    frontier = [number for number, reached in enumerate(hopeful) if reached]
    while frontier:
        for origin in origins[frontier.pop()]:
            if not hopeful[origin]:
                hopeful[origin] = True
                frontier.append(origin)
    return [number for number, hope in enumerate(hopeful) if not hope]


def find_stuck(graph: Graph[S], goal: Callable[[S], bool], name: str) -> Counterexample[S] | None:
    """A shortest run into a state that has lost the goal for good, or else into a fair loop outside the goal."""
    for number in doomed(graph, goal):
        return Counterexample(broken=name, trace=graph.trace(number), state=graph.states[number])
    for loop in fair_loops(graph, goal):
        entry = min(loop)
        labels = {label for number in loop for label, reached in graph.fair[number] if reached in loop}
        return Counterexample(
            broken=name, trace=graph.trace(entry), state=graph.states[entry], loop=tuple(sorted(labels))
        )
    return None


def fair_loops(graph: Graph[S], goal: Callable[[S], bool]) -> Iterator[set[int]]:
    """The strongly connected parts outside the goal in which a run may stay for ever and be fair to every step."""
    outside = [not goal(state) for state in graph.states]
    for component in _components(graph, outside):
        inner = {label for number in component for label, reached in graph.fair[number] if reached in component}
        if inner and _always_possible(graph, component) <= inner:
            yield component


def _always_possible(graph: Graph[S], component: Iterable[int]) -> set[str]:
    possible = [{label for label, _ in graph.fair[number]} for number in component]
    return set.intersection(*possible)


def _components(graph: Graph[S], outside: list[bool]) -> Iterator[set[int]]:
    """Strongly connected components of the fair steps outside the goal.

    Source: Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972), without recursion.
    """
    order = [0] * len(graph.states)
    low = [0] * len(graph.states)
    path: list[int] = []
    on_path: set[int] = set()
    found = 0
    for root in range(len(graph.states)):
        if order[root] or not outside[root]:
            continue
        work = [(root, iter(graph.fair[root]))]
        while work:
            number, steps = work[-1]
            if not order[number]:
                found += 1
                order[number] = low[number] = found
                path.append(number)
                on_path.add(number)
            fresh = _next_fresh(steps, order, low, number, outside, on_path)
            if fresh is not None:
                work.append((fresh, iter(graph.fair[fresh])))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[number])
            if low[number] == order[number]:
                yield _pop_component(path, on_path, number)


def _next_fresh(
    steps: Iterator[tuple[str, int]],
    order: list[int],
    low: list[int],
    number: int,
    outside: list[bool],
    on_path: set[int],
) -> int | None:
    for _, reached in steps:
        if not outside[reached]:
            continue
        if not order[reached]:
            return reached
        if reached in on_path:
            low[number] = min(low[number], order[reached])
    return None


def _pop_component(path: list[int], on_path: set[int], number: int) -> set[int]:
    component = set()
    while number not in component:
        member = path.pop()
        on_path.discard(member)
        component.add(member)
    return component
