"""Chooses the simulation method of a program by its gates, its memory and its time, and says why."""

from collections.abc import Mapping, Sequence
from math import inf

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS, WITHDRAWN
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.parts import parts_of
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.branches.branching import branching_circuit
from ketline.execution.simulators.engines import expected_engines
from ketline.execution.simulators.methods.density_matrix import DensityMatrix
from ketline.execution.simulators.methods.exact import EXACT_QUBITS, ExactProbabilities
from ketline.execution.simulators.methods.matrix_product_state import (
    MatrixProductState,
    bounds_of,
    plan_of,
)
from ketline.execution.simulators.methods.method import Choice, SimulationMethod, without_values
from ketline.execution.simulators.methods.parts import DisconnectedParts, Part
from ketline.execution.simulators.methods.stabilizer import CLASSICAL, CLIFFORD_GATES, Stabilizer
from ketline.execution.simulators.methods.statevector import Statevector
from ketline.execution.simulators.methods.stim import Stim
from ketline.execution.simulators.sizes import readable

MAX_BOND = 4096
# A statevector that takes less is taken at once: finding the bounds of another method takes as long.
_QUICK_SECONDS = 0.05
# From here on a matrix product state of unknown cost is tried, for this part of the time of a statevector.
_TRIED_FROM_SECONDS = 1.0
_TRIED_PART = 0.1
# How long the matrix product state is tried where there is no room for a statevector.
_TRIED_SECONDS = 5.0
_LOOPS = frozenset({"for_loop", "while_loop"})
_NON_GATES = frozenset({"measure", "reset"})
_CLIFFORD = CLIFFORD_GATES | CLASSICAL | _NON_GATES
_EXACT, _STATEVECTOR, _STABILIZER = ExactProbabilities(), Statevector(), Stabilizer()
_MATRIX_PRODUCT_STATE, _STIM = MatrixProductState(), Stim()
# The methods that a task can request.
SIMULATION_METHODS: Mapping[Method, SimulationMethod] = {
    method.name: method for method in (_STATEVECTOR, DensityMatrix(), _STABILIZER, _MATRIX_PRODUCT_STATE, _STIM)
}


def choose(lowered: Lowered, shots: int, requested: Method, limits: ExecutionLimits) -> Choice:
    """How to simulate a program; nothing has been allocated when this returns or raises.

    Raises:
        ProgramTooLarge: with every method that may be used, its state would take more than `limits.memory_bytes`.
        ProgramUnsupported: the requested method does not have an operation of the program.
    """
    if requested is Method.AUTOMATIC:
        return _automatic(lowered, shots, limits)
    method = _requested(requested)
    method.require(lowered, limits.memory_bytes)
    return Choice(method, "as requested")


def choose_observed(lowered: Lowered, requested: Method, limits: ExecutionLimits) -> Choice:
    """As `choose`, for a circuit whose final state gives expectation values instead of counts."""
    if requested is not Method.AUTOMATIC:
        if not _requested(requested).gives_values:
            raise without_values(requested)
        return choose(lowered, 1, requested, limits)
    if lowered.num_qubits > EXACT_QUBITS and is_clifford(lowered):
        return Choice(_STABILIZER, "Clifford gates only")
    return _by_cost(lowered, 1, limits)


def is_clifford(lowered: Lowered) -> bool:
    return _CLIFFORD.issuperset(lowered.operations)


def _requested(name: Method) -> SimulationMethod:
    method = SIMULATION_METHODS.get(name)
    if method is None:
        raise ProgramUnsupported(f"method {WITHDRAWN}; choose {', '.join(METHODS)}")
    return method


def _automatic(lowered: Lowered, shots: int, limits: ExecutionLimits) -> Choice:
    if _EXACT.is_quick(lowered, shots):
        return Choice(_EXACT, "few qubits, measured at the end: exact probabilities")
    if lowered.num_qubits <= EXACT_QUBITS and _shares_histories(lowered, limits):
        return Choice(_STATEVECTOR, "few qubits: shots with the same outcomes at once")
    if is_clifford(lowered):
        return _of_clifford(lowered, shots, limits)
    if not _is_quick(lowered, shots, limits) and len(parts := parts_of(lowered, EXACT_QUBITS)) > 1:
        return _apart(lowered, parts, shots, limits)
    return _by_cost(lowered, shots, limits)


def _shares_histories(lowered: Lowered, limits: ExecutionLimits) -> bool:
    """Whether a circuit measures before its end, and shots with the same outcomes so far are simulated at once."""
    if lowered.final_measurements is not None or not expected_engines(lowered.num_qubits, limits).lightning:
        return False
    return branching_circuit(lowered) is not None


