"""Whether a state fits into the memory, known before anything is allocated; the methods check it."""

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.sizes import readable

BYTES_PER_AMPLITUDE = 16


def require_room(lowered: Lowered, needed: int, memory_bytes: int, how: str = "") -> None:
    """Compare what a state takes with the limit; `how` says after the number of qubits how they are simulated.

    Raises:
        ProgramTooLarge: it does not fit; with the estimate.
    """
    if needed <= memory_bytes:
        return
    qubits = lowered.num_qubits
    raise ProgramTooLarge(
        f"simulating {qubits} qubits{how} takes {readable(needed)} of memory; the limit is {memory_bytes >> 20} MiB"
    )
