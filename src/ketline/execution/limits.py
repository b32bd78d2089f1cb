"""The limits of one execution: time, memory, threads, and the sizes of programs and results.

`runtime/limits.py` computes them, and the parent sends them to each simulator process.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLimits:
    """Limits of one execution; plain values, which the parent sends to the child.

    `soft_time_limit` is for reading a program, `time_limit` for everything from its text to its counts,
    `start_time_limit` for starting the process, `transfer_time_limit` for one message between parent and child, in
    either direction, from its first byte on. `memory_bytes` is for the simulated state; the process gets about 2 GB in
    addition. A process that simulates nothing may be limited to `process_memory_bytes` instead. `threads` is for large
    programs, which are admitted one at a time. Other programs have `small_memory_bytes` (all of `memory_bytes` if that
    is None), and `share_threads` from 15 qubits on, one thread below. A process that holds `growth_bytes` more than
    when it was ready is replaced after its response. A process for short programs has `longest_seconds`: it requests
    admission before it runs a program that is predicted to take longer, or whose duration cannot be predicted.
    `max_operations` counts operations after loops are unrolled and user-defined gates are inlined; `max_nesting` counts
    open brackets of any kind. With `lightning`, states are built on Lightning where it is faster than Aer.
    With `gpu`, those of large programs are built by Aer on a GPU; the address space is not limited then, because CUDA
    reserves far more than it uses.
    """

    soft_time_limit: timedelta = timedelta(seconds=60)
    time_limit: timedelta = timedelta(seconds=90)
    start_time_limit: timedelta = timedelta(seconds=60)
    transfer_time_limit: timedelta = timedelta(seconds=10)
    memory_bytes: int = 1 << 30
    process_memory_bytes: int | None = None
    growth_bytes: int = 256 << 20
    threads: int = 1
    small_memory_bytes: int | None = None
    share_threads: int = 1
    longest_seconds: float | None = None
    max_operations: int = 250_000
    max_qubits: int = 4096
    max_bits: int = 4096
    max_nesting: int = 64
    max_result_bytes: int = 16 << 20
    lightning: bool = True
    gpu: bool = False

    @property
    def share_bytes(self) -> int:
        """The memory for the state of a program that was not admitted as a large one."""
        return self.memory_bytes if self.small_memory_bytes is None else min(self.small_memory_bytes, self.memory_bytes)
