"""Rewrites a circuit into what Aer simulates as it is, so that no task pays for `transpile`.

Every program that is simulated is lowered, by `execution/frontend/program.py`; conversions and drawings use
`rewritten`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from qiskit.circuit import BoxOp, ControlFlowOp, ForLoopOp, Gate, QuantumCircuit, Qubit

from ketline.domain.errors import OutputsInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.gates import GATE_TABLE, applied_by
from ketline.domain.noise import NOISY_OPERATIONS
from ketline.domain.outputs import OutputType
from ketline.domain.spec import Method
from ketline.domain.unitaries import IDENTITY
from ketline.execution.circuit.ancillas import without_clean_ancillas
from ketline.execution.circuit.binding import StepTemplate, template_of
from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.final_state import FinalState
from ketline.execution.circuit.gate_runs import phase_over, safe_unitary
from ketline.execution.circuit.light_cone import light_cone, reduced, without_first_resets
from ketline.execution.circuit.named_places import PLACE, NamedPlace, names_of, unknown_place
from ketline.execution.circuit.observed_cone import observed_cone
from ketline.execution.circuit.operations import (
    LOOPS_AND_BRANCHES,
    NO_EFFECT,
    Step,
    count_operations,
    count_with_blocks,
    depth_of,
    final_measurements,
)
from ketline.execution.circuit.plain import PlainCircuit, plain_of
from ketline.execution.circuit.recognition import FEWEST_CALLS, Recognised, Recogniser, identity_of
from ketline.execution.circuit.synthesis import definition_of, incomplete

# Gates whose name and meaning Qiskit and Aer share. Only library gates carry these names: see gates.py.
AER_GATES = applied_by(Method.STATEVECTOR)
NO_GATES = frozenset({"measure", "reset", "break_loop", "continue_loop", "store"})
_NATIVE = AER_GATES | NO_GATES
_UNCHANGED = _NATIVE - {"unitary"}
_NO_EFFECT = (
    NO_EFFECT | {PLACE} | {gate.qiskit_name for gate in GATE_TABLE if gate.unitary is IDENTITY or gate.qubits == 0}
)
# Operations without effect that Aer does not apply.
_LEFT_OUT = _NO_EFFECT - _UNCHANGED
_GLOBAL_PHASE = "global_phase"
_SIMPLE = (_UNCHANGED - {"break_loop", "continue_loop", "store"}) | _LEFT_OUT
_NATIVE_WITH_BRANCHES = (_SIMPLE - _LEFT_OUT) | {"if_else"}
_JUMPS = frozenset({"break_loop", "continue_loop"})
# With noise, the operations that errors attach to stay, and all other gates are expanded into them.
_NATIVE_WITH_NOISE = NOISY_OPERATIONS.keys() | NO_GATES
_LEFT_OUT_WITH_NOISE = NO_EFFECT | {PLACE}
_SIMPLE_WITH_NOISE = (_NATIVE_WITH_NOISE - {"unitary", "break_loop", "continue_loop", "store"}) | _LEFT_OUT_WITH_NOISE
BRANCHES = LOOPS_AND_BRANCHES | _JUMPS
# Operations after which there is a state for each outcome instead of one.
_MAKES_OUTCOMES = ("reset", "store", *sorted(BRANCHES), "measure")
# Gates that compute ancillas.
_COMPUTING = ("ccx", "mcx")
# With more qubits a matrix product state may be the better method, and gates under many controls are not for it.
_MOST_WITHOUT_ANCILLAS = 24
# Deeper than any definition nests: Qiskit defines some basic gates by each other, without end.
_DEEPEST_DEFINITION = 500

_Append = Callable[[Any, Sequence[Any], Sequence[Any]], None]
_IsGenuine = Callable[[Any], bool]


@dataclass(eq=False)
class Lowered:
    """A circuit of operations that Aer applies, on the qubits that can affect its outcome.

    `operations` counts operations by name, those inside control-flow blocks once for each block. `origins` has, for
    each operation outside of such blocks, the index of the operation that it was made of, where that is recorded.
    `kept_qubits` are the indices that its qubits had before others were left out. `pattern` is a circuit of the same
    operations with other angles, from which this one was made.
    """

    plain: PlainCircuit
    operations: Counter[str] = field(default_factory=Counter)
    origins: Sequence[int] = ()
    kept_qubits: Sequence[int] = ()
    pattern: "Lowered | None" = None

    @property
    def circuit(self) -> Any:
        """Qiskit's circuit, which is made when it is first read."""
        return self.plain.circuit

    @property
    def num_qubits(self) -> int:
        return self.plain.num_qubits

    @property
    def num_clbits(self) -> int:
        return self.plain.num_clbits

    @property
    def steps(self) -> Sequence[Step]:
        return self.plain.steps

    @cached_property
    def depth(self) -> int:
        """The circuit's depth; control-flow blocks count as one operation."""
        if self.pattern is not None:
            return self.pattern.depth
        if self.has_control_flow or self.operations["store"]:
            return int(self.circuit.depth())
        return depth_of(self.steps, self.num_qubits, self.num_clbits)

    @property
    def has_control_flow(self) -> bool:
        return not LOOPS_AND_BRANCHES.isdisjoint(self.operations)

    @cached_property
    def final_measurements(self) -> Sequence[tuple[int, int]] | None:
        """The measured qubits with the bits they go to, as indices, if every measurement is final.

        That is: no reset, no control flow, no computing on bits, no operation on a qubit that was measured, and no bit
        written twice. Then the outcome is a sample of the final distribution. Otherwise None.
        """
        if self.pattern is not None:
            return self.pattern.final_measurements
        if self.has_control_flow or self.operations["reset"] or self.operations["store"]:
            return None
        measurements = self.operations["measure"]
        last = self.steps[-measurements:] if measurements else ()
        # If no other operation follows a measurement, what precedes them need not be searched.
        are_last = count_operations(last)["measure"] == measurements
        return final_measurements(last if are_last else self.steps)

    @cached_property
    def template(self) -> StepTemplate | None:
        """Gives the steps for values of the parameters; None if only Qiskit can bind them."""
        return template_of(self.steps)

    def with_steps(self, steps: Sequence[Step]) -> "Lowered":
        """The same operations with other angles."""
        plain = reduced(self.plain, range(self.num_qubits), steps)
        return Lowered(plain, self.operations, kept_qubits=self.kept_qubits, pattern=self)


