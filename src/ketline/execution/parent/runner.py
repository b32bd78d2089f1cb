"""Runs programs in a warm child process that can be killed at any time, without blocking the event loop.

Each slot of a worker opens a runner, and so does each reader of the inspector.
"""

import asyncio
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import (
    ExecutionFailed,
    MachineBusy,
    MemoryLimitExceeded,
    SimulatorDied,
    SimulatorNotStarted,
    TimeLimitExceeded,
)
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.admission import Admission
from ketline.execution.parent.channel import Channel, ChannelClosed
from ketline.execution.parent.counts import SimulatorCounts
from ketline.execution.parent.process import ProcessEnded, SimulatorProcess
from ketline.execution.protocol.admission import BUSY, GRANTED, decode_admission_request, is_admission_request
from ketline.execution.protocol.requests import Command, Request, encode_request
from ketline.execution.protocol.responses import CommandResult, Response, decode_response
from ketline.execution.protocol.start import READY
from ketline.ports.tasks.runner import CircuitRunner

CHILD = (sys.executable, "-P", "-m", "ketline.simulator")
# Room for the profile and for the JSON around the counts.
_RESPONSE_MARGIN_BYTES = 1 << 20
# Encoding or decoding this many characters or bytes takes less than a millisecond.
_LONG = 1 << 16

