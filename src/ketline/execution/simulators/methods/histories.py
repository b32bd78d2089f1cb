"""When the method `statevector` runs a circuit one history of outcomes after another: see `branches/histories.py`."""

from dataclasses import dataclass

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.bitstrings import Counted, KeyFormat
from ketline.execution.simulators.branches.branching import BranchingCircuit, branching_circuit, expected_histories
from ketline.execution.simulators.branches.flow import Gates, Measure, Reset
from ketline.execution.simulators.branches.histories import outcomes_of_histories
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE
from ketline.execution.simulators.sampling import shown_total
from ketline.execution.simulators.state_costs import PER_OUTCOME, seconds_of_a_gate
from ketline.execution.simulators.states.lightning_state import Lightning

# Beside the state: a copy of it, and what is stored of others takes half as much.
_COPIES = 2
# The logarithm of more shots than there can be.
_MAX_STORED = 60
# The time to divide the shots once, and to draw them in the end, in times of a gate; measured.
_GATES_OF_A_DIVISION = 8
_GATES_OF_A_DRAW = 6
# Seconds, see `costs.py`: of an instruction of one history, whatever the state takes.
_PER_INSTRUCTION = 1.2e-5


@dataclass(frozen=True, slots=True)
class SharedHistories:
    """A circuit that runs one history after another."""

    circuit: BranchingCircuit
    lightning: Lightning
    most_stored: int

    def run(self, shots: int, options: RunOptions, key: KeyFormat) -> Counted:
        """Counts as by `SimulationMethod.run`.

        Raises:
            MemoryLimitExceeded: there is no room for the states.
        """
        seed = options.seed
        assert seed is not None, "the simulator draws one where the task has none"
        counts = outcomes_of_histories(self.circuit, shots, seed, self.lightning, self.most_stored)
        return shown_total(counts, options, key)


def histories_of(lowered: Lowered, engines: Engines) -> SharedHistories | None:
    """A circuit that measures before its end, to run so; None where only Aer can run it."""
    lightning = engines.lightning_in_memory(lowered.num_qubits)
    if lightning is None or (circuit := branching_circuit(lowered)) is None:
        return None
    size = BYTES_PER_AMPLITUDE << lowered.num_qubits
    room = 2 * (engines.memory_bytes - _COPIES * size) // size
    return SharedHistories(circuit, lightning, min(max(0, room), _MAX_STORED))


def seconds_of_histories(circuit: BranchingCircuit, shots: int) -> float:
    """An estimate for one core, of about the most histories that there can be."""
    seconds, gates, outcomes = FIXED, 0, 1
    for instruction, histories in expected_histories(circuit, shots):
        seconds += _PER_INSTRUCTION * histories
        match instruction:
            case Gates(steps):
                gates += histories * len(steps)
            case Measure() | Reset():
                gates += histories * _GATES_OF_A_DIVISION
            case None:
                gates += histories * (_GATES_OF_A_DRAW if circuit.final else 0)
                outcomes = min(shots, histories << len(circuit.final))
    return seconds + gates * seconds_of_a_gate(circuit.qubits) + outcomes * PER_OUTCOME
