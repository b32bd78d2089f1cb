"""The method `statevector`: circuits that measure at their end run gate by gate, others as a whole on Aer."""

from collections.abc import Sequence
from typing import Any, Self

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.aer_instructions import MAX_QUBITS_SAVED
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.gate_runs import with_runs_multiplied
from ketline.execution.circuit.passes.light_cone import rebuilt
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.branches.branching import branching_circuit
from ketline.execution.simulators.engines import Engines, expected_engines, key_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room
from ketline.execution.simulators.methods.histories import SharedHistories, histories_of, seconds_of_histories
from ketline.execution.simulators.methods.rows import RowsOfShots, is_in_rows, rows_of, seconds_in_rows
from ketline.execution.simulators.sampling import OutcomeSource, draws_exactly, source_of
from ketline.execution.simulators.state_costs import seconds_of_gates, seconds_of_samples, seconds_shot_by_shot
from ketline.execution.simulators.states.aer_state import aer_final_state
from ketline.execution.simulators.states.pure_state import PureState

# Below this many Aer fuses no gates on a statevector. Source: `fusion_threshold` of qiskit-aer 0.18.
_FUSION_FROM_QUBITS = 15


class Statevector:
    """Every amplitude of the state."""

    name = Method.STATEVECTOR
    uses_threads = True
    gives_values = True

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_room(lowered, self.state_bytes(lowered), memory_bytes)

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return lowered.circuit

    def state_bytes(self, lowered: Lowered) -> int:
        """2^n complex numbers."""
        return BYTES_PER_AMPLITUDE << int(lowered.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        expected = expected_engines(lowered.num_qubits, limits)
        # A circuit without measurements before its end is simulated once, and the shots are drawn from the state.
        if lowered.final_measurements is not None:
            engine = Engine.LIGHTNING if expected.lightning_is_faster else Engine.AER
            return seconds_of_gates(lowered, engine) + seconds_of_samples(lowered, shots, engine)
        circuit = branching_circuit(lowered) if expected.lightning else None
        if circuit is None:
            return seconds_shot_by_shot(lowered, shots)
        if is_in_rows(lowered, shots):
            return seconds_in_rows(circuit, shots)
        return min(seconds_of_histories(circuit, shots), seconds_shot_by_shot(lowered, shots))

    def tried(self, engines: Engines, lowered: Lowered) -> Self:
        return self

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        aer = Engine.AER_GPU if engines.on_gpu(lowered.num_qubits) else Engine.AER
        if lowered.final_measurements is None:
            return Engine.LIGHTNING if _branching(lowered, shots, engines) else aer
        return Engine.LIGHTNING if engines.lightning_for(lowered.num_qubits) else aer

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        lowered = program.lowered
        qubits = lowered.num_qubits
        if (measured := lowered.final_measurements) and _builds_state(engines, qubits):
            exact = draws_exactly(measured, shots)
            return drawn(engines, program, shots, options, exact=exact, likely_repeated=likely_repeated)
        if measured is None and (branching := _branching(lowered, shots, engines)):
            return branching.run(shots, options, key_of(program))
        fusion, circuit = _can_be_fused(lowered), lowered.circuit
        if fusion:
            circuit = rebuilt(circuit, range(qubits), with_runs_multiplied(lowered.steps))
        return engines.counts(circuit, shots, self.name, options, key_of(program), fusion=fusion)

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        qubits = program.lowered.num_qubits
        if _builds_state(engines, qubits):
            return sums.values_in(final_state(program.lowered, engines).amplitudes())
        circuit = program.lowered.circuit
        if qubits > MAX_QUBITS_SAVED:
            return engines.values(circuit, self.name, sums.operators)
        return sums.values_in(engines.amplitudes(circuit))


def _builds_state(engines: Engines, qubits: int) -> bool:
    """Whether a state is built gate by gate, rather than by Aer as a whole."""
    return engines.lightning_for(qubits) is not None or (engines.threads(qubits) == 1 and not engines.on_gpu(qubits))


def drawn(
    engines: Engines, program: Program, shots: int, options: RunOptions, *, exact: bool, likely_repeated: bool
) -> Counted:
    """Outcomes of a circuit that measures at its end only, from a source that is cached if it is likely repeated."""

    def make() -> OutcomeSource:
        measured = program.lowered.final_measurements or ()
        return source_of(final_state(program.lowered, engines), measured, exact=exact)

    source = engines.outcomes.get(program, make, exact=exact) if likely_repeated else make()
    return source.draw(shots, options.seed, key_of(program), memory=options.memory)


def _branching(lowered: Lowered, shots: int, engines: Engines) -> RowsOfShots | SharedHistories | None:
    """How a circuit that measures before its end runs; None where Aer has to run it, or is faster."""
    if is_in_rows(lowered, shots):
        return rows_of(lowered, engines)
    histories = histories_of(lowered, engines)
    if histories is None:
        return None
    threads = engines.threads(lowered.num_qubits)
    is_faster = seconds_of_histories(histories.circuit, shots) <= seconds_shot_by_shot(lowered, shots) / threads
    return histories if is_faster else None


def final_state(lowered: Lowered, engines: Engines) -> PureState:
    """The state before the measurements of a circuit that measures at its end only, built on one thread.

    Raises:
        MemoryLimitExceeded: there is no room for it.
    """
    qubits = lowered.num_qubits
    if lightning := engines.lightning_for(qubits):
        return lightning.final_state(lowered.steps, qubits)
    fusion = _can_be_fused(lowered)
    steps = with_runs_multiplied(lowered.steps) if fusion else lowered.steps
    return aer_final_state(steps, qubits, fusion=fusion)


def _can_be_fused(lowered: Lowered) -> bool:
    """Whether runs of gates on one qubit can be multiplied before Aer does it, and it would."""
    flat = not lowered.has_control_flow and not lowered.operations["store"]
    return flat and lowered.num_qubits >= _FUSION_FROM_QUBITS
