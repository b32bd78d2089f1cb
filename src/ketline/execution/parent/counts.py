"""Counts the simulator processes of one use, and reads their processor time and memory when metrics are scraped."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ketline.domain.errors import MemoryLimitExceeded, SimulatorNotStarted, TimeLimitExceeded
from ketline.domain.operations import metrics as table
from ketline.execution.parent.process import SimulatorProcess
from ketline.ports.operations.metrics import Metrics, NoMetrics, Reading

NOT_STARTED = "not_started"


class SimulatorCounts:
    """Shared by the runners of one factory. Used by `use` says what their simulators are for. Any thread may."""

    def __init__(self, metrics: Metrics | None = None, use: str = "simulate") -> None:
        self._metrics = metrics or NoMetrics()
        self._use = use
        self._busy = 0
        self._processes: dict[int, SimulatorProcess] = {}
        self._seconds_of_ended = 0.0
        self._metrics.on_scrape(table.SIMULATORS, lambda: self._reading(len(self._processes)))
        self._metrics.on_scrape(table.SIMULATORS_BUSY, lambda: self._reading(self._busy))
        self._metrics.on_scrape(table.SIMULATOR_MEMORY, self._memory)
        self._metrics.on_scrape(table.SIMULATOR_PROCESSOR, self._processor)

    def add(self, process: SimulatorProcess) -> None:
        """Count a process that was started."""
        self._processes[process.pid] = process

    def remove(self, process: SimulatorProcess) -> None:
        """Stop counting a process, but keep the processor time that it took."""
        if self._processes.pop(process.pid, None) is not None:
            self._seconds_of_ended += process.usage.processor_seconds

    def ready(self) -> None:
        """Count a simulator that became ready."""
        self._metrics.count(table.SIMULATORS_STARTED, self._use)

    def not_started(self) -> None:
        """Count a simulator that could not be started."""
        self._metrics.count(table.SIMULATORS_FAILED, self._use, NOT_STARTED)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count a simulator as busy while the context is open."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def stopped(self, error: BaseException) -> None:
        """Count a simulator that was killed, or ended by itself, while it ran a program."""
        if isinstance(error, TimeLimitExceeded):
            self._metrics.count(table.SIMULATORS_KILLED, self._use, "time_limit")
        elif isinstance(error, asyncio.CancelledError):
            self._metrics.count(table.SIMULATORS_KILLED, self._use, "cancelled")
        elif isinstance(error, MemoryLimitExceeded):
            self._metrics.count(table.SIMULATORS_FAILED, self._use, "memory_limit")
        elif isinstance(error, SimulatorNotStarted):
            self.not_started()
        else:
            self._metrics.count(table.SIMULATORS_FAILED, self._use, "died")

    def _memory(self) -> Reading:
        return self._reading(sum(process.usage.resident_bytes for process in list(self._processes.values())))

    def _processor(self) -> Reading:
        running = sum(process.usage.processor_seconds for process in list(self._processes.values()))
        return self._reading(self._seconds_of_ended + running)

    def _reading(self, value: float) -> Reading:
        return {(self._use,): value}
