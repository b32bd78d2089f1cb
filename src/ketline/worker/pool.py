"""The pool of a worker's simulators, and whether programs are short enough for consumers to claim tasks ahead.

The consumers of `loop.py` run their tasks on it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import MachineBusy, NoFreeSlot, SimulatorNotStarted
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.clock import Clock
from ketline.ports.tasks.runner import CircuitRunner
from ketline.worker.occupancy import Occupancy

SHORT_SECONDS = 0.02
# A score decides whether programs are short: each short one adds 1, each long one subtracts LONG_PENALTY.
SHORT_SCORE = 32
LONG_PENALTY = 8
# A task that was claimed ahead and waits this long for a simulator is handed back, so that another worker can run it.
ACQUIRE_TIMEOUT_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class SimulatorPool:
    """A `CircuitRunner` that runs each program on the first free runner of the pool, in the order of the calls.

    `short` is True while programs take milliseconds: then the worker claims tasks ahead, because a simulator would be
    idle while the next task is claimed. When a call has waited for `acquire_timeout_seconds`, `short` becomes False and
    all waiting calls are rejected. `changed` is called when `short` or the number of runners changes; `occupancy` is
    updated when a runner starts or ends a program.
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
    _short_score: int = field(default=0, init=False)

    @property
    def size(self) -> int:
        """The number of runners in the pool."""
        return len(self._runners)

    @asynccontextmanager
    async def added(self, runner: CircuitRunner) -> AsyncIterator[asyncio.Event]:
        """Keep the runner in the pool while the context is open; leave the context only when no call uses the runner.

        The event is set when the runner has no simulator and cannot start one; then it is no longer in the pool.
        """
        failed = self._runners[runner] = asyncio.Event()
        self._put_back(runner)
        self.changed()
        try:
            yield failed
        finally:
            self._remove(runner)

    async def run(self, spec: TaskSpec, project: ProjectName) -> RunResult:
        """Run a program on the first free runner; see `CircuitRunner.run`.

        Raises:
            NoFreeSlot: no runner became free within the acquire timeout.
            SimulatorNotStarted: the runner has no simulator; the program was not started.
        """
        runner = self._free.popleft() if self._free else await self._checkout()
        self._update_occupancy()
        started = self.clock.monotonic()
        try:
            result = await runner.run(spec, project)
        except MachineBusy:
            raise  # the program was not run, so its duration says nothing
        except SimulatorNotStarted:
            self._drop(runner)
            raise
        except BaseException:
            self._record_duration(self.clock.monotonic() - started)
            raise
        else:
            self._record_duration(self.clock.monotonic() - started)
            return result
        finally:
            self._put_back(runner)

    def drop_idle(self, runner: CircuitRunner) -> None:
        """Remove a free runner whose simulator ended, and set its event; a runner in use finds out by itself."""
        if runner in self._free:
            self._drop(runner)

    async def _checkout(self) -> CircuitRunner:
        acquired: asyncio.Future[CircuitRunner] = asyncio.get_running_loop().create_future()
        self._waiting.append(acquired)
        if self._acquire_timeout is None:
            self._start_acquire_timer(acquired)
        try:
            return await acquired
        except asyncio.CancelledError:
            if acquired.done() and not acquired.cancelled() and acquired.exception() is None:
                self._put_back(acquired.result())
            raise

    def _drop(self, runner: CircuitRunner) -> None:
        self._runners.get(runner, asyncio.Event()).set()
        self._remove(runner)

    def _remove(self, runner: CircuitRunner) -> None:
        if self._runners.pop(runner, None) is not None:
            if runner in self._free:
                self._free.remove(runner)
            self._update_occupancy()
            self.changed()

    def _put_back(self, runner: CircuitRunner) -> None:
        if runner not in self._runners:
            return
        while self._waiting:
            acquired = self._waiting.popleft()
            if not acquired.done():
                acquired.set_result(runner)
                return
        self._free.append(runner)
        self._update_occupancy()

    def _update_occupancy(self) -> None:
        self.occupancy.update(all_busy=bool(self._runners) and not self._free)

    def _record_duration(self, seconds: float) -> None:
        score = self._short_score + (1 if seconds <= SHORT_SECONDS else -LONG_PENALTY)
        self._short_score = min(SHORT_SCORE, max(0, score))
        if not self.short and self._short_score == SHORT_SCORE:
            self.short = True
            self.changed()

    def _start_acquire_timer(self, acquired: asyncio.Future[CircuitRunner]) -> None:
        """Start the only timer: for the call that has waited longest, and then for the one that has when it ends."""
        self._acquire_timeout = asyncio.get_running_loop().call_later(
            self.acquire_timeout_seconds, self._acquire_timed_out, acquired
        )

    def _acquire_timed_out(self, acquired: asyncio.Future[CircuitRunner]) -> None:
        self._acquire_timeout = None
        if not acquired.done():
            self._reject_waiting()
        elif self._waiting:
            self._start_acquire_timer(self._waiting[0])

    def _reject_waiting(self) -> None:
        self.short, self._short_score = False, 0
        waiting, self._waiting = self._waiting, deque()
        for acquired in waiting:
            if not acquired.done():
                acquired.set_exception(NoFreeSlot("all slots run other programs"))
        self.changed()
