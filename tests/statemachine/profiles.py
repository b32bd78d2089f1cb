"""How much of the machine is run."""

from hypothesis import HealthCheck, settings


def machine_settings(examples: int, *, derandomized: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        derandomize=derandomized,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
