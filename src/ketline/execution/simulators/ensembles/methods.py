"""The methods for exact values of circuits with outcomes or errors: density matrices, and histories of states."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ketline.domain.devices.backend import Engine
from ketline.domain.devices.noise import NOISY_OPERATIONS
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.operations import Step, matrix_of
from ketline.execution.circuit.passes.inlining import restrict
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.branches.branching import BranchingCircuit, expected_histories
from ketline.execution.simulators.branches.conditions import NotVectorized
from ketline.execution.simulators.branches.flow import Gates, Measure, Reset, flow_of
from ketline.execution.simulators.branches.liveness import live_bits
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.ensembles.run import Evolution
from ketline.execution.simulators.ensembles.states import MixedStates, PureStates
from ketline.execution.simulators.memory import require_room
from ketline.execution.simulators.methods.density_matrix import DensityMatrix
from ketline.execution.simulators.methods.statevector import Statevector
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors, plain_call
from ketline.execution.simulators.state_costs import seconds_of_a_gate

# Gates of one and two qubits, to which the definitions of all others lead.
_GATES = frozenset(NOISY_OPERATIONS)
_MAX_SUPEROPERATOR_QUBITS = 2
# The states, their transposed copy, a product, and what is waiting.
_COPIES = 4
_MAX_BYTES_AT_ONCE = 64 << 20
_MAX_HISTORIES = 1 << 40
# Seconds, see `costs.py`: of an operation on a density matrix, and for each of its entries.
_PER_OPERATION = 2e-5
_PER_ENTRY = 1.4e-8
_GATES_OF_A_DIVISION = 8
_PER_INSTRUCTION = 2e-5
_CACHED_MATRICES = 1024


class EvolvedDensityMatrix(DensityMatrix):
    """Density matrices, one for each value of the bits on which the program acts later; with errors, if it has some."""

    uses_threads = False

    def __init__(self, errors: CircuitErrors | None = None) -> None:
        self._errors = errors

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_flow(lowered)
        require_room(lowered, self.bytes_needed(lowered), memory_bytes, " as a density matrix")

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return self._restricted(lowered, max_operations).circuit

    def bytes_needed(self, lowered: Lowered) -> int:
        return _COPIES * self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        operations = sum(len(one.steps) if isinstance(one, Gates) else 1 for one in require_flow(lowered).flow)
        return FIXED + operations * (_PER_OPERATION + _PER_ENTRY * 4.0**lowered.num_qubits)

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.NUMPY

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        lowered = self._restricted(program.lowered, engines.max_operations)
        circuit = require_flow(lowered)
        superoperators = _Superoperators(self._errors)
        evolution = Evolution[MixedStates](
            flow=circuit.flow,
            live=live_bits(circuit.flow, _mask(program.checked_bits)),
            apply=superoperators.apply,
            misreadings={} if self._errors is None else self._errors.misreadings,
            before_measurement=superoperators.apply_to_measured,
            after_reset=superoperators.apply_to_reset,
            check=program.outcome if program.checked_bits else None,
            most_rows=max(1, engines.memory_bytes // self.bytes_needed(lowered)),
        )
        return evolution.values(MixedStates.start(circuit.qubits, circuit.bits), sums)

    def _restricted(self, lowered: Lowered, max_operations: int) -> Lowered:
        return lowered if self._errors is not None else restrict(lowered, _GATES, max_operations)


class Histories(Statevector):
    """A state for each history of outcomes, with its probability."""

    uses_threads = False

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_flow(lowered)
        require_room(lowered, self.bytes_needed(lowered), memory_bytes, " with the histories of their outcomes")

    def bytes_needed(self, lowered: Lowered) -> int:
        return (_COPIES + _divisions(require_flow(lowered))) * self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        circuit, seconds = require_flow(lowered), FIXED
        gate = seconds_of_a_gate(circuit.qubits)
        for instruction, histories in expected_histories(circuit, _MAX_HISTORIES):
            seconds += _PER_INSTRUCTION * histories
            if isinstance(instruction, Gates):
                seconds += gate * histories * len(instruction.steps)
            elif isinstance(instruction, (Measure, Reset)):
                seconds += gate * histories * _GATES_OF_A_DIVISION
        return seconds

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.LIGHTNING if engines.lightning_in_memory(lowered.num_qubits) else Engine.NUMPY

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        lightning = engines.lightning_in_memory(program.lowered.num_qubits)
        lowered = program.lowered if lightning else restrict(program.lowered, _GATES, engines.max_operations)
        circuit = require_flow(lowered)
        at_once = min(_MAX_BYTES_AT_ONCE, engines.memory_bytes // (_COPIES + _divisions(circuit)))
        evolution = Evolution[PureStates](
            flow=circuit.flow,
            live=live_bits(circuit.flow, _mask(program.checked_bits)),
            apply=lambda states, gates: states.apply(gates.steps, lightning),
            check=program.outcome if program.checked_bits else None,
            ahead_first=True,
            most_rows=max(1, at_once // self.state_bytes(lowered)),
        )
        return evolution.values(PureStates.start(circuit.qubits, circuit.bits), sums)


class _Superoperators:
    """Applies gates and their errors to density matrices."""

    def __init__(self, errors: CircuitErrors | None) -> None:
        self._channels = {} if errors is None else errors.channels
        self._call_of = plain_call if errors is None else errors.call_of
        self._found: dict[object, Any] = {}

    def apply(self, states: MixedStates, gates: Gates) -> None:
        for step in gates.steps:
            if len(step[1]) > _MAX_SUPEROPERATOR_QUBITS:
                states.apply_unitary(matrix_of(step), step[1])
            else:
                states.apply(self._of(step), step[1])

    def apply_to_measured(self, states: MixedStates, qubit: int) -> None:
        self._apply_error(states, "measure", qubit)

    def apply_to_reset(self, states: MixedStates, qubit: int) -> None:
        self._apply_error(states, "reset", qubit)

    def _apply_error(self, states: MixedStates, name: str, qubit: int) -> None:
        if (channel := self._channels.get((name, (qubit,)))) is not None:
            states.apply(channel.superoperator, [qubit])

    def _of(self, step: Step) -> Any:
        if step[0] == "unitary":
            return self._with_error(step)
        call = self._call_of(step), tuple(step[3])
        found = self._found.get(call)
        if found is None:
            if len(self._found) == _CACHED_MATRICES:
                self._found.clear()
            found = self._found[call] = self._with_error(step)
        return found

    def _with_error(self, step: Step) -> Any:
        matrix = matrix_of(step)
        superoperator = np.kron(matrix, np.conj(matrix))
        channel = self._channels.get(self._call_of(step))
        return superoperator if channel is None else channel.superoperator @ superoperator


@lru_cache(64)
def require_flow(lowered: Lowered) -> BranchingCircuit:
    """A circuit as instructions, including the measurements at its end.

    Raises:
        ProgramUnsupported: the circuit has an expression that only Aer evaluates.
    """
    try:
        flow = flow_of(lowered.steps, lowered.num_qubits, lowered.circuit.clbits)
    except NotVectorized as error:
        raise ProgramUnsupported(
            "exact expectation values are not computed for a program with a condition on more than 62 bits, or of this "
            "kind: give 'shots' or 'precision' to estimate them"
        ) from error
    return BranchingCircuit(lowered.num_qubits, lowered.num_clbits, flow, ())


def _mask(bits: Iterable[int]) -> int:
    return sum(1 << bit for bit in bits)


def _divisions(circuit: BranchingCircuit) -> int:
    """How many parts of the states wait at most: those ahead go first, so one for each instruction that divides."""
    return sum(isinstance(one, (Measure, Reset)) for one in circuit.flow)
