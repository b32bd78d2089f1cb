"""The method `matrix_product_state`: a tensor for each qubit, as wide as the entanglement between neighbours.

Circuits that measure at their end run on the tensors of `matrix_product.py`, all others shot by shot on Aer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.entanglement import bonds_of_a_shot, order_of
from ketline.execution.circuit.passes.inlining import restrict
from ketline.execution.circuit.passes.light_cone import reordered
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.routing import Block, Route, RouteTooLong, route
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.costs import FIXED, seconds_of
from ketline.execution.simulators.engines import Engines, key_of
from ketline.execution.simulators.matrix_product import MatrixProduct
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE
from ketline.execution.simulators.methods.aer_method import AerMethod
from ketline.execution.simulators.sampling import generator, numbers_of, shown
from ketline.execution.simulators.sizes import readable

# A tensor for each value of the qubit, and room for the copies that contracting and decomposing it make.
_TENSORS = 2
_COPIES = 3
# Planning takes about 3 us for each block.
_MAX_BLOCKS = 250_000
# Seconds of one core, see `costs.py`.
_PER_BLOCK = 4e-5
_PER_GATE = 1.5e-5
_PER_FLOP = 5e-9
_PER_SAMPLED_NUMBER = 1e-10
_PER_SAMPLED_ENTRY = 8e-9
_PER_SAMPLED_PLACE = 4e-5
_PER_SHOT_OF_A_PLACE = 6e-8
_PER_SHOT = 5e-5
_PER_OPERATION_OF_A_SHOT = 1e-6
_PER_FLOP_OF_A_SHOT = 7e-8
# An estimate from bounds is one only where these are small: bonds are often far narrower.
_MAX_ESTIMATE_SECONDS = 10.0
_MAX_EXPONENT = 200
# The most operations, for each one of a circuit, to which it is rewritten for a plan that may not be used.
_EXPANSION = 8
_LITTLE = 1000
# Qiskit defines them by about twice the square of their qubits.
_MANY_CONTROLS = frozenset({"mcx", "mcphase"})


@dataclass(frozen=True, slots=True)
class Taken:
    """The cost of a state: its widest bond, bytes, the seconds of its gates, and the numbers in its tensors."""

    bond: int
    size: int
    gate_seconds: float
    numbers: int
    places: int

    def seconds(self, shots: int) -> float:
        # The size of the vectors at all places, were the tensors equally large.
        entries = sqrt(2 * self.numbers * self.places)
        each = self.numbers * _PER_SAMPLED_NUMBER + entries * _PER_SAMPLED_ENTRY + self.places * _PER_SHOT_OF_A_PLACE
        sampling = self.places * _PER_SAMPLED_PLACE + shots * each
        return FIXED + self.gate_seconds + sampling


@dataclass(frozen=True, slots=True)
class Plan:
    """How a circuit that measures at its end is simulated, and bounds on what its state takes."""

    route: Route
    bounds: Taken


class MatrixProductState(AerMethod):
    """A tensor for each qubit; it is tried on every circuit, whatever the bound on its bonds is.

    With `budget_seconds`, predicted while it runs, it gives up when these are spent.
    """

    name = Method.MATRIX_PRODUCT_STATE
    gates = applied_by(Method.MATRIX_PRODUCT_STATE)
    uses_threads = False

    def __init__(self, budget_seconds: float = inf, taken: "Taken | None" = None) -> None:
        """`taken` is what the state of the circuit took, where it has been simulated."""
        self._budget_seconds = budget_seconds
        self._taken = taken

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        """Nothing is rejected before it has been tried: bounds on bonds say little."""

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        circuit = restrict(lowered, self.gates, max_operations).circuit
        if lowered.final_measurements is not None or lowered.operations["store"]:
            return circuit
        return reordered(circuit, order_of(circuit))

    def state_bytes(self, lowered: Lowered) -> int | None:
        """By bounds; None where these are so large that they say nothing."""
        if self._taken is not None:
            return self._taken.size
        bounds = bounds_of(lowered)
        return None if bounds is None or self._seconds(lowered, 1) is None else bounds.size

    def bytes_needed(self, lowered: Lowered) -> int:
        known = self.state_bytes(lowered)
        most = _most_bytes(lowered.num_qubits)
        return most if known is None else min(known, most)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float | None:
        return self._seconds(lowered, shots)

    def _seconds(self, lowered: Lowered, shots: int) -> float | None:
        """By bounds; None where these are so large that they say nothing."""
        if self._taken is not None:
            return self._taken.seconds(shots)
        bounds = bounds_of(lowered)
        seconds = None if bounds is None else bounds.seconds(shots)
        return seconds if seconds is not None and seconds <= _MAX_ESTIMATE_SECONDS else None

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.AER if lowered.final_measurements is None else Engine.NUMPY

    def tried(self, engines: Engines, lowered: Lowered) -> "MatrixProductState":
        _, _, taken = self._final_state(engines, lowered)
        return MatrixProductState(self._budget_seconds, taken)

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        measured = program.lowered.final_measurements
        if measured is None:
            return super().run(engines, program, shots, options, likely_repeated=likely_repeated)
        state, places, _ = self._final_state(engines, program.lowered)
        random = generator(options.seed)
        bits, counts = state.sample(shots, random)
        outcomes = np.zeros((len(bits), program.lowered.num_clbits), dtype=np.bool_)
        outcomes[:, [bit for _, bit in measured]] = bits[:, [places[qubit] for qubit, _ in measured]]
        numbers = numbers_of(outcomes)
        return shown(numbers, counts.tolist(), key_of(program), random if options.memory else None)

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        state, places, _ = self._final_state(engines, program.lowered)
        qubits = sorted(range(len(places)), key=places.__getitem__)
        return [
            sum(
                factor.real * state.expectation("".join([label[-1 - qubit] for qubit in qubits]))
                for label, factor in operator.to_list()
            )
            for operator in sums.operators
        ]

    def _final_state(self, engines: Engines, lowered: Lowered) -> tuple[MatrixProduct, Sequence[int], Taken]:
        """The state before the measurements, the place of each qubit, and the resources that the simulation took.

        Raises:
            ProgramTooLarge: the state takes more memory or operations than permitted, or the budget is spent.
        """
        plan = plan_of(lowered, engines.max_operations)
        if plan is None:
            raise ProgramTooLarge(
                f"as a matrix product state the program takes more than {_MAX_BLOCKS} operations, because its gates "
                "act on qubits that are far from each other; choose another method"
            )
        state = MatrixProduct(len(plan.route.places))
        spent, size, bond = 0.0, 0, 1
        for number, block in enumerate(plan.route.blocks):
            spent += _block_seconds(block, *state.bonds_around(block))
            self._require_room(engines.memory_bytes, state, block, spent, number / len(plan.route.blocks))
            size = max(size, state.bytes_for(block))
            state.apply(block)
            bond = max(bond, state.bond_within(block))
        return state, plan.route.places, Taken(bond, size, spent, state.numbers, len(state.tensors))

    def _require_room(
        self, memory_bytes: int, state: MatrixProduct, block: Block, spent: float, progress: float
    ) -> None:
        needed = state.bytes_for(block)
        if needed <= memory_bytes and spent <= self._budget_seconds:
            return
        so_far = f"{progress:.0%} of the circuit led to bonds of {state.bond}"
        if needed > memory_bytes:
            problem = f"takes more than {readable(needed)} of memory: {so_far}; the limit is {memory_bytes >> 20} MiB"
        else:
            problem = f"takes more than {self._budget_seconds:.2g} s: {so_far}"
        raise ProgramTooLarge(f"simulating {len(state.tensors)} qubits as a matrix product state {problem}")


@dataclass(frozen=True, slots=True)
class _ShotByShot:
    """Bounds for a circuit that Aer simulates for every shot."""

    bond: int
    size: int
    operations: int

    def seconds(self, shots: int) -> float:
        flops = 2.0 ** min(_MAX_EXPONENT, 3 * (self.bond.bit_length() - 1))
        each = _PER_OPERATION_OF_A_SHOT + _PER_FLOP_OF_A_SHOT * flops
        return seconds_of(self.operations, each, shots, shots) + shots * _PER_SHOT


# With the most operations that the circuit might have had.
_PLANS: WeakKeyDictionary[Lowered, tuple[int, Plan | None]] = WeakKeyDictionary()


def plan_of(lowered: Lowered, max_operations: int | None = None) -> Plan | None:
    """The plan of a circuit that measures at its end; None where it has too many operations.

    Without `max_operations` that is a few times those of the circuit, because rewriting gates that this method lacks
    can take longer than simulating them otherwise.
    """
    most = _LITTLE + _EXPANSION * len(lowered.steps) if max_operations is None else max_operations
    if max_operations is None and _rewritten_operations(lowered) > most:
        return None
    limit, plan = _PLANS.get(lowered, (0, None))
    if plan is None and most > limit:
        plan = _planned(lowered, most)
        _PLANS[lowered] = most, plan
    return plan


def _rewritten_operations(lowered: Lowered) -> int:
    """About how many operations a circuit has when gates with many controls are rewritten."""
    if _MANY_CONTROLS.isdisjoint(lowered.operations):
        return len(lowered.steps)
    return sum(2 * len(qubits) ** 2 if name in _MANY_CONTROLS else 1 for name, qubits, _, _, _ in lowered.steps)


def bounds_of(lowered: Lowered) -> Taken | _ShotByShot | None:
    """Bounds on the state of a circuit; None where loops or the number of operations make them unknown."""
    if lowered.final_measurements is not None:
        plan = plan_of(lowered)
        return None if plan is None else plan.bounds
    logs = bonds_of_a_shot(lowered)
    if logs is None:
        return None
    size = _tensor_bytes(logs)
    return _ShotByShot(1 << max(logs), size, sum(lowered.operations.values()))


def _planned(lowered: Lowered, max_operations: int) -> Plan | None:
    try:
        steps = restrict(lowered, MatrixProductState.gates, max_operations).steps
        found = route(steps, lowered.num_qubits, _MAX_BLOCKS)
    except (ProgramTooLarge, ProgramUnsupported, RouteTooLong):
        return None
    logs = [0] * (lowered.num_qubits + 1)
    widest = list(logs)
    seconds, largest = 0.0, 0
    for block in found.blocks:
        left, right = logs[block.place], logs[block.place + block.width]
        seconds += _block_seconds(block, 1 << min(left, _MAX_EXPONENT), 1 << min(right, _MAX_EXPONENT))
        largest = max(largest, left + right + block.width)
        _widen(logs, block)
        for cut in range(block.place + 1, block.place + block.width):
            widest[cut] = max(widest[cut], logs[cut])
    numbers = sum(2 << left + right for left, right in pairwise(widest))
    size = BYTES_PER_AMPLITUDE * (numbers + (_COPIES * _TENSORS << largest))
    bounds = Taken(1 << max(widest), size, seconds, min(numbers, 1 << _MAX_EXPONENT), lowered.num_qubits)
    return Plan(found, bounds)


def _widen(logs: list[int], block: Block) -> None:
    """Raise the logarithms of the bounds on the bonds between a block's places to what they may be after it.

    An operation multiplies the rank by at most its own operator Schmidt rank; and a bond is at most twice as wide as
    the next, as a qubit has two states.
    """
    inner = range(block.place + 1, block.place + block.width)
    for cut in inner:
        logs[cut] = min(logs[cut] + block.bits, logs[cut - 1] + 1)
    for cut in reversed(inner):
        logs[cut] = min(logs[cut], logs[cut + 1] + 1)


def _block_seconds(block: Block, left: int, right: int) -> float:
    """The seconds of a block between bonds of these dimensions: most of them decompose a matrix."""
    seconds = _PER_GATE * len(block.parts)
    for cut in range(1, block.width):
        rows, columns = float(left << cut), 2.0 * min(right << block.width - 1 - cut, left << cut + 1)
        seconds += _PER_BLOCK + _PER_FLOP * rows * columns * min(rows, columns)
    return seconds


def _most_bytes(qubits: int) -> int:
    """The bytes of the tensors where nothing bounds the bonds but the number of qubits on either side."""
    return _tensor_bytes([min(cut, qubits - cut) for cut in range(qubits + 1)])


def _tensor_bytes(logs: Sequence[int]) -> int:
    """The bytes of the tensors between bonds, given by the bonds' logarithms to base 2."""
    return sum(_COPIES * _TENSORS * BYTES_PER_AMPLITUDE << left + right for left, right in pairwise(logs))
