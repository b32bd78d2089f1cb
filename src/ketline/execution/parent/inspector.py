"""Validates and draws programs for an API process, in child processes that start on demand and end when idle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

import structlog

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import ServiceUnavailable, SimulatorDied
from ketline.domain.tasks.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.counts import SimulatorCounts
from ketline.execution.parent.reader_pool import Checkout, ReaderPool
from ketline.execution.parent.runner import CHILD, ChildRunner

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# The shortest time that a child gets for a program, even if little time is left before the deadline.
_MIN_SECONDS = 0.1
# Nearly every program is read within this time; programs that take longer must not delay the others.
QUICK_SECONDS = 1.0
READERS = 2


class ProgramReader:
    """A child process that reads programs, started on demand."""

    def __init__(self, limits: ExecutionLimits, command: Sequence[str], counts: SimulatorCounts) -> None:
        self._limits = limits
        self._command = command
        self._counts = counts
        self._runner: ChildRunner | None = None
        self._closed = False
        self.idle_since = 0.0

    @property
    def pid(self) -> int | None:
        return self._runner.pid if self._runner is not None else None

    @property
    def started(self) -> bool:
        return self._runner is not None

    async def runner(self) -> ChildRunner:
        """Return a runner whose child is ready.

        Raises:
            ServiceUnavailable: the child could not be started, or this process is stopping.
        """
        if self._closed:
            raise ServiceUnavailable("This process is stopping; send the request again.")
        if self._runner is None:
            self._runner = ChildRunner(self._limits, self._command, counts=self._counts)
        try:
            await self._runner.open()
        except SimulatorDied as error:
            raise ServiceUnavailable("The process that reads programs could not be started; try again.") from error
        return self._runner

    async def end(self) -> None:
        """End the child, if there is one; the next call starts another."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.close()
            _log.debug("inspector.child_ended")

    async def close(self) -> None:
        """End the child; later calls of `runner` raise."""
        self._closed = True
        await self.end()


class ChildInspector:
    """Completes each call within `time_limit`, of which it may wait half for other calls; short programs go first, and
    projects share the children.

    This does not include the start of a child, which is needed for the first call, after an idle time and after a
    child was killed. If a child dies while it reads a program, another child reads it, once, in the remaining time.
    """

    def __init__(
        self,
        limits: ExecutionLimits,
        *,
        time_limit: timedelta,
        idle_time: timedelta,
        max_waiting: int,
        readers: int = READERS,
        quick_time: timedelta = timedelta(seconds=QUICK_SECONDS),
        command: Sequence[str] = CHILD,
        counts: SimulatorCounts | None = None,
    ) -> None:
        self._seconds = time_limit.total_seconds()
        self._idle_seconds = idle_time.total_seconds()
        counts = counts or SimulatorCounts()
        self._readers = [ProgramReader(limits, command, counts) for _ in range(readers)]
        self._pool = ReaderPool(self._readers, quick_seconds=quick_time.total_seconds(), max_waiting=max_waiting)
        self._in_use = asyncio.Event()

    @property
    def pids(self) -> Sequence[int]:
        """The process ids of the current children."""
        return [reader.pid for reader in self._readers if reader.pid is not None]

    async def inspect(self, spec: TaskSpec, project: ProjectName = DEFAULT_PROJECT) -> Inspection:
        return await self._read(
            len(spec.circuit), project, lambda runner, seconds: runner.inspect(spec, seconds, project)
        )

    async def draw(self, source: ProgramSource, drawing: Drawing, project: ProjectName = DEFAULT_PROJECT) -> str:
        return await self._read(
            len(source.circuit), project, lambda runner, seconds: runner.draw(source, drawing, seconds, project)
        )

    async def end_idle_children(self) -> None:
        """End each child that has been idle for the idle time, until cancelled."""
        while True:
            await self._in_use.wait()
            started = [reader for reader in self._readers if reader.started]
            if not started:
                self._in_use.clear()
                continue
            await asyncio.sleep(max(0.0, min(reader.idle_since for reader in started) + self._idle_seconds - _now()))
            for reader in started:
                if _now() >= reader.idle_since + self._idle_seconds:
                    await self._end_if_free(reader)

    async def close(self) -> None:
        """Kill the children and return when they have ended; no others are started."""
        await asyncio.gather(*(reader.close() for reader in self._readers))

    async def _end_if_free(self, reader: ProgramReader) -> None:
        if not self._pool.reserve(reader):
            reader.idle_since = _now()  # it is in use
            return
        try:
            await reader.end()
        finally:
            self._pool.release(reader)

    async def _read(
        self, characters: int, project: ProjectName, read: Callable[[ChildRunner, float], Awaitable[T]]
    ) -> T:
        deadline = _now() + self._seconds

        async def call(checkout: Checkout[ProgramReader]) -> T:
            try:
                return await self._read_with(checkout, max(_MIN_SECONDS, deadline - _now()), read)
            finally:
                checkout.reader.idle_since = _now()

        return await self._pool.run(characters, self._seconds / 2, call, project)

    async def _read_with(
        self, checkout: Checkout[ProgramReader], seconds: float, read: Callable[[ChildRunner, float], Awaitable[T]]
    ) -> T:
        """Read a program, and once again if the child dies: the cause may be the system and not the program."""
        self._in_use.set()
        runner = await checkout.reader.runner()
        checkout.begin()
        try:
            return await read(runner, seconds)
        except SimulatorDied as error:
            _log.warning("inspector.read_again", reason=str(error))
        left = max(_MIN_SECONDS, seconds - (_now() - checkout.began_at))
        try:
            return await read(await checkout.reader.runner(), left)
        except SimulatorDied as error:
            raise ServiceUnavailable(
                "The process that reads programs died twice while it read this program."
            ) from error


@asynccontextmanager
async def open_inspector(
    limits: ExecutionLimits,
    *,
    time_limit: timedelta,
    idle_time: timedelta,
    max_waiting: int,
    readers: int = READERS,
    quick_time: timedelta = timedelta(seconds=QUICK_SECONDS),
    command: Sequence[str] = CHILD,
    counts: SimulatorCounts | None = None,
) -> AsyncIterator[ChildInspector]:
    """Open an inspector, and end its children when the context is left."""
    inspector = ChildInspector(
        limits,
        time_limit=time_limit,
        idle_time=idle_time,
        max_waiting=max_waiting,
        readers=readers,
        quick_time=quick_time,
        command=command,
        counts=counts,
    )
    ending = asyncio.create_task(inspector.end_idle_children())
    try:
        yield inspector
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await inspector.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
