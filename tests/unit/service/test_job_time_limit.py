"""The time limit of a job at an external backend counts from its submission, on the clock of the process."""

from math import inf

from ketline.service.attempts.job_time_limit import JobTimeLimit
from tests.runners import HandClock


def test_limit_counts_from_the_submission() -> None:
    clock = HandClock()
    limit = JobTimeLimit(clock, 10.0)
    limit.start()
    clock.now += 9
    assert (limit.remaining_seconds, limit.exceeded) == (1.0, False)
    clock.now += 1
    assert limit.exceeded


def test_time_that_has_passed_in_another_process_counts() -> None:
    limit = JobTimeLimit(HandClock(), 10.0)
    limit.start(elapsed_seconds=12.0)
    assert (limit.remaining_seconds, limit.exceeded) == (-2.0, True)


def test_limit_of_a_job_that_is_submitted_again_starts_again() -> None:
    clock = HandClock()
    limit = JobTimeLimit(clock, 10.0)
    limit.start(elapsed_seconds=12.0)
    limit.start()
    assert not limit.exceeded


def test_job_without_a_limit_has_for_ever() -> None:
    limit = JobTimeLimit(HandClock(), None)
    limit.start(elapsed_seconds=1e9)
    assert (limit.remaining_seconds, limit.exceeded) == (inf, False)
