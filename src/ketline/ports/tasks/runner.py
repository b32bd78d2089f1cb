"""Runs the program of a task; a worker opens one runner for each slot."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ketline.domain.access.principals import ProjectName
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import TaskSpec


class CircuitRunner(Protocol):
    """Runs programs, one at a time, in a process that can be killed without harm to the caller."""

    async def run(self, spec: TaskSpec, project: ProjectName) -> RunResult:
        """Read and simulate a program of a project without blocking the event loop.

        The runner reuses cached programs only for the same project.
        A spec without a time limit gets the runner's default. Cancelling the call kills the simulation; the runner
        can run the next program after any outcome. `profile.queued_seconds` of the result is 0; the caller sets it.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot run.
            TimeLimitExceeded, MemoryLimitExceeded: it was stopped at a limit.
            SimulationFailed: the simulator rejected it, failed or died.
            MachineBusy: the program is large, and another large one runs; it has not begun.
        """
        ...


class RunnerFactory(Protocol):
    """Opens runners, one for each slot."""

    def open_runner(
        self, on_idle_end: Callable[[CircuitRunner], None] | None = None
    ) -> AbstractAsyncContextManager[CircuitRunner]:
        """Open a runner whose process has started when the context is entered, and has ended when it is left.

        `on_idle_end` is called with the runner when its process ended while it ran no program, and when no process
        could be started after one was stopped. The next call of `run` starts one, or raises the error.
        """
        ...
