"""Chooses the simulation method of a program by its gates, its memory and its time, and says why."""

from collections.abc import Mapping

from ketline.domain.backend import METHODS, WITHDRAWN
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.spec import Method
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.simulators.memory import require_room
from ketline.execution.simulators.methods.density_matrix import DensityMatrix
from ketline.execution.simulators.methods.exact import EXACT_QUBITS, ExactProbabilities
from ketline.execution.simulators.methods.matrix_product_state import (
    MatrixProductState,
    bond_dimension,
    matrix_product_bytes,
)
from ketline.execution.simulators.methods.method import Choice, SimulationMethod, without_values
from ketline.execution.simulators.methods.stabilizer import CLASSICAL, CLIFFORD_GATES, Stabilizer
from ketline.execution.simulators.methods.statevector import Statevector
from ketline.execution.simulators.methods.stim import Stim
from ketline.execution.simulators.sizes import readable

WIDEST_BOND = 4096
_NON_GATES = frozenset({"measure", "reset"})
_CLIFFORD = CLIFFORD_GATES | CLASSICAL | _NON_GATES
_EXACT, _STATEVECTOR, _STABILIZER = ExactProbabilities(), Statevector(), Stabilizer()
_MATRIX_PRODUCT_STATE, _STIM = MatrixProductState(), Stim()
# The methods that a task can request.
SIMULATION_METHODS: Mapping[Method, SimulationMethod] = {
    method.name: method for method in (_STATEVECTOR, DensityMatrix(), _STABILIZER, _MATRIX_PRODUCT_STATE, _STIM)
}


def choose(lowered: Lowered, shots: int, requested: Method, memory_bytes: int) -> Choice:
    """How to simulate a program; nothing has been allocated when this returns or raises.

    Raises:
        ProgramTooLarge: with every method that may be used, its state would take more than `memory_bytes`.
        ProgramUnsupported: the requested method does not have an operation of the program.
    """
    if requested is Method.AUTOMATIC:
        return _automatic(lowered, shots, memory_bytes)
    method = _requested(requested)
    method.require(lowered, memory_bytes)
    return Choice(method, "as requested")


def choose_observed(lowered: Lowered, requested: Method, memory_bytes: int) -> Choice:
    """As `choose`, for a circuit whose final state gives expectation values instead of counts."""
    if requested is not Method.AUTOMATIC:
        if not _requested(requested).gives_values:
            raise without_values(requested)
        return choose(lowered, 1, requested, memory_bytes)
    if lowered.circuit.num_qubits > EXACT_QUBITS and is_clifford(lowered):
        return Choice(_STABILIZER, "Clifford gates only")
    return _by_memory(lowered, memory_bytes)


def is_clifford(lowered: Lowered) -> bool:
    return _CLIFFORD.issuperset(lowered.operations)


def _requested(name: Method) -> SimulationMethod:
    method = SIMULATION_METHODS.get(name)
    if method is None:
        raise ProgramUnsupported(f"method {WITHDRAWN}; choose {', '.join(METHODS)}")
    return method


def _automatic(lowered: Lowered, shots: int, memory_bytes: int) -> Choice:
    if _EXACT.is_quick(lowered, shots):
        return Choice(_EXACT, "few qubits, measured at the end: exact probabilities")
    if is_clifford(lowered):
        if CLASSICAL.isdisjoint(lowered.operations) and lowered.circuit.num_qubits > EXACT_QUBITS:
            return Choice(_STIM, "Clifford gates only, without branches")
        return Choice(_STABILIZER, "Clifford gates only")
    return _by_memory(lowered, memory_bytes)


def _by_memory(lowered: Lowered, memory_bytes: int) -> Choice:
    needed = _STATEVECTOR.state_bytes(lowered)
    if needed <= memory_bytes:
        return Choice(_STATEVECTOR, f"the state takes {readable(needed)}")
    bond = bond_dimension(lowered)
    if bond is not None and bond <= WIDEST_BOND and (size := matrix_product_bytes(lowered)) <= memory_bytes:
        reason = f"a statevector takes {readable(needed)}; bonds of at most {bond} take at most {readable(size)}"
        return Choice(_MATRIX_PRODUCT_STATE, reason)
    require_room(lowered, needed, memory_bytes)
    raise AssertionError("unreachable")