def lower(
    plain: PlainCircuit,
    max_operations: int,
    genuine: _IsGenuine | None = None,
    *,
    one_name_each: bool = False,
    noisy: bool = False,
) -> Lowered:
    """Inline definitions, and leave out operations without effect and qubits on which no measurement depends.

    With `genuine`, operations for which it returns False are inlined whatever their names are. With `one_name_each` no
    two definitions have the same name. Those that are called often and do what few native gates do become these. With
    `noisy` gates are not recognised, and those to which errors attach are not left out; resets are not either.

    Raises:
        ProgramUnsupported: nothing is measured.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    if noisy:
        lowered = _inlined_with_noise(plain, max_operations, genuine)
    else:
        lowered = _inlined(plain, max_operations, genuine, Recogniser(one_name_each=one_name_each))
        lowered = _without_clean_ancillas(lowered, ())
    if not lowered.operations["measure"]:
        raise ProgramUnsupported(
            "nothing is measured, so there are no counts: declare bits and measure into them, "
            "for instance 'bit[2] c; c = measure q;'"
        )
    lowered = _light_cone_of(lowered, ())
    # If all operations before a reset are outside of the light cone, the reset is the first.
    return lowered if noisy else without_resets_at_start(lowered)


def keeps_steps(steps: Sequence[Step]) -> bool:
    """Whether lowering a circuit of these steps only leaves some out: all are gates that Aer has, or have no effect."""
    return _SIMPLE.issuperset(count_operations(steps))


class ObservedCircuit(NamedTuple):
    """A circuit that gives expectation values in its final state, averaged over all outcomes.

    `dephased` qubits, by original index, are measured last of all, so that operators with X or Y on them have the value
    0; such measurements are left out.
    """

    lowered: Lowered
    dephased: frozenset[int]


def lower_observed(
    plain: PlainCircuit,
    max_operations: int,
    qubits: Collection[int],
    genuine: _IsGenuine | None = None,
    *,
    bits: Collection[int] = (),
    noisy: bool = False,
) -> ObservedCircuit:
    """As `lower`, for a circuit whose counts are not needed: observables act on these qubits, by index.

    `bits` are those whose values are needed nevertheless.

    Raises:
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    if noisy:
        lowered = _observed_cone_of(_inlined_with_noise(plain, max_operations, genuine), qubits, bits)
        return ObservedCircuit(lowered, frozenset())
    lowered = _inlined(plain, max_operations, genuine)
    lowered = without_resets_at_start(_without_clean_ancillas(lowered, qubits))
    lowered, dephased = without_last_measurements(lowered, bits)
    # If all operations before a reset are outside of the cone, the reset is the first.
    return ObservedCircuit(without_resets_at_start(_observed_cone_of(lowered, qubits, bits)), dephased)


