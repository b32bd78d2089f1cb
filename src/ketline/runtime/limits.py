"""The limits of simulators: divides the machine's memory and cores between the slots of a worker.

`worker.py` gives them to its simulators, and `services.py` to the inspector.
"""

from dataclasses import replace
from datetime import timedelta

from ketline.config import Settings, available_cores
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.machine import memory_bytes

# The rest is for the service's processes, the libraries of the simulators, and the operating system.
SIMULATOR_MEMORY_SHARE = 0.7
# The share of a slot's equal part that small programs may use; one large program at a time gets the rest of all parts.
SMALL_PROGRAM_SHARE = 0.25
MIN_SMALL_PROGRAM_BYTES = 64 << 20


def execution_limits(settings: Settings) -> ExecutionLimits:
    """The limits of a simulator for a large program and for others, from the settings and this machine."""
    slots = settings.worker_slots
    machine = int(memory_bytes() * SIMULATOR_MEMORY_SHARE)
    small = max(MIN_SMALL_PROGRAM_BYTES, int(machine / slots * SMALL_PROGRAM_SHARE))
    beside = MIN_SMALL_PROGRAM_BYTES if settings.short_task_s else 0
    # On a machine with little memory, at least an equal share.
    large = max(machine - (slots - 1) * small - beside, machine // slots)
    if settings.simulator_memory_mb is not None:
        large = settings.simulator_memory_mb * 1024 * 1024
    cores = available_cores()
    threads = settings.simulator_threads or cores
    return ExecutionLimits(
        soft_time_limit=timedelta(seconds=settings.task_soft_time_limit_s),
        time_limit=timedelta(seconds=settings.task_time_limit_s),
        memory_bytes=large,
        small_memory_bytes=min(small, large),
        max_qubits=settings.max_qubits,
        max_operations=settings.max_operations,
        max_result_bytes=settings.max_result_mb * 1024 * 1024,
        threads=threads,
        share_threads=min(threads, max(1, cores // slots)),
        lightning=settings.lightning,
        gpu=settings.gpu,
    )


def short_program_limits(settings: Settings) -> ExecutionLimits:
    """The limits of the simulator for short programs: little memory, and one thread."""
    limits = execution_limits(settings)
    return replace(
        limits,
        small_memory_bytes=min(MIN_SMALL_PROGRAM_BYTES, limits.memory_bytes),
        share_threads=1,
        longest_seconds=settings.short_task_s,
        gpu=False,
    )
