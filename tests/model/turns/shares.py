"""The choice between projects as a model: one has a task that waits, the others never rest.

It has no messages, leases or faults: the protocol's own model shows that no task is lost or run twice whichever of the
dispatched tasks a claim takes. Here the question is only whether each project has its turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from tests.model.checker import Model, Step

# The use from which on more makes no difference in the model.
MAX_USED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnGuards:
    """What the choice goes by; the comment of each says where the code has it."""

    use: bool = True  # turn.use: the project with the least use for its weight
    oldest: bool = True  # turn.use: of equal ones that with the task of the lowest rank
    running: bool = True  # turn.running: running tasks count before they are measured
    decay: bool = True  # shares.decay: use counts less with time

    def without(self, *names: str) -> "TurnGuards":
        """These guards with some removed."""
        return replace(self, **dict.fromkeys(names, False))


TURN_GUARDS = tuple(field.name for field in fields(TurnGuards))


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnScenario:
    """Project 0 has the task that waits; `weights` has one number for each project."""

    name: str
    about: str
    weights: tuple[int, ...]
    slots: int


TURN_SCENARIOS = (
    TurnScenario(name="alone", about="one project never rests beside the waiting one", weights=(1, 1), slots=1),
    TurnScenario(name="several", about="two projects that never rest, three slots", weights=(1, 1, 1), slots=3),
    TurnScenario(name="heavy", about="a project of three times the weight never rests", weights=(1, 3), slots=2),
)


class Shares(NamedTuple):
    """What each project used as of the last measurement, and how many of its tasks run.

    `skipped`: a project got a slot although one of its weight had used no more, and had fewer running tasks.
    """

    used: tuple[int, ...]
    running: tuple[int, ...]
    claimed: bool = False
    skipped: bool = False


def turns(scenario: TurnScenario, guards: TurnGuards) -> Model[Shares]:
    """The model of one scenario; the waiting project begins as the one that has used most."""

    def steps(state: Shares) -> Iterator[Step[Shares]]:
        if not state.claimed:
            yield from _claims(state, scenario, guards)
            yield from _ends(state)
            yield _measurement(state, guards)

    others = len(scenario.weights) - 1
    return Model(Shares((MAX_USED, *[0] * others), (0,) * (others + 1)), steps)


def _claims(state: Shares, scenario: TurnScenario, guards: TurnGuards) -> Iterator[Step[Shares]]:
    if sum(state.running) == scenario.slots:
        return
    for project in _next(state, scenario, guards):
        taken = state._replace(running=_plus(state.running, project, 1), claimed=project == 0)
        skipped = state.skipped or any(_is_behind(state, other, project, scenario) for other in range(len(state.used)))
        yield Step(f"project {project} gets a slot", True, taken._replace(skipped=skipped))


def _is_behind(state: Shares, one: int, other: int, scenario: TurnScenario) -> bool:
    return (
        scenario.weights[one] == scenario.weights[other]
        and state.used[one] <= state.used[other]
        and state.running[one] < state.running[other]
    )


def _next(state: Shares, scenario: TurnScenario, guards: TurnGuards) -> list[int]:
    """The projects that may be next; several where nothing decides between them."""
    projects = list(range(len(scenario.weights)))
    if not guards.use:
        return projects
    use = [
        (state.used[project] + (state.running[project] if guards.running else 0)) / scenario.weights[project]
        for project in projects
    ]
    least = [project for project in projects if use[project] == min(use)]
    # The waiting task is older than all that come.
    return least[:1] if guards.oldest else least


def _ends(state: Shares) -> Iterator[Step[Shares]]:
    """A task ends, and took long enough to be measured or not."""
    for project, running in enumerate(state.running):
        if running:
            fewer = state._replace(running=_plus(state.running, project, -1))
            yield Step(f"a short task of project {project} ends", True, fewer)
            used = min(MAX_USED, state.used[project] + 1)
            measured = fewer._replace(used=_plus(fewer.used, project, used - state.used[project]))
            yield Step(f"a long task of project {project} ends", True, measured)


def _measurement(state: Shares, guards: TurnGuards) -> Step[Shares]:
    used = tuple(used // 2 for used in state.used) if guards.decay else state.used
    return Step("time passes", True, state._replace(used=used))


def _plus(values: tuple[int, ...], number: int, change: int) -> tuple[int, ...]:
    return (*values[:number], values[number] + change, *values[number + 1 :])
