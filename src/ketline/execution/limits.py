"""How much one program may use of the machine."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLimits:
    """Bounds on one execution; plain values, so that parent and child agree on them.

    `soft_time_limit` bounds reading a program, `time_limit` everything from its text to its counts.
    `transfer_time_limit` bounds one message between parent and child, either way, from its first byte on.
    `memory_bytes` is what the simulated state may take; the process itself gets about 2 GB on top. A process that
    simulates nothing may be confined to `process_memory_bytes` in place of it.
    `threads` is for large programs, which are admitted one at a time. Any other has `small_memory_bytes`, all of
    `memory_bytes` if that is None, and from 15 qubits on `share_threads`, below that one.
    A process that holds `growth_bytes` more than when it was ready ends with the answer that it gives, and another is
    started.
    A process for short programs has `longest_seconds`: it asks before it runs a program that is predicted to take
    longer, or whose duration cannot be predicted.
    `max_operations` counts operations after loops are unrolled and user-defined gates are inlined; `max_nesting`
    counts open brackets of any kind.
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

    @property
    def share_bytes(self) -> int:
        """What the state of a program may take that was not admitted as a large one."""
        return self.memory_bytes if self.small_memory_bytes is None else min(self.small_memory_bytes, self.memory_bytes)
