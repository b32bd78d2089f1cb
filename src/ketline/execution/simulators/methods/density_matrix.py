"""The method `density_matrix`: Aer simulates every entry of the density matrix."""

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.costs import PER_OPERATION, seconds_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room
from ketline.execution.simulators.methods.aer_method import AerMethod

_PER_MATRIX_ELEMENT = 1e-8


class DensityMatrix(AerMethod):
    """Every entry of the density matrix."""

    name = Method.DENSITY_MATRIX
    gates = applied_by(Method.DENSITY_MATRIX)
    uses_threads = True

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        if lowered.operations["store"]:
            raise ProgramUnsupported(
                "method 'density_matrix' cannot compute on bits, as this program does; choose another"
            )
        require_room(lowered, self.state_bytes(lowered), memory_bytes, " as a density matrix")

    def state_bytes(self, lowered: Lowered) -> int:
        """4^n complex numbers."""
        return BYTES_PER_AMPLITUDE << 2 * int(lowered.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        # A circuit without measurements before its end is simulated once, and the shots are drawn from the state.
        repeats = 1 if lowered.final_measurements is not None else shots
        each = PER_OPERATION + _PER_MATRIX_ELEMENT * 4.0**lowered.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, repeats, shots)
