"""The benchmark's simulators that sleep answer as simulators do."""

import sys
import time

from benchmarks.programs import BELL
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory

SECONDS = 0.2
COMMAND = (sys.executable, "-m", "benchmarks.sleeping", "child", str(SECONDS))


async def test_sleeping_child_answers_each_order_after_its_time() -> None:
    factory = ChildRunnerFactory(ExecutionLimits(), command=COMMAND)
    async with factory.open_runner() as runner:
        started = time.monotonic()
        results = [await runner.run(TaskSpec(circuit=BELL, shots=shots), DEFAULT_PROJECT) for shots in (3, 5)]
        assert time.monotonic() - started >= 2 * SECONDS
    assert [result.counts for result in results] == [{"0": 3}, {"0": 5}]
