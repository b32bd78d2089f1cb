"""How long a simulation will take, by a simple model: so much for each operation and each number it touches.

The model knows the state's size, the number of operations and the number of shots, and nothing of the machine: how far
it was off on one is in specs/validate.md.
"""

from ketline.domain.spec import Method
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.simulators.methods import Choice, Engine

# Seconds of one core, fitted to some thirty programs with qiskit-aer 0.18 and stim 1.16; see specs/validate.md.
_FIXED = 1e-3
_PER_OPERATION = 5e-6
_PER_AMPLITUDE = 2.5e-9
_PER_AMPLITUDE_OF_A_SHOT = 8e-9
_PER_MATRIX_ELEMENT = 1e-8
_PER_OUTCOME = 5e-6
_PER_TABLEAU_OPERATION = 7e-7
_PER_TABLEAU_QUBIT = 8e-9
_PER_STIM_TRANSLATION = 2e-6
_PER_STIM_OPERATION = 2e-9
_PER_STIM_OUTCOME = 1e-6
_LOOPS = frozenset({"for_loop", "while_loop"})


def simulating_seconds(lowered: Lowered, choice: Choice, shots: int) -> float | None:
    """An estimate for one core; None where the number of operations, or what one takes, cannot be known before.

    That is: loops that are left on a condition, and methods whose cost follows the entanglement.
    """
    if not _LOOPS.isdisjoint(lowered.operations):
        return None
    operations, qubits = sum(lowered.operations.values()), lowered.circuit.num_qubits
    if choice.engine is Engine.STIM:
        sampling = shots * (operations * _PER_STIM_OPERATION + _PER_STIM_OUTCOME)
        return _FIXED + operations * _PER_STIM_TRANSLATION + sampling
    # What has no measurement before its end is simulated once, and the shots are drawn from the state.
    once = choice.engine is Engine.EXACT or lowered.final_measurements is not None
    each = _operation_seconds(choice.method, qubits, once=once)
    if each is None:
        return None
    repeats = 1 if once and choice.method is not Method.STABILIZER else shots
    outcomes = 0 if choice.engine is Engine.EXACT else shots
    return _FIXED + operations * each * repeats + outcomes * _PER_OUTCOME


def _operation_seconds(method: Method, qubits: int, *, once: bool) -> float | None:
    match method:
        case Method.STATEVECTOR:
            return _PER_OPERATION + (_PER_AMPLITUDE if once else _PER_AMPLITUDE_OF_A_SHOT) * 2.0**qubits
        case Method.DENSITY_MATRIX:
            return _PER_OPERATION + _PER_MATRIX_ELEMENT * 4.0**qubits
        case Method.STABILIZER:
            return _PER_TABLEAU_OPERATION + _PER_TABLEAU_QUBIT * qubits
        case _:
            return None
