"""Aer's statevector: circuits that measure at their end are simulated gate by gate, others by Aer's simulator.

Handing Aer a circuit takes longer than most simulations.
"""

from collections.abc import Sequence
from typing import Any

from qiskit_aer.backends.controller_wrappers import AerStateWrapper

from ketline.domain.errors import MemoryLimitExceeded
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.gate_runs import with_runs_multiplied
from ketline.execution.circuit.light_cone import rebuilt
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.circuit.observables import MOST_QUBITS_SAVED, saving_circuit, values_in_state
from ketline.execution.circuit.operations import Step
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.costs import PER_OPERATION, seconds_of
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room
from ketline.execution.simulators.methods.gate_calls import GATE_CALLS
from ketline.execution.simulators.sampling import sample

# From more qubits than any state has.
_NO_THREADS = "63"
# Below this many Aer fuses no gates on a statevector. Source: `fusion_threshold` of qiskit-aer 0.18.
_FUSION_FROM_QUBITS = 15
PER_AMPLITUDE = 2.5e-9
_PER_AMPLITUDE_OF_A_SHOT = 8e-9


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
        return BYTES_PER_AMPLITUDE << int(lowered.circuit.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int) -> float:
        # What has no measurement before its end is simulated once, and the shots are drawn from the state.
        once = lowered.final_measurements is not None
        each = PER_OPERATION + (PER_AMPLITUDE if once else _PER_AMPLITUDE_OF_A_SHOT) * 2.0**lowered.circuit.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, 1 if once else shots, shots)

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        lowered = program.lowered
        circuit = lowered.circuit
        if engine.threads(circuit.num_qubits) == 1 and (measured := lowered.final_measurements):
            return sample(state_of(lowered), measured, shots, options.seed, key_of(program), memory=options.memory)
        fusion = _can_be_fused(lowered)
        if fusion:
            circuit = rebuilt(circuit, range(circuit.num_qubits), with_runs_multiplied(lowered.steps))
        return engine.counts(circuit, shots, self.name, options, key_of(program), fusion=fusion)

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        circuit = program.lowered.circuit
        if circuit.num_qubits > MOST_QUBITS_SAVED:
            return engine.values(circuit, self.name, operators)
        return values_in_state(engine.execute(saving_circuit(circuit, ()), 1, self.name, RunOptions()), operators)


def final_state(steps: Sequence[Step], qubits: int, *, fusion: bool = False) -> Any:
    """The state of so many qubits, all 0 before, after these gates; measurements among them are passed over.

    It is one of Aer's, made on one thread: bit j of an index into it is the j-th qubit. With `fusion` Aer multiplies
    gates where that pays, from 15 qubits on: right only for steps `with_runs_multiplied`.

    Raises:
        MemoryLimitExceeded: there is no room for it.
    """
    state = AerStateWrapper()
    state.configure("method", "statevector")
    # A state minds no number of threads, only from how many qubits on it has some.
    state.configure("statevector_parallel_threshold", _NO_THREADS)
    state.configure("fusion_enable", str(fusion).lower())
    try:
        state.reallocate_qubits(qubits)
        state.initialize()
        for name, operands, _, instruction in steps:
            GATE_CALLS[name](state, operands, instruction)
        state.flush()
    except RuntimeError as error:
        if "memory" in str(error):
            raise MemoryLimitExceeded("the state of the simulation does not fit into the memory") from error
        raise
    return state


def state_of(lowered: Lowered) -> Any:
    """The `final_state` of a circuit that measures at its end only."""
    fusion = _can_be_fused(lowered)
    steps = with_runs_multiplied(lowered.steps) if fusion else lowered.steps
    return final_state(steps, lowered.circuit.num_qubits, fusion=fusion)


def _can_be_fused(lowered: Lowered) -> bool:
    """Whether runs of gates on one qubit can be multiplied before Aer does it, and it would."""
    flat = not lowered.has_control_flow and not lowered.operations["store"]
    return flat and lowered.circuit.num_qubits >= _FUSION_FROM_QUBITS
