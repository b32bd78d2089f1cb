"""The cost of averaging the states of all outcomes and errors: the method that a choice names."""

from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.costs import PER_OPERATION, seconds_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room
from ketline.execution.simulators.methods.density_matrix import DensityMatrix
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors

# The states, their halves, and the copy that gates are applied to.
COPIES = 4
# The largest exponent of an estimate: no machine has room for more than 2 to this power states.
_MAX_DIVISIONS = 64
# Seconds of a gate, for each amplitude of each state.
_PER_AMPLITUDE = 1e-9


class AveragedStates(DensityMatrix):
    """The mixture of the states of all outcomes and errors; its name is that of the density matrix that it replaces."""

    def __init__(self, errors: CircuitErrors | None = None) -> None:
        self.errors = errors

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        if self.errors is not None:
            self.errors.require_widths()
        needed = COPIES * BYTES_PER_AMPLITUDE << lowered.num_qubits
        require_room(lowered, needed, memory_bytes, " with outputs of averaged states")

    def state_bytes(self, lowered: Lowered) -> int:
        """At most: a state for each outcome, or a density matrix for each value of the bits."""
        return BYTES_PER_AMPLITUDE << lowered.num_qubits + self._divisions(lowered)

    def bytes_needed(self, lowered: Lowered) -> int:
        return COPIES * self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        each = PER_OPERATION + _PER_AMPLITUDE * 2.0 ** (lowered.num_qubits + self._divisions(lowered))
        return seconds_of(sum(lowered.operations.values()), each, 1, 1)

    def _divisions(self, lowered: Lowered) -> int:
        """The binary logarithm of the most states that there can be."""
        most = min(lowered.num_qubits + lowered.num_clbits, _MAX_DIVISIONS)
        if self.errors is not None and self.errors.channels:
            return most
        if lowered.operations["for_loop"] or lowered.operations["while_loop"]:
            return most
        return min(lowered.operations["measure"] + lowered.operations["reset"], most)
