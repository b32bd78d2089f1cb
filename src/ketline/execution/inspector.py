"""Reads programs for an API process: in one child of its own, started when it is needed and let go when it is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

import structlog

from ketline.domain.errors import InspectorBusy, ServiceUnavailable, SimulatorDied
from ketline.domain.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.task import RunOptions
from ketline.execution.limits import ExecutionLimits
from ketline.execution.runner import CHILD, ChildRunner

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# For a second child where the first died just before its time was up.
_LEAST_SECONDS = 0.1


class ChildInspector:
    """Answers one call at a time within `time_limit`, of which waiting for others may take half.

    A child's start is not counted: it comes with the first call, after idle times, and after a child was killed. Where
    a child dies over a program another is asked once, in the time that is left.
    """

    def __init__(
        self,
        limits: ExecutionLimits,
        *,
        time_limit: timedelta,
        idle_time: timedelta,
        most_waiting: int,
        command: Sequence[str] = CHILD,
    ) -> None:
        self._limits = limits
        self._command = command
        self._seconds = time_limit.total_seconds()
        self._idle_seconds = idle_time.total_seconds()
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._runner: ChildRunner | None = None
        self._let_go_at = 0.0
        self._in_use = asyncio.Event()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, where there is a child now."""
        return self._runner.pid if self._runner is not None else None

    async def inspect(self, source: ProgramSource, shots: int, options: RunOptions) -> Inspection:
        return await self._ask(lambda runner, seconds: runner.inspect(source, shots, options, seconds))

    async def draw(self, source: ProgramSource, drawing: Drawing) -> str:
        return await self._ask(lambda runner, seconds: runner.draw(source, drawing, seconds))

    async def let_go_when_idle(self) -> None:
        """End the child whenever nobody has needed it for the idle time, until cancelled."""
        while True:
            await self._in_use.wait()
            await asyncio.sleep(max(0.0, self._let_go_at - _now()))
            async with self._turn:
                if _now() >= self._let_go_at:
                    await self._let_go()

    async def close(self) -> None:
        """Kill the child, if there is one, and return when it is gone; there is no other after it."""
        self._closed = True
        await self._let_go()

    async def _let_go(self) -> None:
        runner, self._runner = self._runner, None
        self._in_use.clear()
        if runner is not None:
            await runner.close()
            _log.debug("inspector.let_go")

    async def _ask(self, ask: Callable[[ChildRunner, float], Awaitable[T]]) -> T:
        """Ask again where a child dies: that may be the system's doing, and says nothing of the program."""
        async with self._runner_of_ours() as (runner, seconds):
            asked_at = _now()
            try:
                return await ask(runner, seconds)
            except SimulatorDied as error:
                _log.warning("inspector.asked_again", reason=str(error))
            left = max(_LEAST_SECONDS, seconds - (_now() - asked_at))
            try:
                return await ask(await self._ready_runner(), left)
            except SimulatorDied as error:
                raise ServiceUnavailable("The process that reads programs died twice over this one.") from error

    @asynccontextmanager
    async def _runner_of_ours(self) -> AsyncIterator[tuple[ChildRunner, float]]:
        """The runner, for one call, and the seconds the call may take."""
        asked_at = _now()
        await self._wait_for_turn()
        try:
            left = self._seconds - (_now() - asked_at)
            runner = await self._ready_runner()
            yield runner, left
        finally:
            self._let_go_at = _now() + self._idle_seconds
            self._turn.release()

    async def _wait_for_turn(self) -> None:
        if self._turn.locked() and self._waiting >= self._most_waiting:
            raise InspectorBusy(f"{self._waiting} calls wait for their program to be read; try again shortly.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds / 2):
                await self._turn.acquire()
        except TimeoutError:
            raise InspectorBusy("Programs of others are being read; try again shortly.") from None
        finally:
            self._waiting -= 1

    async def _ready_runner(self) -> ChildRunner:
        if self._closed:
            raise ServiceUnavailable("This process stops; ask again elsewhere.")
        if self._runner is None:
            self._runner = ChildRunner(self._limits, self._command)
        self._in_use.set()
        try:
            await self._runner.open()
        except SimulatorDied as error:
            raise ServiceUnavailable("The process that reads programs could not be started; try again.") from error
        return self._runner


@asynccontextmanager
async def open_inspector(
    limits: ExecutionLimits,
    *,
    time_limit: timedelta,
    idle_time: timedelta,
    most_waiting: int,
    command: Sequence[str] = CHILD,
) -> AsyncIterator[ChildInspector]:
    """An inspector that leaves no process behind."""
    inspector = ChildInspector(
        limits, time_limit=time_limit, idle_time=idle_time, most_waiting=most_waiting, command=command
    )
    letting_go = asyncio.create_task(inspector.let_go_when_idle())
    try:
        yield inspector
    finally:
        letting_go.cancel()
        await asyncio.gather(letting_go, return_exceptions=True)
        await inspector.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
