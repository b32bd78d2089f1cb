"""Opens the program inspector of an API process, and describes its backend for `GET /backends`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version

from ketline.config import Settings
from ketline.domain.devices.backend import Backend, BackendLimits
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.counts import SimulatorCounts
from ketline.execution.parent.inspector import ChildInspector, open_inspector
from ketline.ports.operations.metrics import Metrics

# The inspector's process reads programs, and simulates none but for a few seconds where nothing else tells the cost.
INSPECTOR_MEMORY_BYTES = 512 << 20
INSPECTOR_IDLE_TIME = timedelta(seconds=60)
VERSIONED = ("ketline", "qiskit", "qiskit-aer", "stim")


@asynccontextmanager
async def open_program_inspector(
    settings: Settings, limits: ExecutionLimits, metrics: Metrics
) -> AsyncIterator[ChildInspector]:
    """Open the inspector, whose process starts when it is needed; `limits` are those of a worker."""
    async with open_inspector(
        replace(limits, process_memory_bytes=INSPECTOR_MEMORY_BYTES, threads=1),
        time_limit=timedelta(seconds=settings.validate_time_limit_s),
        idle_time=INSPECTOR_IDLE_TIME,
        max_waiting=settings.validate_max_waiting,
        counts=SimulatorCounts(metrics, "read"),
    ) as inspector:
        yield inspector


def backend(settings: Settings, limits: ExecutionLimits) -> Backend:
    """Describe what this service runs, with its limits and versions."""
    backend_limits = BackendLimits(
        max_qubits=limits.max_qubits,
        max_operations=limits.max_operations,
        max_shots=settings.max_shots,
        max_program_bytes=settings.max_program_bytes,
        max_result_bytes=limits.max_result_bytes,
        memory_bytes=limits.memory_bytes,
        default_time_limit_seconds=settings.task_time_limit_s,
        max_time_limit_seconds=settings.max_time_limit_s,
    )
    return Backend(limits=backend_limits, versions={name: version(name) for name in VERSIONED})