def without_last_measurements(lowered: Lowered, bits: Collection[int]) -> ObservedCircuit:
    """Leave out measurements after which neither qubit nor bit is used, unless the value of a bit of these is needed.

    With noise, that is for measurements without errors only.
    """
    if not lowered.operations["measure"]:
        return ObservedCircuit(lowered, frozenset())
    steps, last = without_final_measurements(lowered.steps, lowered.circuit.clbits)
    if not last or any(bit in bits for _, bit in last):
        return ObservedCircuit(lowered, frozenset())
    dephased = frozenset(lowered.kept_qubits[qubit] for qubit, _ in last)
    return ObservedCircuit(_reduced(lowered, range(lowered.num_qubits), steps), dephased)


def _observed_cone_of(lowered: Lowered, qubits: Collection[int], bits: Collection[int]) -> Lowered:
    if BRANCHES.isdisjoint(lowered.operations) and not lowered.operations["measure"]:
        return _light_cone_of(lowered, qubits)
    cone, needed = observed_cone(lowered.steps, qubits, lowered.circuit.clbits, bits)
    if len(cone) == lowered.num_qubits and len(needed) == len(lowered.steps):
        return lowered
    return _reduced(lowered, cone, needed)


def _without_clean_ancillas(lowered: Lowered, watched: Collection[int]) -> Lowered:
    """Leave out ancillas that are computed and given back, where a statevector is what then runs."""
    if sum(lowered.operations[name] for name in _COMPUTING) < 2:
        return lowered
    steps = without_clean_ancillas(lowered.steps, lowered.num_qubits)
    if len(steps) == len(lowered.steps):
        return lowered
    everything = range(lowered.num_qubits)
    plain = reduced(lowered.plain, everything, steps)
    found = _light_cone_of(Lowered(plain, count_with_blocks(steps), kept_qubits=lowered.kept_qubits), watched)
    return found if found.num_qubits <= _MOST_WITHOUT_ANCILLAS else lowered


