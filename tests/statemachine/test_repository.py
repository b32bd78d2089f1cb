"""The repository does what the model does, on both databases, whatever the order of calls, times and repeats.

The examples are the same in every run, and three times as many with `--long`. For more of them, from a seed that it
prints: `python -m tests.statemachine --examples 1000`.
"""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.statemachine.machine import machine_on
from tests.statemachine.profiles import machine_settings
from tests.statemachine.world import World

# A transaction on PostgreSQL takes longer.
EXAMPLES = {"sqlite": 40, "postgresql": 25}
EXAMPLES_OF_LONG_RUNS = {"sqlite": 120, "postgresql": 80}


@pytest.mark.timeout(600)
def test_repository_is_as_modelled(database_url: str, long_run: bool) -> None:
    with World(database_url) as world:
        examples = (EXAMPLES_OF_LONG_RUNS if long_run else EXAMPLES)[world.database.dialect.name]
        run_state_machine_as_test(machine_on(world), settings=machine_settings(examples, derandomized=True))
