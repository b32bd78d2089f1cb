"""Chooses how a program is simulated: what fits into memory, what is quick, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from ketline.domain.backend import METHODS, WITHDRAWN
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.gates import applied_by
from ketline.domain.spec import Method
from ketline.execution.circuit.lowering import BRANCHES, Lowered
from ketline.execution.simulators.memory import (
    bond_dimension,
    density_matrix_bytes,
    matrix_product_bytes,
    statevector_bytes,
)
from ketline.execution.simulators.sizes import readable

CLIFFORD_GATES = applied_by(Method.STABILIZER)
_NO_GATES = frozenset({"measure", "reset"})
# Aer's name for computing on bits, which its density matrices do not know.
_STORE = frozenset({"store"})
# Beyond this an exact distribution costs more than drawing shots does; measured, see docs/performance.md.
EXACT_QUBITS = 12
# Sampling from the 2^n probabilities is quicker than Aer's own while there are not many more of them than shots.
EXACT_OUTCOMES_PER_SHOT = 4
EXACT_OUTCOMES = 16
WIDEST_BOND = 4096
# It only samples.
_WITHOUT_VALUES = frozenset({Method.STIM})


class Engine(Enum):
    """The library, or our own code, that simulates."""

    EXACT = "draws from exact probabilities"
    STIM = "stim"
    AER = "Aer draws shots"


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine, the method's name and the reason, a sentence for users."""

    engine: Engine
    method: Method
    reason: str


def choose(lowered: Lowered, shots: int, requested: Method, memory_bytes: int) -> Choice:
    """How to simulate a program; nothing has been allocated when this returns or raises.

    Raises:
        ProgramTooLarge: its state would not fit into `memory_bytes` by any method it may use; with the estimate.
        ProgramUnsupported: the requested method has no such operation.
    """
    if requested is Method.AUTOMATIC:
        return _automatic(lowered, shots, memory_bytes)
    _CHECKS[requested](lowered, memory_bytes)
    engine = Engine.STIM if requested is Method.STIM else Engine.AER
    return Choice(engine, requested, "as requested")


def choose_observed(lowered: Lowered, requested: Method, memory_bytes: int) -> Choice:
    """As `choose`, for a circuit whose final state is looked at instead of measured."""
    if requested in _WITHOUT_VALUES:
        raise ProgramUnsupported(f"method '{requested}' has no expectation values; choose another, or 'automatic'")
    if requested is not Method.AUTOMATIC:
        return choose(lowered, 1, requested, memory_bytes)
    qubits = lowered.circuit.num_qubits
    if qubits > EXACT_QUBITS and is_clifford(lowered):
        return Choice(Engine.AER, Method.STABILIZER, "Clifford gates only")
    return _by_memory(lowered, memory_bytes)


def is_clifford(lowered: Lowered) -> bool:
    return (CLIFFORD_GATES | _NO_GATES | BRANCHES | _STORE).issuperset(lowered.operations)


def _automatic(lowered: Lowered, shots: int, memory_bytes: int) -> Choice:
    qubits = lowered.circuit.num_qubits
    few = qubits <= EXACT_QUBITS and 1 << qubits <= max(EXACT_OUTCOMES, EXACT_OUTCOMES_PER_SHOT * shots)
    if few and lowered.final_measurements is not None:
        return Choice(Engine.EXACT, Method.STATEVECTOR, "few qubits, measured at the end: exact probabilities")
    if is_clifford(lowered):
        if (BRANCHES | _STORE).isdisjoint(lowered.operations) and qubits > EXACT_QUBITS:
            return Choice(Engine.STIM, Method.STIM, "Clifford gates only, without branches")
        return Choice(Engine.AER, Method.STABILIZER, "Clifford gates only")
    return _by_memory(lowered, memory_bytes)


def _by_memory(lowered: Lowered, memory_bytes: int) -> Choice:
    needed = statevector_bytes(lowered.circuit.num_qubits)
    if needed <= memory_bytes:
        return Choice(Engine.AER, Method.STATEVECTOR, f"the state takes {readable(needed)}")
    return _beyond_statevector(lowered, needed, memory_bytes)


def _beyond_statevector(lowered: Lowered, needed: int, memory_bytes: int) -> Choice:
    bond = bond_dimension(lowered)
    if bond is not None and bond <= WIDEST_BOND and (size := matrix_product_bytes(lowered)) <= memory_bytes:
        reason = f"a statevector takes {readable(needed)}; bonds of at most {bond} take at most {readable(size)}"
        return Choice(Engine.AER, Method.MATRIX_PRODUCT_STATE, reason)
    _require_room(lowered, needed, memory_bytes, "")
    raise AssertionError("unreachable")


def _check_statevector(lowered: Lowered, memory_bytes: int) -> None:
    _require_room(lowered, statevector_bytes(lowered.circuit.num_qubits), memory_bytes, "")


def _check_density_matrix(lowered: Lowered, memory_bytes: int) -> None:
    if lowered.operations["store"]:
        raise ProgramUnsupported("method 'density_matrix' cannot compute on bits, as this program does; choose another")
    _require_room(lowered, density_matrix_bytes(lowered.circuit.num_qubits), memory_bytes, " as a density matrix")


def _check_stabilizer(lowered: Lowered, memory_bytes: int) -> None:
    _require_gates(lowered, Method.STABILIZER, CLIFFORD_GATES | BRANCHES | _STORE)


def _check_stim(lowered: Lowered, memory_bytes: int) -> None:
    _require_gates(lowered, Method.STIM, CLIFFORD_GATES)


def _check_extended_stabilizer(lowered: Lowered, memory_bytes: int) -> None:
    raise ProgramUnsupported(f"method {WITHDRAWN}; choose {', '.join(METHODS)}")


def _check_matrix_product_state(lowered: Lowered, memory_bytes: int) -> None:
    bond = bond_dimension(lowered)
    if bond is not None:
        _require_room(lowered, matrix_product_bytes(lowered), memory_bytes, f" with bonds of up to {bond}")


_CHECKS: Mapping[Method, Callable[[Lowered, int], None]] = {
    Method.STATEVECTOR: _check_statevector,
    Method.DENSITY_MATRIX: _check_density_matrix,
    Method.STABILIZER: _check_stabilizer,
    Method.EXTENDED_STABILIZER: _check_extended_stabilizer,
    Method.MATRIX_PRODUCT_STATE: _check_matrix_product_state,
    Method.STIM: _check_stim,
}


def _require_gates(lowered: Lowered, method: Method, gates: frozenset[str]) -> None:
    missing = sorted(set(lowered.operations) - gates - _NO_GATES)
    if missing:
        raise ProgramUnsupported(
            f"method '{method}' has no '{missing[0]}', which this program comes to; choose another, or 'automatic'"
        )


def _require_room(lowered: Lowered, needed: int, memory_bytes: int, how: str) -> None:
    if needed <= memory_bytes:
        return
    qubits = lowered.circuit.num_qubits
    raise ProgramTooLarge(
        f"simulating {qubits} qubits{how} takes {readable(needed)} of memory; the limit is {memory_bytes >> 20} MiB"
    )
