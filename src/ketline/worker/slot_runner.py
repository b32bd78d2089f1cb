"""The runner of a slot that has its own simulator. Used by `short_slot` and `queue_slots`."""

import asyncio
from dataclasses import dataclass

from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import LongProgram, SimulatorNotStarted
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.tasks.runner import CircuitRunner


@dataclass(slots=True)
class SlotRunner:
    """A `CircuitRunner`; `failed` is True once it has no simulator, so that the slot can open another one.

    Programs that take longer than `most_seconds`, if that is not None, are stopped.
    """

    runner: CircuitRunner
    most_seconds: float | None = None
    failed: bool = False

    async def run(self, spec: TaskSpec, project: ProjectName) -> RunResult:
        """Run a program; see `CircuitRunner.run`.

        Raises:
            LongProgram: the program is predicted to take long, or was stopped because it did.
        """
        try:
            async with asyncio.timeout(self.most_seconds):
                return await self.runner.run(spec, project)
        except TimeoutError:
            raise LongProgram(f"stopped after {self.most_seconds:g} s; it waits for another slot") from None
        except SimulatorNotStarted:
            self.failed = True
            raise
