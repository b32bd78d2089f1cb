"""The model of a job on an external backend, and what the checker finds in it."""

from collections.abc import Iterator
from functools import cache

from tests.model.checker import Counterexample, Graph, Model, Step, collector_paused, explore
from tests.model.jobs.guards import JobGuards
from tests.model.jobs.properties import JOB_FINISHES, job_finished, job_invariants
from tests.model.jobs.remote import backend_steps, cancel_steps, lease_steps, sweep_steps
from tests.model.jobs.scenarios import JOB_SCENARIOS_BY_NAME, JobScenario
from tests.model.jobs.state import State
from tests.model.jobs.worker import worker_steps
from tests.model.liveness import find_stuck
from tests.model.removals import Removal


def job_protocol(scenario: JobScenario, guards: JobGuards) -> Model[State]:
    """The model of one scenario; it begins with a pending task that has no job."""

    def steps(state: State) -> Iterator[Step[State]]:
        for number in range(len(state.workers)):
            yield from worker_steps(state, number, scenario, guards)
        yield from backend_steps(state, scenario)
        yield from lease_steps(state, scenario)
        yield from cancel_steps(state, scenario)
        yield from sweep_steps(state, scenario, guards)

    return Model(State(), steps)


@cache
def verify_jobs(
    scenario: JobScenario, guards: JobGuards | None = None
) -> tuple[Graph[State], Counterexample[State] | None]:
    """Every property, in every reachable state of the scenario."""
    with collector_paused():
        graph, counterexample = explore(job_protocol(scenario, guards or JobGuards()), job_invariants(scenario))
        return graph, counterexample or find_stuck(graph, job_finished, JOB_FINISHES)


@cache
def refute_jobs(removal: Removal) -> Counterexample[State] | None:
    """A shortest run that breaks the property which the removed guards protect."""
    scenario = JOB_SCENARIOS_BY_NAME[removal.scenario]
    watched = {name: holds for name, holds in job_invariants(scenario).items() if name == removal.breaks}
    graph, counterexample = explore(job_protocol(scenario, JobGuards().without(*removal.guards)), watched)
    return counterexample if watched else find_stuck(graph, job_finished, JOB_FINISHES)
