"""The delay before a task is tried again."""

from datetime import timedelta

from ketline.domain.attempts.retry import RetryPolicy


def test_delay_varies_between_the_factors_of_the_jitter() -> None:
    policy = RetryPolicy(delay=timedelta(seconds=8), jitter=(0.75, 1.25))
    delays = [policy.random_delay_seconds() for _ in range(100)]
    assert all(6 <= delay <= 10 for delay in delays)
    assert len(set(delays)) > 1


def test_delay_without_jitter_is_the_policys_own() -> None:
    assert RetryPolicy(delay=timedelta(seconds=8), jitter=(1, 1)).random_delay_seconds() == 8
