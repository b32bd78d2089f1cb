"""Inlines definitions until a circuit has only operations that a method applies."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from qiskit.circuit import BoxOp, ControlFlowOp, ForLoopOp, Gate, QuantumCircuit, Qubit

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.circuits.unitaries import IDENTITY
from ketline.domain.devices.noise import NOISY_OPERATIONS
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.named_places import PLACE, NamedPlace
from ketline.execution.circuit.operations import (
    LOOPS_AND_BRANCHES,
    NO_EFFECT,
    Step,
    count_operations,
    count_with_blocks,
)
from ketline.execution.circuit.passes.gate_runs import phase_over, safe_unitary
from ketline.execution.circuit.passes.light_cone import reduced
from ketline.execution.circuit.passes.lowered import AER_GATES, JUMPS, NO_GATES, IsGenuine, Lowered
from ketline.execution.circuit.passes.recognition import MIN_CALLS, Recognised, Recogniser, identity_of
from ketline.execution.circuit.passes.synthesis import definition_of, incomplete
from ketline.execution.circuit.plain import PlainCircuit, plain_of

NATIVE = AER_GATES | NO_GATES


_UNCHANGED = NATIVE - {"unitary"}


_NO_EFFECT = (
    NO_EFFECT | {PLACE} | {gate.qiskit_name for gate in GATE_TABLE if gate.unitary is IDENTITY or gate.qubits == 0}
)


# Operations without effect that Aer does not apply.
_LEFT_OUT = _NO_EFFECT - _UNCHANGED


_GLOBAL_PHASE = "global_phase"


SIMPLE = (_UNCHANGED - {"break_loop", "continue_loop", "store"}) | _LEFT_OUT


_NATIVE_WITH_BRANCHES = (SIMPLE - _LEFT_OUT) | {"if_else"}


# With noise, the operations that errors attach to stay, and all other gates are expanded into them.
NATIVE_WITH_NOISE = NOISY_OPERATIONS.keys() | NO_GATES


_LEFT_OUT_WITH_NOISE = NO_EFFECT | {PLACE}


_SIMPLE_WITH_NOISE = (NATIVE_WITH_NOISE - {"unitary", "break_loop", "continue_loop", "store"}) | _LEFT_OUT_WITH_NOISE


# Deeper than any definition nests: Qiskit defines some basic gates by each other, without end.
_MAX_DEFINITION_DEPTH = 500


_Append = Callable[[Any, Sequence[Any], Sequence[Any]], None]


class RewrittenWithPhase(NamedTuple):
    """A circuit, and its global phase in radians, which it does not have itself."""

    lowered: Lowered
    phase: Any


def rewritten_with_places(
    circuit: Any,
    native: Set[str],
    max_operations: int,
    genuine: IsGenuine | None,
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


def inline(
    plain: PlainCircuit, max_operations: int, genuine: IsGenuine | None, recogniser: Recogniser | None = None
) -> Lowered:
    operations = count_operations(plain.steps)
    if genuine is None and _UNCHANGED.issuperset(operations):
        # In the order of `QuantumCircuit.count_ops`.
        return Lowered(plain, Counter(dict(operations.most_common())), kept_qubits=range(plain.num_qubits))
    if genuine is None and SIMPLE.issuperset(operations) and plain.num_qubits:
        steps = [step for step in plain.steps if step[0] not in _LEFT_OUT]
        return _of_steps(plain, steps, max_operations)
    if genuine is None and _NATIVE_WITH_BRANCHES.issuperset(operations):
        in_blocks = count_with_blocks(plain.steps)
        if _runs_as_it_is(plain.steps, operations, in_blocks) and in_blocks.total() <= max_operations:
            return Lowered(plain, in_blocks, kept_qubits=range(plain.num_qubits))
    return rewritten(plain.circuit, NATIVE, max_operations, genuine, recogniser)


def _runs_as_it_is(steps: Sequence[Step], operations: Counter[str], in_blocks: Counter[str]) -> bool:
    """Whether Aer runs a circuit with branches unchanged: they are not nested, and each has a qubit."""
    if not _NATIVE_WITH_BRANCHES.issuperset(in_blocks) or in_blocks["if_else"] > operations["if_else"]:
        return False
    return all(step[1] for step in steps)


def inline_with_noise(plain: PlainCircuit, max_operations: int, genuine: IsGenuine | None) -> Lowered:
    if genuine is None and plain.num_qubits and _SIMPLE_WITH_NOISE.issuperset(count_operations(plain.steps)):
        return _of_steps(plain, [step for step in plain.steps if step[0] not in _LEFT_OUT_WITH_NOISE], max_operations)
    return rewritten(plain.circuit, NATIVE_WITH_NOISE, max_operations, genuine)


def _of_steps(plain: PlainCircuit, steps: Sequence[Step], max_operations: int) -> Lowered:
    if len(steps) > max_operations:
        raise _too_large(max_operations)
    kept = range(plain.num_qubits)
    return Lowered(reduced(plain, kept, steps), count_operations(steps), kept_qubits=kept)


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
    genuine: IsGenuine | None = None,
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
        native: Set[str] = NATIVE,
        genuine: IsGenuine | None = None,
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
            if operation.name in JUMPS:
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
        is_often_called = self._calls.get(operation.name, 0) >= MIN_CALLS
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
        if definition is None or self._depth > _MAX_DEFINITION_DEPTH:
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