_log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that is ready, and the channel to it."""

    process: SimulatorProcess
    channel: Channel

    @property
    def usable(self) -> bool:
        """Whether it can take a request: it is alive and has sent no unrequested bytes."""
        return self.channel.idle and self.process.alive

    def kill(self) -> None:
        self.process.kill()
        self.channel.close()


class ChildRunner:
    """Runs programs one at a time in its own child process.

    The event loop exchanges messages with the child. One thread starts and reaps it, and lives as long as the runner:
    the kernel kills a child when the thread that started it ends.
    """

    def __init__(
        self,
        limits: ExecutionLimits,
        command: Sequence[str] = CHILD,
        admission: Admission | None = None,
        counts: SimulatorCounts | None = None,
        on_idle_end: Callable[["ChildRunner"], None] | None = None,
    ) -> None:
        self._limits = limits
        self._command = command
        self._admission = admission or Admission()
        self._counts = counts or SimulatorCounts()
        self._on_idle_end = on_idle_end
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="simulator")
        # Guards `_process` and `_closed`, which the thread uses too; only the event loop uses the other attributes.
        self._lock = threading.Lock()
        self._process: SimulatorProcess | None = None
        self._closed = False
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._preparing: asyncio.Task[_Child] | None = None
        self._closing: asyncio.Task[None] | None = None
        self.busy = False  # whether the process has a request

    @property
    def pid(self) -> int | None:
        """The process id of the child, or None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    async def open(self) -> None:
        """Return when a child is ready.

        Raises:
            SimulatorNotStarted: no child could be started.
        """
        async with self._turn:
            await self._ready_child()

    async def run(self, spec: TaskSpec, project: ProjectName = DEFAULT_PROJECT) -> RunResult:
        command = Command.CONVERT if spec.kind is TaskKind.CONVERT else Command.RUN
        outcome = await self._exchange(Request(spec, _token(), command, project=project))
        assert isinstance(outcome, RunResult)
        return outcome

    async def inspect(self, spec: TaskSpec, seconds: float, project: ProjectName = DEFAULT_PROJECT) -> Inspection:
        """Read a program and report how it would be simulated; errors and cancellation are as for `run`."""
        limited = replace(spec, time_limit_seconds=seconds)
        outcome = await self._exchange(Request(limited, _token(), Command.INSPECT, project=project))
        assert isinstance(outcome, Inspection)
        return outcome

    async def draw(
        self, source: ProgramSource, drawing: Drawing, seconds: float, project: ProjectName = DEFAULT_PROJECT
    ) -> str:
        """Read a program and draw its circuit; errors and cancellation are as for `run`."""
        spec = TaskSpec(
            circuit=source.circuit,
            shots=1,
            inputs=source.inputs,
            options=RunOptions(format=source.format, device=source.device),
            time_limit_seconds=seconds,
        )
        outcome = await self._exchange(Request(spec, _token(), Command.DRAW, drawing, project))
        assert isinstance(outcome, str)
        return outcome

    async def close(self) -> None:
        """Kill the child and return when it has ended; running calls fail with `SimulatorDied`."""
        if self._closing is None:
            with self._lock:
                self._closed = True
                if self._process is not None:
                    self._process.kill()
            if self._child is not None:
                self._child.channel.close()
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        async with self._turn:  # after the running call and those that wait for it
            if self._preparing is not None:
                await asyncio.wait([self._preparing])
            try:
                await self._in_thread(self._end_process)
                await asyncio.to_thread(self._thread.shutdown)
            except RuntimeError:  # no thread could be started, so there is no process
                self._thread.shutdown(wait=False)

    async def _exchange(self, request: Request) -> CommandResult:
        async with self._turn:
            child = await self._ready_child()
            # A permit ends with the response, or when the process has been reaped and its memory is free.
            permits = ExitStack()
            self.busy = True
            try:
                with self._counts.busy():
                    response = await self._send(child, request, permits)
            except MachineBusy:
                raise  # the child has dropped the request and waits for the next one
            except BaseException as error:
                if not self._closed:
                    self._counts.stopped(error)
                child.kill()  # guard: run.killed
                # The next large program starts when this one ends: its memory must be free by then.
                await self._in_thread(child.process.end)  # guard: run.left
                raise
            finally:
                self.busy = False
                usable = child.usable
                if usable or child.process.reaped:
                    permits.close()
                if not usable:
                    self._replace(permits)
        if isinstance(response.outcome, ExecutionFailed):
            raise response.outcome
        return response.outcome

    async def _send(self, child: _Child, request: Request, permits: ExitStack) -> Response:
        limit = request.spec.time_limit_seconds or self._limits.time_limit.total_seconds()
        message = await self._encode(request)
        memory = self._limits.share_bytes
        started = time.monotonic()
        try:
            child.channel.send(message)
        except ChannelClosed:
            raise SimulatorNotStarted("the simulator process ended before it was given the program") from None
        try:
            data = await child.channel.receive(limit)
            if data is not None and is_admission_request(data):
                await self._admit(child, data, request, permits)
                memory = self._limits.memory_bytes
                data = await child.channel.receive(max(0.0, limit - (time.monotonic() - started)))
        except ChannelClosed:
            ended = await self._in_thread(child.process.exit_report)
            raise _died(ended, memory) from ended
        if data is None:
            await self._in_thread(child.process.end)
            ran = time.monotonic() - started
            late = f"the program was stopped after {ran:.1f} s, at the time limit of {limit:g} s"
            raise TimeLimitExceeded(f"{late}{_advice(request.spec)}")
        response = await self._decode(child, data, request)
        if response.retiring:
            await self._in_thread(child.process.end)
        return response

    async def _admit(self, child: _Child, data: bytes, request: Request, permits: ExitStack) -> None:
        """Admit a large program and add its permit to `permits`, or tell the child to drop the request."""
        try:
            decode_admission_request(data, request, self._limits)
        except ValueError as error:
            raise await self._invalid_response(child) from error
        try:
            permits.callback(self._admission.enter().end)  # guard: admission.end
        except MachineBusy:
            child.channel.send(BUSY)
            raise
        child.channel.send(GRANTED)

    async def _encode(self, request: Request) -> bytes:
        """Encode a request, in the thread if it is large, so that the event loop is not blocked."""
        spec = request.spec
        options = spec.options
        if len(spec.circuit) > _LONG or spec.inputs or options.observables or options.noise or options.device:
            return await self._in_thread(lambda: encode_request(request))
        return encode_request(request)

    async def _decode(self, child: _Child, data: bytes, request: Request) -> Response:
        try:
            if len(data) > _LONG:
                return await self._in_thread(lambda: decode_response(data, request))
            return decode_response(data, request)
        except ValueError as error:
            raise await self._invalid_response(child) from error

    async def _invalid_response(self, child: _Child) -> SimulatorDied:
        await self._in_thread(child.process.end)
        return SimulatorDied("the simulator process sent an invalid response and was stopped")

    async def _ready_child(self) -> _Child:
        if self._closed:
            raise SimulatorDied("the runner is closed")
        if self._child is not None and self._child.usable:
            return self._child
        if self._preparing is None or self._preparing.done():
            self._replace(ExitStack())
        assert self._preparing is not None
        # If the caller is cancelled, the child still starts, for the next call.
        return await asyncio.shield(self._preparing)

    def _replace(self, permits: ExitStack) -> None:
        """Start to end the current child, if any; when it has ended, end `permits` and start another child."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._preparing = asyncio.create_task(self._prepare(permits))
        self._preparing.add_done_callback(self._prepared)

    async def _prepare(self, permits: ExitStack) -> _Child:
        try:
            await self._in_thread(self._end_process)
        except RuntimeError as error:
            raise self._not_started(str(error)) from error
        finally:
            permits.close()
        if self._closed:
            raise SimulatorDied("the runner is closed")
        try:
            child = await self._start_child()
        except BaseException as error:
            await self._in_thread(self._end_process)
            match error:
                case OSError() | RuntimeError() | MemoryError():  # no descriptors, processes, threads or memory left
                    raise self._not_started(str(error)) from error
                case ProcessEnded():
                    raise self._not_started(error.how, error.stderr_tail) from error
            raise
        self._counts.ready()
        _log.debug("simulator.ready", pid=child.process.pid)
        self._child = child
        child.channel.on_close = self._channel_closed
        return child

    async def _start_child(self) -> _Child:
        process = await self._in_thread(self._start_process)
        longest = self._limits.max_result_bytes + _RESPONSE_MARGIN_BYTES
        channel = await Channel.open(process.take_socket(), longest, self._limits.transfer_time_limit.total_seconds())
        try:
            ready = await channel.receive(self._limits.start_time_limit.total_seconds())
        except ChannelClosed:
            raise await self._in_thread(process.exit_report) from None
        if ready != READY:
            channel.close()
            if ready is None:
                self._counts.not_started()
                raise SimulatorNotStarted("the simulator process did not become ready in time")
            raise self._not_started("it is of another version; the package was replaced: restart this process")
        return _Child(process, channel)

    def _prepared(self, preparing: asyncio.Task[_Child]) -> None:
        """Retrieve the error, so that asyncio does not log it, and report it: the next call tries again."""
        if not preparing.cancelled() and preparing.exception() is not None:
            self._report_idle_end()

    def _channel_closed(self) -> None:
        if not self._closed and not self._turn.locked():
            _log.warning("simulator.ended_idle", pid=self.pid)
        self._report_idle_end()

    def _report_idle_end(self) -> None:
        """Report that there is no child; a call that uses the runner finds out by itself."""
        if self._on_idle_end is not None and not self._closed and not self._turn.locked():
            self._on_idle_end(self)

    def _not_started(self, error: str, stderr_tail: str = "") -> SimulatorNotStarted:
        if not self._closed:
            self._counts.not_started()
            _log.warning("simulator.not_started", error=error, stderr_tail=stderr_tail)
        return SimulatorNotStarted(f"the simulator process could not be started: {error}")

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    # The following methods run in the runner's thread.

    def _start_process(self) -> SimulatorProcess:
        process = SimulatorProcess(self._command, self._limits)
        self._counts.add(process)
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
            self._counts.remove(process)


def _advice(spec: TaskSpec) -> str:
    """What to do about a program that was stopped; nothing stops Qiskit's transpiler before the time limit does."""
    if spec.options.device is None:
        return ""
    return (
        f", which transpiling for the device '{spec.options.device.name}' is a part of: a lower optimization_level, an "
        "initial_layout or a device with fewer couplings takes less time"
    )


