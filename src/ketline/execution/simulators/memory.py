"""Checks whether a state fits into memory before anything is allocated. Used by the methods."""

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.sizes import readable

BYTES_PER_AMPLITUDE = 16


def require_room(lowered: Lowered, needed: int, memory_bytes: int, how: str = "") -> None:
    """Check the memory that a state needs against the limit; the message appends `how` to the number of qubits.

    Raises:
        ProgramTooLarge: the state does not fit; the message contains the estimate.
    """
    if needed <= memory_bytes:
        return
    qubits = lowered.num_qubits
    raise ProgramTooLarge(
        f"simulating {qubits} qubits{how} takes {readable(needed)} of memory; the limit is {memory_bytes >> 20} MiB"
    )