def _of_clifford(lowered: Lowered, shots: int, limits: ExecutionLimits) -> Choice:
    if CLASSICAL.isdisjoint(lowered.operations) and lowered.num_qubits > EXACT_QUBITS:
        return Choice(_STIM, "Clifford gates only, without branches")
    tableau = _STABILIZER.seconds(lowered, shots, limits)
    shares = _LOOPS.isdisjoint(lowered.operations) and _shares_histories(lowered, limits)
    if shares and _is_quick(lowered, shots, limits, tableau):
        return Choice(_STATEVECTOR, "few shots with different outcomes: those with the same at once")
    return Choice(_STABILIZER, "Clifford gates only")


def _apart(lowered: Lowered, parts: Sequence[Lowered], shots: int, limits: ExecutionLimits) -> Choice:
    """Each part by the method that is best for it, or all as one matrix product state if that is quicker."""
    choices = [_settled(_automatic(part, shots, limits), part, limits) for part in parts]
    apart = DisconnectedParts(
        [Part(part, choice.method) for part, choice in zip(parts, choices, strict=True)],
    )
    largest = max(range(len(parts)), key=lambda number: parts[number].num_qubits)
    cost = f"{len(parts)} disconnected parts, of at most {parts[largest].num_qubits} qubits"
    seconds = apart.seconds(lowered, shots, limits)
    statevector = f"a statevector takes {readable(_STATEVECTOR.state_bytes(lowered))}"
    whole = None if seconds is None else _as_product(lowered, shots, limits, seconds, statevector)
    methods = ", ".join(sorted({choice.method.name for choice in choices}))
    return whole or Choice(apart, f"{cost}, simulated apart by {methods}; the largest: {choices[largest].reason}")


def _settled(choice: Choice, part: Lowered, limits: ExecutionLimits) -> Choice:
    """A choice without an alternative: parts are tried only where nothing else is left."""
    alternative = choice.alternative
    fits = alternative is not None and (alternative.method.state_bytes(part) or 0) <= limits.memory_bytes
    return alternative if alternative is not None and fits else Choice(choice.method, choice.reason)


def _is_quick(lowered: Lowered, shots: int, limits: ExecutionLimits, limit: float = _QUICK_SECONDS) -> bool:
    """Whether a statevector takes no longer than a limit, by default so little that nothing else is looked at."""
    fits = _STATEVECTOR.state_bytes(lowered) <= limits.memory_bytes
    return fits and _STATEVECTOR.seconds(lowered, shots, limits) <= limit


def _by_cost(lowered: Lowered, shots: int, limits: ExecutionLimits) -> Choice:
    """A statevector or a matrix product state, whichever is predicted to take less time.

    Where nothing is known of its bonds, a matrix product state is tried for a part of the other's time.
    """
    needed = _STATEVECTOR.state_bytes(lowered)
    whole = Choice(_STATEVECTOR, f"the state takes {readable(needed)}")
    if needed > limits.memory_bytes:
        return _without_statevector(lowered, shots, limits, whole)
    if not _LOOPS.isdisjoint(lowered.operations):
        return whole
    if _is_quick(lowered, shots, limits):
        return whole
    seconds = _STATEVECTOR.seconds(lowered, shots, limits)
    cost = f"a statevector takes {readable(needed)} and about {seconds:.2g} s"
    return _as_product(lowered, shots, limits, seconds, cost) or (
        _trial(lowered, whole, _TRIED_PART * seconds, cost) if seconds >= _TRIED_FROM_SECONDS else whole
    )


def _without_statevector(lowered: Lowered, shots: int, limits: ExecutionLimits, whole: Choice) -> Choice:
    cost = f"a statevector takes {readable(_STATEVECTOR.state_bytes(lowered))}"
    if found := _as_product(lowered, shots, limits, inf, cost):
        return found
    if lowered.final_measurements is None or plan_of(lowered) is None:
        _STATEVECTOR.require(lowered, limits.memory_bytes)
    return _trial(lowered, whole, _TRIED_SECONDS, cost)


def _as_product(lowered: Lowered, shots: int, limits: ExecutionLimits, limit: float, cost: str) -> Choice | None:
    """A matrix product state, if its bonds are known to be so narrow that it takes less than `limit` seconds."""
    bounds = bounds_of(lowered)
    if bounds is None or bounds.bond > MAX_BOND or bounds.size > limits.memory_bytes or bounds.seconds(shots) >= limit:
        return None
    mine = f"a matrix product state with bonds of at most {bounds.bond} at most {readable(bounds.size)} and about"
    return Choice(_MATRIX_PRODUCT_STATE, f"{cost}; {mine} {bounds.seconds(shots):.2g} s")


def _trial(lowered: Lowered, whole: Choice, budget_seconds: float, cost: str) -> Choice:
    if lowered.final_measurements is None or plan_of(lowered) is None:
        return whole
    reason = (
        f"{cost}; a matrix product state, whose bonds cannot be told before, takes less than {budget_seconds:.2g} s"
    )
    return Choice(MatrixProductState(budget_seconds), reason, whole)
