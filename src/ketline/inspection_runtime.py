"""The composition root's part for looking at programs and workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version

from ketline.config import Settings
from ketline.db.engine.database import Database
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.backend import Backend, BackendLimits
from ketline.domain.task import WorkerId
from ketline.domain.worker import WorkerIdentity
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.inspector import open_inspector
from ketline.ports.inspection import WorkerRegistry
from ketline.ports.tasks import Clock
from ketline.service.draw import DrawCircuit, DrawingCache
from ketline.service.simulators import SimulatorStatus
from ketline.service.validate import ValidateProgram
from ketline.service.workers import Heartbeat, LostWorkers

# An API's child reads programs and simulates none.
INSPECTOR_MEMORY_BYTES = 512 << 20
INSPECTOR_IDLE_TIME = timedelta(seconds=60)
DRAWINGS_KEPT_CHARACTERS = 16 << 20
VERSIONED = ("ketline", "qiskit", "qiskit-aer", "stim")


@dataclass(frozen=True, slots=True)
class InspectionServices:
    """What an API needs to show programs, the backend and workers; `lost_workers` is to be run beside it."""

    validate: ValidateProgram
    draw: DrawCircuit
    workers: WorkerRegistry
    backend: Backend
    lost_workers: LostWorkers


@asynccontextmanager
async def open_inspection(
    settings: Settings, database: Database, limits: ExecutionLimits, clock: Clock
) -> AsyncIterator[InspectionServices]:
    """The services, and the child that reads programs for them when it is needed; `limits` are those of a worker."""
    registry = SqlWorkerRegistry(database)
    async with open_inspector(
        replace(limits, process_memory_bytes=INSPECTOR_MEMORY_BYTES, threads=1),
        time_limit=timedelta(seconds=settings.validate_time_limit_s),
        idle_time=INSPECTOR_IDLE_TIME,
        most_waiting=settings.validate_max_waiting,
    ) as inspector:
        yield InspectionServices(
            validate=ValidateProgram(inspector, limits.time_limit),
            draw=DrawCircuit(SqlProgramLibrary(database), inspector, DrawingCache(DRAWINGS_KEPT_CHARACTERS)),
            workers=registry,
            backend=_backend(settings, limits),
            lost_workers=LostWorkers(registry, clock),
        )


def heartbeat(settings: Settings, database: Database, clock: Clock, simulators: SimulatorStatus) -> Heartbeat:
    """What says that this process's worker lives, and how many of its simulators do."""
    identity = WorkerIdentity(
        worker_id=WorkerId(settings.worker_id), slots=settings.worker_slots, version=version("ketline")
    )
    return Heartbeat(SqlWorkerRegistry(database), clock, identity, settings.worker_beat_s, simulators)


def _backend(settings: Settings, limits: ExecutionLimits) -> Backend:
    told = BackendLimits(
        max_qubits=limits.max_qubits,
        max_operations=limits.max_operations,
        max_shots=settings.max_shots,
        max_program_bytes=settings.max_program_bytes,
        max_result_bytes=limits.max_result_bytes,
        memory_bytes=limits.memory_bytes,
        default_time_limit_seconds=settings.task_time_limit_s,
        max_time_limit_seconds=settings.max_time_limit_s,
    )
    return Backend(limits=told, versions={name: version(name) for name in VERSIONED})
