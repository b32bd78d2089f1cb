"""The simulators of a worker, each lent to one task at a time, and whether programs are short enough to claim ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ketline.domain.errors import MachineBusy, NoFreeSlot, SimulatorNotStarted
from ketline.domain.spec import TaskSpec
from ketline.domain.task import RunResult
from ketline.ports.tasks import CircuitRunner, Clock
from ketline.worker.occupancy import Occupancy

SHORT_SECONDS = 0.02
# So many more short programs than long ones, of which each counts as several, and the next are taken to be short too.
SHORT_ENOUGH = 32
A_LONG_ONE = 8
# A task that was claimed ahead and waits this long for a simulator is another worker's to run.
ACQUIRE_TIMEOUT_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class SimulatorPool:
    """A `CircuitRunner` made of runners: the first who asks is lent the first that is free.

    While programs take milliseconds, `short` is true: a simulator would stand idle between two of them if nobody waited
    for it. Once somebody has waited for long it is false, and all who wait are turned away. `changed` is called when it
    changes, or the number of runners does. `occupancy` is told when all runners have a task.
    """

    clock: Clock
    changed: Callable[[], None]
    acquire_timeout_seconds: float = ACQUIRE_TIMEOUT_SECONDS
    occupancy: Occupancy = field(default_factory=Occupancy)
    short: bool = field(default=False, init=False)
    _runners: dict[CircuitRunner, asyncio.Event] = field(default_factory=dict, init=False)
    _free: deque[CircuitRunner] = field(default_factory=deque, init=False)
    _waiting: deque[asyncio.Future[CircuitRunner]] = field(default_factory=deque, init=False)
    _acquire_timeout: asyncio.TimerHandle | None = field(default=None, init=False)
    _short_ones: int = field(default=0, init=False)

    @property
    def size(self) -> int:
        """How many runners there are."""
        return len(self._runners)

    @asynccontextmanager
    async def offering(self, runner: CircuitRunner) -> AsyncIterator[asyncio.Event]:
        """Lend the runner for the time of the context, at the end of which nobody may have it.

        The event is set when the runner has no simulator and cannot start one: it is lent no more.
        """
        failed = self._runners[runner] = asyncio.Event()
        self._give(runner)
        self.changed()
        try:
            yield failed
        finally:
            self._withdraw(runner)

    async def run(self, spec: TaskSpec) -> RunResult:
        """As `CircuitRunner.run` by the first runner that is free.

        Raises:
            NoFreeSlot: none was for long, because programs are not short any more.
            SimulatorNotStarted: it has no simulator; the program has not begun.
        """
        runner = self._free.popleft() if self._free else await self._checkout()
        self._tell_occupancy()
        started = self.clock.monotonic()
        try:
            result = await runner.run(spec)
        except MachineBusy:
            raise  # it was no run
        except SimulatorNotStarted:
            self._runners.get(runner, asyncio.Event()).set()
            self._withdraw(runner)
            raise
        except BaseException:
            self._took(self.clock.monotonic() - started)
            raise
        else:
            self._took(self.clock.monotonic() - started)
            return result
        finally:
            self._give(runner)

    async def _checkout(self) -> CircuitRunner:
        coming: asyncio.Future[CircuitRunner] = asyncio.get_running_loop().create_future()
        self._waiting.append(coming)
        if self._acquire_timeout is None:
            self._wait_for_the_first(coming)
        try:
            return await coming
        except asyncio.CancelledError:
            if coming.done() and not coming.cancelled() and coming.exception() is None:
                self._give(coming.result())
            raise

    def _withdraw(self, runner: CircuitRunner) -> None:
        if self._runners.pop(runner, None) is not None:
            if runner in self._free:
                self._free.remove(runner)
            self._tell_occupancy()
            self.changed()

    def _give(self, runner: CircuitRunner) -> None:
        if runner not in self._runners:
            return
        while self._waiting:
            coming = self._waiting.popleft()
            if not coming.done():
                coming.set_result(runner)
                return
        self._free.append(runner)
        self._tell_occupancy()

    def _tell_occupancy(self) -> None:
        self.occupancy.update(all_busy=bool(self._runners) and not self._free)

    def _took(self, seconds: float) -> None:
        counted = self._short_ones + (1 if seconds <= SHORT_SECONDS else -A_LONG_ONE)
        self._short_ones = min(SHORT_ENOUGH, max(0, counted))
        if not self.short and self._short_ones == SHORT_ENOUGH:
            self.short = True
            self.changed()

    def _wait_for_the_first(self, coming: asyncio.Future[CircuitRunner]) -> None:
        """One timer at a time: for who waits first, and then for who does when that time is up."""
        self._acquire_timeout = asyncio.get_running_loop().call_later(
            self.acquire_timeout_seconds, self._acquire_timed_out, coming
        )

    def _acquire_timed_out(self, coming: asyncio.Future[CircuitRunner]) -> None:
        self._acquire_timeout = None
        if not coming.done():
            self._reject_waiting()
        elif self._waiting:
            self._wait_for_the_first(self._waiting[0])

    def _reject_waiting(self) -> None:
        self.short, self._short_ones = False, 0
        waiting, self._waiting = self._waiting, deque()
        for coming in waiting:
            if not coming.done():
                coming.set_exception(NoFreeSlot("it waits for programs that run now"))
        self.changed()
