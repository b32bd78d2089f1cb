"""When the method `statevector` runs a circuit in rows of shots, and how: see `simulators/branches`."""

from dataclasses import dataclass

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.bitstrings import Counted, KeyFormat
from ketline.execution.simulators.branches.branching import BranchingCircuit, branching_circuit, expected_histories
from ketline.execution.simulators.branches.flow import Gates, Measure, Reset
from ketline.execution.simulators.branches.run import outcomes_of_shots
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE
from ketline.execution.simulators.sampling import shown_total
from ketline.execution.simulators.state_costs import PER_OUTCOME
from ketline.execution.simulators.states.lightning_state import Lightning

# Beyond this many qubits, and with fewer shots, one history after another takes less time; measured.
_MAX_QUBITS = 9
_MIN_SHOTS = 32
# The most bytes of the states of all rows at once; they are copied at measurements.
_MAX_BYTES = 64 << 20
_COPIES = 3
# Seconds, see `costs.py`: of an instruction, of a gate in one, and what a measurement or reset takes more.
_PER_INSTRUCTION = 1.2e-5
_PER_GATE = 1.2e-6
_PER_DIVISION = 8e-5
_PER_AMPLITUDE = 6e-9


@dataclass(frozen=True, slots=True)
class RowsOfShots:
    """A circuit that runs in rows of shots."""

    circuit: BranchingCircuit
    lightning: Lightning

    def run(self, shots: int, options: RunOptions, key: KeyFormat) -> Counted:
        """Counts as by `SimulationMethod.run`.

        Raises:
            MemoryLimitExceeded: there is no room for the states.
        """
        seed = options.seed
        assert seed is not None, "the simulator draws one where the task has none"
        size = _COPIES * (BYTES_PER_AMPLITUDE << self.circuit.qubits) + self.circuit.bits
        most_rows = max(1, _MAX_BYTES // size)
        return shown_total(outcomes_of_shots(self.circuit, shots, seed, self.lightning, most_rows), options, key)


def rows_of(lowered: Lowered, engines: Engines) -> RowsOfShots | None:
    """A circuit that measures before its end, to run in rows; None where only Aer can run it."""
    lightning = engines.lightning_for(lowered.num_qubits)
    if lightning is None or (circuit := branching_circuit(lowered)) is None:
        return None
    return RowsOfShots(circuit, lightning)


def seconds_in_rows(circuit: BranchingCircuit, shots: int) -> float:
    """An estimate for one core, of about the most rows that there can be."""
    seconds = FIXED
    for instruction, rows in expected_histories(circuit, shots):
        if instruction is None:
            seconds += PER_OUTCOME * min(shots, rows << len(circuit.final))
        if isinstance(instruction, Gates):
            seconds += _PER_GATE * len(instruction.steps)
        elif isinstance(instruction, (Measure, Reset)):
            seconds += _PER_DIVISION
        seconds += _PER_INSTRUCTION + _PER_AMPLITUDE * rows * 2.0**circuit.qubits
    return seconds


def is_in_rows(lowered: Lowered, shots: int) -> bool:
    """Whether a circuit that measures before its end takes less time in rows than one history after another."""
    return lowered.num_qubits <= _MAX_QUBITS and shots >= _MIN_SHOTS