def lower_state(
    plain: PlainCircuit,
    max_operations: int,
    states: FinalState,
    genuine: _IsGenuine | None = None,
    *,
    bits: Collection[int] = (),
    noisy: bool = False,
    unmeasured: bool = False,
) -> Lowered:
    """As `lower_observed`, for the states at named places and before the measurements at the end, with their phases.

    The circuit keeps the places, on the qubits that are needed there, with their phases. A circuit that measures
    before its end, resets or branches keeps what its states depend on; all others have only gates and places. Where
    outputs need other states than that which begins with 0, first resets are not left out. `bits` as there, `noisy` as
    for `lower`. The measurements at the end of an `unmeasured` circuit have been left out before: all that it has stay.

    Raises:
        OutputsInvalid: the circuit has no such place or qubit; or outputs need one pure state, and it measures before
            its end, resets, branches or loops.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    needed, places = states.require_fit(plain.num_qubits), places_of(plain, states)
    lowered, phase = rewritten_with_places(
        plain.circuit, _NATIVE_WITH_NOISE if noisy else _NATIVE, max_operations, genuine, places
    )
    if not (states.from_any_state or noisy):
        lowered = without_resets_at_start(lowered)
    lowered = lowered if None in needed else _until_last_place(lowered)
    lowered = lowered if unmeasured else _unmeasured(lowered)
    _require_one_state(lowered, dict(states.of_one_state))
    lowered = _observed_cone_of(lowered, needed.get(None, ()), bits)
    lowered.circuit.global_phase = phase
    return lowered


def places_of(plain: PlainCircuit, states: FinalState) -> Mapping[str, Sequence[int]]:
    """The named places of a circuit at which states are needed, each with the qubits that are, in order.

    Raises:
        OutputsInvalid: the circuit has no such place or qubit.
    """
    needed = states.require_fit(plain.num_qubits)
    known = names_of(plain.circuit) if any(step[0] == PLACE for step in plain.steps) else []
    if missing := next((place for place in needed if place is not None and place not in known), None):
        raise unknown_place(missing, known)
    return {place: sorted(qubits) for place, qubits in needed.items() if place is not None}


class RewrittenWithPhase(NamedTuple):
    """A circuit, and its global phase in radians, which it does not have itself."""

    lowered: Lowered
    phase: Any


def rewritten_with_places(
    circuit: Any,
    native: Set[str],
    max_operations: int,
    genuine: _IsGenuine | None,
    places: Mapping[str, Sequence[int]],
) -> RewrittenWithPhase:
    """As `rewritten`, with these of the named places, each on the given qubits, and with the phase.

    Raises:
        ProgramUnsupported, ProgramTooLarge: as it does.
    """
    lowering = _Lowering(Counter(), max_operations, native, genuine, places=places)
    copy = lowering.rewrite(circuit)
    lowered = Lowered(plain_of(copy), lowering.operations, kept_qubits=range(copy.num_qubits))
    return RewrittenWithPhase(lowered, lowering.phase)


def is_averaged(lowered: Lowered) -> bool:
    """Whether a circuit that `lower_state` made has no single state, but one for each outcome."""
    return any(lowered.operations[name] for name in _MAKES_OUTCOMES)


def _until_last_place(lowered: Lowered) -> Lowered:
    """The circuit until its last named place, of which there is one."""
    last = max(number for number, step in enumerate(lowered.steps) if step[0] == PLACE)
    return _reduced(lowered, range(lowered.num_qubits), lowered.steps[: last + 1])


def _require_one_state(lowered: Lowered, needed: Mapping[str | None, OutputType]) -> None:
    """Reject a circuit without a single state at these places, None for the end.

    Raises:
        OutputsInvalid: it measures before one of them, resets, branches or loops.
    """
    before: set[str] = set()
    for step in lowered.steps if needed else ():
        if step[0] == PLACE:
            _reject_outcomes(before, step[4].label, needed)
        else:
            before.add(step[0])
    _reject_outcomes(before, None, needed)


def _reject_outcomes(before: Collection[str], place: str | None, needed: Mapping[str | None, OutputType]) -> None:
    what = next((name for name in _MAKES_OUTCOMES if name in before), None)
    if what is None or place not in needed:
        return
    where = "its end" if place is None else f"'{place}'"
    reason = f"measures before {where}" if what == "measure" else f"has '{what}'"
    raise OutputsInvalid(
        f"a {needed[place]} is that of one pure state, and this program {reason}, so that it has one for each outcome: "
        "ask for density_matrix, probabilities or expectation_values, which are averaged over the outcomes"
    )


def _unmeasured(lowered: Lowered) -> Lowered:
    """The circuit without the measurements at its end."""
    if not lowered.operations["measure"]:
        return lowered
    steps, final = without_final_measurements(lowered.steps, lowered.circuit.clbits)
    return _reduced(lowered, range(lowered.num_qubits), steps) if final else lowered


def without_resets_at_start(lowered: Lowered) -> Lowered:
    """Leave out resets with which preparing a state begins: a circuit without others can be simulated as a whole."""
    if not lowered.operations["reset"]:
        return lowered
    steps = without_first_resets(lowered.steps)
    return lowered if len(steps) == len(lowered.steps) else _reduced(lowered, range(lowered.num_qubits), steps)


def _inlined(
    plain: PlainCircuit, max_operations: int, genuine: _IsGenuine | None, recogniser: Recogniser | None = None
) -> Lowered:
    operations = count_operations(plain.steps)
    if genuine is None and _UNCHANGED.issuperset(operations):
        # In the order of `QuantumCircuit.count_ops`.
        return Lowered(plain, Counter(dict(operations.most_common())), kept_qubits=range(plain.num_qubits))
    if genuine is None and _SIMPLE.issuperset(operations) and plain.num_qubits:
        steps = [step for step in plain.steps if step[0] not in _LEFT_OUT]
        return _of_steps(plain, steps, max_operations)
    if genuine is None and _NATIVE_WITH_BRANCHES.issuperset(operations):
        in_blocks = count_with_blocks(plain.steps)
        if _runs_as_it_is(plain.steps, operations, in_blocks) and in_blocks.total() <= max_operations:
            return Lowered(plain, in_blocks, kept_qubits=range(plain.num_qubits))
    return rewritten(plain.circuit, _NATIVE, max_operations, genuine, recogniser)


def _runs_as_it_is(steps: Sequence[Step], operations: Counter[str], in_blocks: Counter[str]) -> bool:
    """Whether Aer runs a circuit with branches unchanged: they are not nested, and each has a qubit."""
    if not _NATIVE_WITH_BRANCHES.issuperset(in_blocks) or in_blocks["if_else"] > operations["if_else"]:
        return False
    return all(step[1] for step in steps)


def _inlined_with_noise(plain: PlainCircuit, max_operations: int, genuine: _IsGenuine | None) -> Lowered:
    if genuine is None and plain.num_qubits and _SIMPLE_WITH_NOISE.issuperset(count_operations(plain.steps)):
        return _of_steps(plain, [step for step in plain.steps if step[0] not in _LEFT_OUT_WITH_NOISE], max_operations)
    return rewritten(plain.circuit, _NATIVE_WITH_NOISE, max_operations, genuine)


def _of_steps(plain: PlainCircuit, steps: Sequence[Step], max_operations: int) -> Lowered:
    if len(steps) > max_operations:
        raise _too_large(max_operations)
    kept = range(plain.num_qubits)
    return Lowered(reduced(plain, kept, steps), count_operations(steps), kept_qubits=kept)


def _light_cone_of(lowered: Lowered, watched: Collection[int]) -> Lowered:
    """Leave out qubits and operations on which no measurement or watched qubit depends."""
    cone, needed = light_cone(lowered.steps, lowered.num_qubits, watched)
    if len(cone) == lowered.num_qubits and len(needed) == len(lowered.steps):
        return lowered
    return _reduced(lowered, cone, needed)


def _reduced(lowered: Lowered, qubits: Collection[int], steps: Sequence[Step]) -> Lowered:
    left_out = count_with_blocks(lowered.steps) - count_with_blocks(steps)
    kept = [lowered.kept_qubits[qubit] for qubit in sorted(qubits)]
    plain = reduced(lowered.plain, qubits, steps)
    return Lowered(plain, lowered.operations - left_out, kept_qubits=kept)


def restrict(lowered: Lowered, gates: frozenset[str], max_operations: int) -> Lowered:
    """The same circuit with only these gates, for a method that applies fewer than the statevector does.

    Raises:
        ProgramUnsupported: a gate has no definition in them.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    native = gates | NO_GATES
    if (native | LOOPS_AND_BRANCHES).issuperset(lowered.operations):
        return lowered
    return rewritten(lowered.circuit, native, max_operations)


