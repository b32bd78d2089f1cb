"""Runs programs in a warm child process that can be killed at any time; the event loop never waits for it."""

import asyncio
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from ketline.domain.errors import (
    ExecutionFailed,
    MachineBusy,
    MemoryLimitExceeded,
    SimulatorDied,
    TimeLimitExceeded,
)
from ketline.domain.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.task import Inputs, RunOptions, RunResult
from ketline.execution.admission import Admission
from ketline.execution.limits import ExecutionLimits
from ketline.execution.process import ProcessGone, SimulatorProcess
from ketline.execution.wire import (
    BUSY,
    GRANTED,
    Answer,
    Order,
    Outcome,
    Purpose,
    decode_answer,
    decode_request,
    encode_order,
    is_request,
)
from ketline.ports.tasks import CircuitRunner

CHILD = (sys.executable, "-P", "-m", "ketline.simulator")
# Room around the counts for the profile and the JSON around them.
_ANSWER_MARGIN_BYTES = 1 << 20

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    """One call for an answer; guarded by the runner's lock."""

    order: Order
    cancelled: bool = False


class ChildRunner:
    """Runs programs one at a time in a child process of its own.

    One thread starts the child, talks to it and reaps it, and lives as long as the runner: a child is killed by the
    kernel when the thread that started it ends. Other threads only ever kill it.
    """

    def __init__(
        self, limits: ExecutionLimits, command: Sequence[str] = CHILD, admission: Admission | None = None
    ) -> None:
        self._limits = limits
        self._command = command
        self._admission = admission or Admission()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="simulator")
        self._lock = threading.Lock()
        self._process: SimulatorProcess | None = None
        self._running: _Job | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, where there is a child now."""
        process = self._process
        return process.pid if process is not None else None

    async def open(self) -> None:
        """Return when a child is ready.

        Raises:
            SimulatorDied: it could not be started.
        """
        await asyncio.wrap_future(self._thread.submit(self._ready_process))

    async def run(
        self,
        circuit: str,
        shots: int,
        time_limit: timedelta | None = None,
        options: RunOptions | None = None,
        inputs: Inputs | None = None,
    ) -> RunResult:
        seconds = time_limit.total_seconds() if time_limit is not None else None
        order = Order(circuit, shots, _token(), seconds, options or RunOptions(), inputs or {})
        outcome = await self._answer(order)
        assert isinstance(outcome, RunResult)
        return outcome

    async def inspect(self, source: ProgramSource, shots: int, options: RunOptions, seconds: float) -> Inspection:
        """Read a program and say how it would be simulated; it is raised and cancelled as `run` is."""
        options = replace(options, format=source.format)
        order = Order(source.circuit, shots, _token(), seconds, options, source.inputs, Purpose.INSPECT)
        outcome = await self._answer(order)
        assert isinstance(outcome, Inspection)
        return outcome

    async def draw(self, source: ProgramSource, drawing: Drawing, seconds: float) -> str:
        """Read a program and draw its circuit; it is raised and cancelled as `run` is."""
        options = RunOptions(format=source.format)
        order = Order(source.circuit, 1, _token(), seconds, options, source.inputs, Purpose.DRAW, drawing)
        outcome = await self._answer(order)
        assert isinstance(outcome, str)
        return outcome

    async def close(self) -> None:
        """Kill the child and return when it is gone."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
            self._thread.submit(self._end_process)
        await asyncio.shield(asyncio.to_thread(self._thread.shutdown))

    async def _answer(self, order: Order) -> Outcome:
        job = _Job(order)
        try:
            return await asyncio.wrap_future(self._thread.submit(self._run, job))
        except asyncio.CancelledError:
            self._cancel(job)
            raise

    def _cancel(self, job: _Job) -> None:
        with self._lock:
            job.cancelled = True
            if self._running is job and self._process is not None:
                self._process.kill()

    # From here on: the runner's own thread.

    def _run(self, job: _Job) -> Outcome:
        process = self._ready_process()
        with self._lock:
            if job.cancelled:
                raise SimulatorDied("the call was cancelled")
            self._running = job
        try:
            answer = self._ask(process, job.order)
        finally:
            with self._lock:
                self._running = None
            if not process.usable:
                self._replace_process()
        if isinstance(answer.outcome, ExecutionFailed):
            raise answer.outcome
        return answer.outcome

    def _ask(self, process: SimulatorProcess, order: Order) -> Answer:
        limit = order.time_limit_seconds or self._limits.time_limit.total_seconds()
        most = self._limits.max_result_bytes + _ANSWER_MARGIN_BYTES
        started = time.monotonic()
        memory = self._limits.share_bytes
        # A grant ends when the answer is there, or the process has been reaped and its memory is free.
        with ExitStack() as grants:
            try:
                process.send(encode_order(order))
                data = process.receive(limit, most)
                if data is not None and is_request(data):
                    self._admit(process, data, order, grants)
                    memory = self._limits.memory_bytes
                    data = process.receive(max(0.0, limit - (time.monotonic() - started)), most)
            except ProcessGone as gone:
                raise _died(gone, memory) from gone
            if data is None:
                process.end()
                ran = time.monotonic() - started
                raise TimeLimitExceeded(f"the program was stopped after {ran:.1f} s, at the time limit of {limit:g} s")
            return self._understand(process, data, order)

    def _admit(self, process: SimulatorProcess, data: bytes, order: Order, grants: ExitStack) -> None:
        """Let a large program begin, with a grant among `grants`; or have the child drop it."""
        try:
            decode_request(data, order, self._limits)
        except ValueError as error:
            raise _senseless(process) from error
        try:
            grants.callback(self._admission.enter().end)
        except MachineBusy:
            process.send(BUSY)
            raise
        process.send(GRANTED)

    def _understand(self, process: SimulatorProcess, data: bytes, order: Order) -> Answer:
        try:
            answer = decode_answer(data, order)
        except ValueError as error:
            raise _senseless(process) from error
        if answer.retiring:
            process.end()
        return answer

    def _ready_process(self) -> SimulatorProcess:
        if self._process is not None and self._process.usable:
            return self._process
        self._end_process()
        if self._closed:
            raise SimulatorDied("the runner is closed")
        try:
            process = self._start_process()
            ready = process.wait_until_ready(self._limits.start_time_limit.total_seconds())
        except (ProcessGone, OSError) as error:
            self._end_process()
            if not self._closed:
                _log.error("simulator.not_started", error=str(error), last_words=getattr(error, "last_words", ""))
            raise SimulatorDied("the simulator process could not be started") from error
        if not ready:
            self._end_process()
            raise SimulatorDied("the simulator process did not become ready in time")
        _log.debug("simulator.ready", pid=process.pid)
        return process

    def _start_process(self) -> SimulatorProcess:
        process = SimulatorProcess(self._command, self._limits)
        with self._lock:
            self._process = process
            if self._closed:
                process.kill()
        return process

    def _end_process(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def _replace_process(self) -> None:
        """Start the next child while nobody waits for it."""
        with self._lock:
            if not self._closed:
                self._thread.submit(self._ready_process)


def _died(gone: ProcessGone, memory_bytes: int) -> ExecutionFailed:
    _log.warning("simulator.died", how=gone.how, last_words=gone.last_words)
    if gone.ran_out_of_memory:
        mebibytes = memory_bytes >> 20
        return MemoryLimitExceeded(f"the program needs more than {mebibytes} MiB of memory and was stopped")
    return SimulatorDied(f"{gone.how} while running the program")


def _senseless(process: SimulatorProcess) -> SimulatorDied:
    process.end()
    return SimulatorDied("the simulator process gave no sensible answer and was stopped")


def _token() -> str:
    return secrets.token_hex(8)


class ChildRunnerFactory:
    """Opens runners that share the same limits and one admission, each with a child process of its own.

    `command` starts a child, for tests of children that misbehave.
    """

    def __init__(
        self, limits: ExecutionLimits, *, command: Sequence[str] = CHILD, admission: Admission | None = None
    ) -> None:
        self._limits = limits
        self._command = command
        self._admission = admission or Admission()

    def open_runner(self) -> AbstractAsyncContextManager[CircuitRunner]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[ChildRunner]:
        runner = ChildRunner(self._limits, self._command, self._admission)
        try:
            await runner.open()
            yield runner
        finally:
            await runner.close()
