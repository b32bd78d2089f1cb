"""What the simulator for short programs does with one that turns out to be long, and without a process."""

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.errors import LongProgram, SimulatorNotStarted, TimeLimitExceeded
from ketline.domain.tasks.spec import TaskSpec
from ketline.worker.slot_runner import SlotRunner
from tests.runners import RESULT, ScriptedRunner


async def test_short_program_is_run() -> None:
    runner = SlotRunner(ScriptedRunner(), 5)
    assert await runner.run(TaskSpec(circuit="short", shots=10), DEFAULT_PROJECT) == RESULT
    assert not runner.failed


async def test_program_that_turns_out_to_be_long_is_stopped() -> None:
    scripted = ScriptedRunner(held=True)
    with pytest.raises(LongProgram, match="stopped after"):
        await SlotRunner(scripted, 0.01).run(TaskSpec(circuit="long", shots=10), DEFAULT_PROJECT)
    assert scripted.cancelled.is_set()


@pytest.mark.parametrize("error", [LongProgram("it is long"), TimeLimitExceeded("its own limit")])
async def test_outcome_of_the_program_is_passed_on(error: Exception) -> None:
    runner = SlotRunner(ScriptedRunner(error), 5)
    with pytest.raises(type(error)):
        await runner.run(TaskSpec(circuit="program", shots=10), DEFAULT_PROJECT)
    assert not runner.failed


async def test_runner_without_a_simulator_is_marked_failed() -> None:
    runner = SlotRunner(ScriptedRunner(SimulatorNotStarted("too many open files")), 5)
    with pytest.raises(SimulatorNotStarted):
        await runner.run(TaskSpec(circuit="program", shots=10), DEFAULT_PROJECT)
    assert runner.failed
