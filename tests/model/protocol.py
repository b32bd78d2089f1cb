"""Ketline's task protocol as a model: what can happen in one scenario with these guards in force."""

from collections.abc import Iterator

from tests.model.checker import Model, Step
from tests.model.guards import Guards
from tests.model.recovering import (
    broker_steps,
    clock_steps,
    dispatch_steps,
    failover_steps,
    outage_steps,
    reap_steps,
    restart_steps,
)
from tests.model.scenarios import Scenario
from tests.model.state import Request, Row, State, Worker
from tests.model.submitting import cancel_steps, submit_steps
from tests.model.working import wire_steps, worker_steps


def protocol(scenario: Scenario, guards: Guards) -> Model[State]:
    """The model of one scenario; it begins with no task stored and every process at rest."""

    def steps(state: State) -> Iterator[Step[State]]:
        yield from submit_steps(state, scenario, guards)
        yield from cancel_steps(state, scenario, guards)
        yield from dispatch_steps(state, scenario, guards)
        yield from broker_steps(state, scenario)
        for number in range(scenario.workers):
            yield from worker_steps(state, number, scenario, guards)
        yield from wire_steps(state, scenario, guards)
        yield from clock_steps(state)
        yield from reap_steps(state, scenario, guards)
        yield from restart_steps(state, scenario)
        yield from failover_steps(state)
        yield from outage_steps(state)

    return Model(_first(scenario), steps)


def _first(scenario: Scenario) -> State:
    return State(
        requests=(Request(),) * scenario.tasks,
        rows=(Row(),) * scenario.tasks,
        queue=(0,) * scenario.tasks,
        workers=(Worker(),) * scenario.workers,
        strays=(0,) * scenario.tasks,
        stops=scenario.stops,
        deferrals=scenario.deferrals,
        failovers=scenario.failovers,
        outages=scenario.outages,
    )
