"""Aer's density matrices."""

from collections.abc import Sequence
from typing import Any

from ketline.domain.errors import ProgramUnsupported
from ketline.domain.gates import applied_by
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.lowering import Lowered, restrict
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.costs import PER_OPERATION, seconds_of
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room

_PER_MATRIX_ELEMENT = 1e-8
_GATES = applied_by(Method.DENSITY_MATRIX)


class DensityMatrix:
    """Every entry of the density matrix."""

    name = Method.DENSITY_MATRIX
    uses_threads = True
    gives_values = True

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        if lowered.operations["store"]:
            raise ProgramUnsupported(
                "method 'density_matrix' cannot compute on bits, as this program does; choose another"
            )
        require_room(lowered, self.state_bytes(lowered), memory_bytes, " as a density matrix")

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return restrict(lowered, _GATES, max_operations).circuit

    def state_bytes(self, lowered: Lowered) -> int:
        """4^n complex numbers."""
        return BYTES_PER_AMPLITUDE << 2 * int(lowered.circuit.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int) -> float:
        # What has no measurement before its end is simulated once, and the shots are drawn from the state.
        repeats = 1 if lowered.final_measurements is not None else shots
        each = PER_OPERATION + _PER_MATRIX_ELEMENT * 4.0**lowered.circuit.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, repeats, shots)

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        circuit = self.circuit(program.lowered, engine.max_operations)
        return engine.counts(circuit, shots, self.name, options, key_of(program))

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        return engine.values(self.circuit(program.lowered, engine.max_operations), self.name, operators)
