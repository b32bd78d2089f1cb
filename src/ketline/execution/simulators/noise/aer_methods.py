"""The methods with noise that run on Aer: a density matrix, and trajectories of a statevector or a tableau."""

from collections.abc import Sequence
from typing import Any, Self

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.channels import Channel, Kind
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines, key_of
from ketline.execution.simulators.methods import SIMULATION_METHODS, SimulationMethod
from ketline.execution.simulators.methods.method import require_gates, without_values
from ketline.execution.simulators.methods.stabilizer import CLASSICAL, CLIFFORD_GATES
from ketline.execution.simulators.noise.aer_circuit import (
    key_of_declared,
    with_measured_bit_last,
    with_spare_bit,
    without_labels,
)
from ketline.execution.simulators.noise.aer_noise import aer_noise
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors

_CLIFFORD = CLIFFORD_GATES | CLASSICAL | {"id"}
# Seconds, see `costs.py`.
_PER_OUTCOME = 6e-7
_PER_SHOT = 4.5e-5
_PER_MODEL = 2e-3
_PER_CHANNEL = 3e-4
_PER_OPERATION = 2e-5
_PER_ENTRY = 5e-9
# For each shot: of an operation, for each amplitude; of a measurement; and of a set of three Kraus operators.
_PER_OPERATION_OF_A_SHOT = 1e-6
_PER_AMPLITUDE = 1.4e-9
_PER_AMPLITUDE_MEASURED = 1.2e-8
_PER_AMPLITUDE_OF_KRAUS = 6.5e-9
_USUAL_OPERATORS = 3
# The seconds of an operation on a tableau, and of a measurement, for each qubit.
_PER_QUBIT = 3e-9
_PER_QUBIT_MEASURED = 1.7e-8


class AerMethodWithNoise:
    """Runs a circuit on Aer with the errors that it has there; made for one circuit."""

    name: Method
    gives_values = False

    def __init__(self, errors: CircuitErrors) -> None:
        self._errors = errors

    @property
    def uses_threads(self) -> bool:
        return self._ideal.uses_threads

    @property
    def _ideal(self) -> SimulationMethod:
        """The method of the same name without noise."""
        return SIMULATION_METHODS[self.name]

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        self._ideal.require(lowered, memory_bytes)

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return lowered.circuit

    def state_bytes(self, lowered: Lowered) -> int | None:
        return self._ideal.state_bytes(lowered)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self._ideal.bytes_needed(lowered)

    def tried(self, engines: Engines, lowered: Lowered) -> Self:
        return self

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.AER

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        circuit, key = program.lowered.circuit, key_of(program)
        if not self._errors.has_delays:
            circuit = without_labels(circuit)
        if self._errors.misreadings:
            circuit = with_measured_bit_last(with_spare_bit(circuit))
            key = key_of_declared(program, circuit)
        return engines.counts(circuit, shots, self.name, options, key, noise=aer_noise(self._errors))

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        raise without_values(self.name)

    def _preparing_seconds(self, lowered: Lowered) -> float:
        operations = sum(lowered.operations.values())
        return FIXED + _PER_MODEL + _PER_CHANNEL * len(self._errors.kinds) + _PER_OPERATION * operations


class DensityMatrixWithNoise(AerMethodWithNoise):
    """Every entry of the density matrix: one run for all shots, if all measurements are at the end."""

    name = Method.DENSITY_MATRIX

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        repeats = 1 if lowered.final_measurements is not None else shots
        entries = float(4**lowered.num_qubits)
        passes = sum(lowered.operations.values()) + sum(
            4.0 ** (one.qubits - 1) * number for one, number in self._errors.occurrences
        )
        return self._preparing_seconds(lowered) + repeats * passes * _PER_ENTRY * entries + shots * _PER_OUTCOME


class Trajectories(AerMethodWithNoise):
    """A trajectory for each shot: Aer draws the errors of all operations before it, once for all iterations."""

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        self._require_errors_once(lowered)
        super().require(lowered, memory_bytes)

    def _require_errors_once(self, lowered: Lowered) -> None:
        if self._errors.are_repeated:
            # A density matrix of Aer's cannot compute on bits.
            others = "" if lowered.operations["store"] else "choose 'density_matrix' or 'automatic', or "
            raise ProgramUnsupported(
                f"method '{self.name}' has the same errors in each iteration of a 'while' loop; {others}write a 'for' "
                "loop without 'break'"
            )


class StatevectorWithNoise(Trajectories):
    """A trajectory of the statevector for each shot; without errors of gates, one run for all."""

    name = Method.STATEVECTOR

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        if not self._errors.channels:
            return self._preparing_seconds(lowered) + self._ideal_seconds(lowered, shots, limits)
        operations = sum(lowered.operations.values()) + sum(number for _, number in self._errors.occurrences)
        kraus = sum(number * _kraus_of(channel) for channel, number in self._errors.occurrences)
        passes = operations * _PER_AMPLITUDE + kraus * _PER_AMPLITUDE_OF_KRAUS
        passes += lowered.operations["measure"] * _PER_AMPLITUDE_MEASURED
        each = _PER_SHOT + operations * _PER_OPERATION_OF_A_SHOT + passes * 2.0**lowered.num_qubits
        return self._preparing_seconds(lowered) + shots * float(each)

    def _ideal_seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        return (self._ideal.seconds(lowered, shots, limits) or 0.0) + shots * _PER_OUTCOME


class StabilizerWithNoise(Trajectories):
    """A trajectory of the tableau for each shot: Clifford gates, with errors of Pauli operators and resets."""

    name = Method.STABILIZER

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        self._require_errors_once(lowered)
        require_gates(lowered, self.name, _CLIFFORD)
        if not self._errors.keep_stabilizers:
            raise ProgramUnsupported(
                f"method '{self.name}' has errors of Pauli operators and resets only; choose another, or 'automatic'"
            )

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        operations = sum(lowered.operations.values()) + sum(number for _, number in self._errors.occurrences)
        passes = operations * _PER_QUBIT + lowered.operations["measure"] * _PER_QUBIT_MEASURED
        each = _PER_SHOT + operations * _PER_OPERATION_OF_A_SHOT + passes * lowered.num_qubits
        return self._preparing_seconds(lowered) + shots * each


def _kraus_of(channel: Channel) -> float:
    """About how many sets of three Kraus operators an occurrence of a channel applies, of one qubit."""
    return sum(
        term.probability * len(operation.matrices) / _USUAL_OPERATORS * len(operation.qubits)
        for term in channel.terms
        for operation in term.operations
        if operation.kind is Kind.KRAUS
    )
