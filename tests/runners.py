"""A `CircuitRunner` whose behaviour a test decides, and the queue and clock to go with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.results.result import Profile, RunResult
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.tasks.repositories import DeferredTasks
from ketline.ports.tasks.runner import CircuitRunner
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.deferrals import Deferrals

RESULT = RunResult(
    counts={"0": 4, "1": 6},
    shots=10,
    profile=Profile(
        method="statevector",
        qubits=1,
        depth=2,
        operations={"h": 1, "measure": 1},
        parsing_seconds=0.001,
        simulating_seconds=0.002,
    ),
)


class ScriptedRunner:
    """Runs nothing: it tells the test that it was called, waits for `release`, then gives `outcome`."""

    def __init__(self, outcome: RunResult | Exception = RESULT, *, held: bool = False) -> None:
        self.outcome = outcome
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.specs: list[TaskSpec] = []
        self.projects: list[ProjectName] = []
        if not held:
            self.release.set()

    async def run(self, spec: TaskSpec, project: ProjectName = DEFAULT_PROJECT) -> RunResult:
        self.specs.append(spec)
        self.projects.append(project)
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def deferrals_of(repository: DeferredTasks) -> Deferrals:
    """Those of a worker on whose machine no large program runs."""
    return Deferrals(repository, SystemClock(), lambda: False, lambda: None)


class OneRunnerFactory:
    """Gives every slot the same runner."""

    def __init__(self, runner: ScriptedRunner) -> None:
        self.runner = runner

    @asynccontextmanager
    async def open_runner(
        self, on_idle_end: Callable[[CircuitRunner], None] | None = None
    ) -> AsyncIterator[ScriptedRunner]:
        yield self.runner


class HandClock:
    """A `Clock` that stands still until a test sets it; whoever would sleep by it is not meant to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody sleeps here, and it was for {seconds} s")