def rewritten(
    circuit: Any,
    native: Set[str],
    max_operations: int,
    genuine: _IsGenuine | None = None,
    recogniser: Recogniser | None = None,
) -> Lowered:
    """A copy of a circuit with only these operations, and loops and branches; unlike `lower` it leaves nothing out.

    Raises:
        ProgramUnsupported: an operation has no definition in them.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    operations: Counter[str] = Counter()
    lowering = _Lowering(operations, max_operations, native, genuine, recogniser)
    copy = lowering.rewrite(circuit)
    return Lowered(plain_of(copy), operations, lowering.origins, range(copy.num_qubits))


class _Lowering:
    def __init__(
        self,
        operations: Counter[str],
        max_operations: int,
        native: Set[str] = _NATIVE,
        genuine: _IsGenuine | None = None,
        recogniser: Recogniser | None = None,
        places: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """`places` are the named places to keep, with the qubits that are needed there; others are left out."""
        self._places = places or {}
        self._outermost: Any = None
        self.operations = operations
        self.phase: Any = 0.0
        self._max_operations = max_operations
        self._native = native
        self._genuine = genuine
        self._recogniser = recogniser
        self._other_names: set[str] = set()
        self._calls: Mapping[str, int] = {}
        self._total = 0
        self._depth = 0
        self.origins: Sequence[int] = ()

    def rewrite(self, circuit: Any) -> Any:
        """A copy of a circuit or block, on the same bits, in Aer's operations."""
        result = circuit.copy_empty_like()
        result.global_phase = 0  # of no effect on counts, and loops leave parameters in it
        if self._outermost is None:
            self._outermost = circuit
        self.phase += circuit.global_phase
        if not result.qubits:
            result.add_bits([Qubit()])

        def append(operation: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
            self._count(operation.name)
            if operation.name in _JUMPS:
                # Aer moves jumps without qubits before all other operations.
                operation = type(operation)(result.num_qubits, len(clbits))
                qubits = result.qubits
            elif isinstance(operation, ControlFlowOp):
                # Aer runs branches and loops without qubits whatever their condition is.
                qubits = qubits or result.qubits[:1]
            result.append(operation, qubits, clbits, copy=False)

        origins: list[int] = []
        outer_calls, self._calls = self._calls, {} if self._recogniser is None else circuit.count_ops()
        for number, instruction in enumerate(circuit.data):
            if isinstance(instruction.operation, NamedPlace):
                self._keep_place(instruction.operation, result)
            else:
                self._lower(instruction.operation, instruction.qubits, instruction.clbits, append)
            origins += [number] * (len(result.data) - len(origins))
        self._calls = outer_calls
        self.origins = origins  # at last those of the outermost circuit
        return result

    def _lower(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        name = operation.name
        genuine = self._genuine is None or self._genuine(operation)
        if genuine and name in self._native:
            if name == "unitary" and len(qubits) == 1:
                matrix = operation.to_matrix()
                operation = safe_unitary(matrix)
                self.phase += phase_over(matrix, operation.params[0])
            append(operation, qubits, clbits)
        elif isinstance(operation, ControlFlowOp) and name != "box":
            self._rewrite_blocks(operation, qubits, clbits, append)
        elif not genuine or name not in _NO_EFFECT:
            self._expand(operation, qubits, clbits, append)
        elif name == _GLOBAL_PHASE:
            self.phase += operation.params[0]

    def _keep_place(self, place: NamedPlace, result: Any) -> None:
        """Write a place, if it is to be kept, with its qubits and the phase of all that precedes it."""
        if (qubits := self._places.get(place.label)) is not None:
            own = self.phase if place.of_circuit else self.phase - self._outermost.global_phase + place.params[0]
            kept = NamedPlace(place.label, qubits=len(qubits), phase=own)
            result.append(kept, [result.qubits[qubit] for qubit in qubits], copy=False)

    def _rewrite_blocks(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        if self._depth:
            # Its condition names bits of the definition that contains it.
            raise ProgramUnsupported(f"'{operation.name}' inside of a box or an instruction is not supported")
        before = self._total
        append(_with_blocks(operation, [self.rewrite(block) for block in operation.blocks]), qubits, clbits)
        if operation.name == "for_loop":
            # Aer unrolls it.
            self._spend((self._total - before) * (len(operation.params[0]) - 1))

    def _native_of(self, operation: Any) -> Recognised | None:
        """The native gates that the program's own definition of an often called gate is."""
        is_often_called = self._calls.get(operation.name, 0) >= FEWEST_CALLS
        if self._recogniser is None or self._depth or not is_often_called or not isinstance(operation, Gate):
            return None

        def steps() -> Sequence[Step]:
            alone = QuantumCircuit(operation.num_qubits)
            alone.append(operation, alone.qubits)
            return rewritten(alone, self._native, self._max_operations, self._genuine).steps

        if self._recogniser.one_name_each:
            return self._recogniser.of((operation.name, *map(str, operation.params)), steps, operation.num_qubits)
        if operation.name in self._other_names:
            return None
        made = steps()
        key = identity_of(made)
        found = None if key is None else self._recogniser.of(key, lambda: made, operation.num_qubits)
        if found is None:
            self._other_names.add(operation.name)  # which saves expanding such gates twice
        return found

    def _expand(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        if (native := self._native_of(operation)) is not None:
            for gate, operands in native.gates:
                append(gate, [qubits[operand] for operand in operands], clbits)
            return
        definition = operation.blocks[0] if isinstance(operation, BoxOp) else definition_of(operation, self._genuine)
        if definition is None or self._depth > _DEEPEST_DEFINITION:
            raise ProgramUnsupported(f"'{operation.name}' cannot be simulated by this method")
        if definition.num_qubits != len(qubits):
            raise incomplete(operation.name)
        outer = dict(zip(definition.qubits, qubits, strict=True)) | dict(zip(definition.clbits, clbits, strict=True))
        self.phase += definition.global_phase
        self._depth += 1
        for inner in definition.data:
            self._lower(
                inner.operation,
                [outer[qubit] for qubit in inner.qubits],
                [outer[clbit] for clbit in inner.clbits],
                append,
            )
        self._depth -= 1

    def _count(self, name: str) -> None:
        self.operations[name] += 1
        self._spend(1)

    def _spend(self, operations: int) -> None:
        self._total += operations
        if self._total > self._max_operations:
            raise _too_large(self._max_operations)


def _too_large(max_operations: int) -> ProgramTooLarge:
    return ProgramTooLarge(f"the program expands to more than {max_operations} operations")


def _with_blocks(operation: Any, blocks: Sequence[Any]) -> Any:
    if operation.name == "for_loop":
        values, parameter, _ = operation.params
        # Aer cannot bind a parameter that its loop does not use.
        return ForLoopOp(values, parameter if parameter in blocks[0].parameters else None, *blocks)
    return operation.replace_blocks(blocks)