def _died(ended: ProcessEnded, memory_bytes: int) -> ExecutionFailed:
    _log.warning("simulator.died", how=ended.how, stderr_tail=ended.stderr_tail)
    if ended.ran_out_of_memory:
        mebibytes = memory_bytes >> 20
        return MemoryLimitExceeded(f"the program needs more than {mebibytes} MiB of memory and was stopped")
    return SimulatorDied(f"{ended.how} while running the program")


def _token() -> str:
    return secrets.token_hex(8)


class ChildRunnerFactory:
    """Opens runners, each with its own child process, that share the same limits and one admission.

    `command` starts a child, for tests of children that misbehave.
    """

    def __init__(
        self,
        limits: ExecutionLimits,
        *,
        command: Sequence[str] = CHILD,
        admission: Admission | None = None,
        counts: SimulatorCounts | None = None,
    ) -> None:
        self._limits = limits
        self._command = command
        self._admission = admission or Admission()
        self._counts = counts or SimulatorCounts()

    def open_runner(
        self, on_idle_end: Callable[[CircuitRunner], None] | None = None
    ) -> AbstractAsyncContextManager[CircuitRunner]:
        return self._open(on_idle_end)

    @asynccontextmanager
    async def _open(self, on_idle_end: Callable[[CircuitRunner], None] | None) -> AsyncIterator[ChildRunner]:
        # guard: admission.shared
        runner = ChildRunner(self._limits, self._command, self._admission, counts=self._counts, on_idle_end=on_idle_end)
        try:
            await runner.open()
            yield runner
        finally:
            await runner.close()
