"""A job on an external backend is submitted once, whatever is lost, and each guard is needed for what is promised."""

import pytest

from tests.model.jobs.explorations import refute_jobs, verify_jobs
from tests.model.jobs.guards import JOB_GUARDS
from tests.model.jobs.removals import JOB_REMOVALS
from tests.model.jobs.scenarios import JOB_SCENARIOS, JobScenario
from tests.model.removals import Removal

# Situations that a sound model could miss without anybody noticing: each must come up somewhere.
SITUATIONS = (
    "worker 0 submits, and the answer is lost",
    "worker 0 submits, and the request is lost",
    "worker 0 submits, and the request is late",
    "worker 0 submits, and the backend takes no jobs now",
    "worker 0 commits that there is no job",
    "worker 0 leaves the job to be looked for",
    "worker 0 finds the job by its token",
    "worker 0 finds no job, and may submit again",
    "worker 1 claims the task, which has perhaps a job",
    "worker 1 claims the task, which has a job",
    "worker 0 dies while ready",
    "worker 0 dies while committed",
    "worker 0 dies while committed, its request arrives",
    "worker 0 dies while committed, its request is late",
    "worker 0 dies while answered",
    "worker 0 dies while following",
    "worker 0 dies while ended",
    "worker 0 is stopped while following",
    "worker 0 learns while following that its lease is lost",
    "worker 0 learns while committed that its lease is lost, its request arrives",
    "worker 0 records: completed",
    "worker 0 records: outcome unknown",
    "reaper takes the task: pending",
    "reaper takes the task: failed",
    "client cancels the task",
    "the canceller finds the job by its token",
    "the canceller finds no job",
    "the canceller will look again",
    "the canceller records that the job has ended",
    "the canceller records that it found no job",
    "the canceller dies while cancelling",
)


@pytest.mark.parametrize("scenario", JOB_SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_property_of_jobs_holds_in_every_reachable_state(scenario: JobScenario) -> None:
    assert verify_jobs(scenario)[1] is None


@pytest.mark.parametrize("removal", JOB_REMOVALS, ids=lambda removal: "+".join(removal.guards))
def test_without_the_guard_of_jobs_its_property_breaks(removal: Removal) -> None:
    found = refute_jobs(removal)
    assert found is not None
    assert found.broken == removal.breaks


def test_every_guard_of_jobs_is_removed() -> None:
    assert [removal.guards for removal in JOB_REMOVALS] == [(guard,) for guard in JOB_GUARDS]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_model_of_jobs_reaches_this_situation(situation: str) -> None:
    assert any(situation in verify_jobs(scenario)[0].taken for scenario in JOB_SCENARIOS)
