"""Rewrites a circuit into what Aer simulates as it is, so that no task pays for `transpile`."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qiskit.circuit import BoxOp, ControlFlowOp, ForLoopOp, Qubit

from ketline.domain.errors import ObservablesInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.gates import applied_by
from ketline.domain.spec import Method
from ketline.execution.circuit.gate_runs import safe_unitary
from ketline.execution.circuit.light_cone import light_cone, rebuilt, without_first_resets
from ketline.execution.circuit.operations import Step, depth_of, final_measurements, steps_of
from ketline.execution.circuit.synthesis import definition_of, incomplete

# Gates whose name and meaning Qiskit and Aer share. Only library gates carry these names: see gates.py.
AER_GATES = applied_by(Method.STATEVECTOR)
NO_GATES = frozenset({"measure", "reset", "break_loop", "continue_loop", "store"})
_KEPT = AER_GATES | NO_GATES
_AS_THEY_ARE = _KEPT - {"unitary"}
_WITHOUT_EFFECT = frozenset({"barrier", "delay", "id", "global_phase"})
_LOOPS_AND_BRANCHES = frozenset({"if_else", "for_loop", "while_loop"})
_JUMPS = frozenset({"break_loop", "continue_loop"})
BRANCHES = _LOOPS_AND_BRANCHES | _JUMPS
# No definition nests as deep; Qiskit defines some basic gates by each other, without end.
_DEEPEST_DEFINITION = 500

_Append = Callable[[Any, Sequence[Any], Sequence[Any]], None]
_IsGenuine = Callable[[Any], bool]


@dataclass
class Lowered:
    """A circuit of operations Aer knows, on the qubits that can affect its outcome.

    `operations` counts operations by name, those inside control-flow blocks once for each block.
    """

    circuit: Any
    operations: Counter[str] = field(default_factory=Counter)

    @cached_property
    def steps(self) -> Sequence[Step]:
        return steps_of(self.circuit)

    @cached_property
    def depth(self) -> int:
        """The circuit's depth; control-flow blocks count as one operation."""
        if self.has_control_flow or self.operations["store"]:
            return int(self.circuit.depth())
        return depth_of(self.steps, self.circuit.num_qubits, self.circuit.num_clbits)

    @property
    def has_control_flow(self) -> bool:
        return not _LOOPS_AND_BRANCHES.isdisjoint(self.operations)

    @cached_property
    def final_measurements(self) -> Sequence[tuple[int, int]] | None:
        """The measured qubits with the bits they go to, as indices, if nothing follows upon any measurement.

        That is: no reset, no control flow, no computing on bits, no operation on a qubit that was measured, and no bit
        written twice. Then the outcome is a sample of the final distribution. Otherwise None.
        """
        if self.has_control_flow or self.operations["reset"] or self.operations["store"]:
            return None
        return final_measurements(self.steps)


def lower(circuit: Any, max_operations: int, genuine: _IsGenuine | None = None) -> Lowered:
    """Inline definitions, drop what has no effect, and leave out qubits that no measurement can see.

    With `genuine`, an operation that is not so is inlined whatever its name is.

    Raises:
        ProgramUnsupported: nothing is measured.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    lowered = _inlined(circuit, max_operations, genuine)
    if not lowered.operations["measure"]:
        raise ProgramUnsupported(
            "nothing is measured, so there are no counts: declare bits and measure into them, "
            "for instance 'bit[2] c; c = measure q;'"
        )
    return _without_unseen(lowered, ())


def lower_observed(
    circuit: Any, max_operations: int, qubits: Collection[int], genuine: _IsGenuine | None = None
) -> Lowered:
    """As `lower`, for a circuit whose final state is looked at on these qubits, by index, and not measured.

    Raises:
        ObservablesInvalid: its final state is not one pure state: it measures, resets or branches.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    lowered = _inlined(circuit, max_operations, genuine)
    if lowered.operations["reset"]:
        lowered = _reduced(lowered, range(circuit.num_qubits), without_first_resets(lowered.steps))
    for what in ("measure", "reset", "store", *_LOOPS_AND_BRANCHES):
        if lowered.operations[what]:
            raise ObservablesInvalid(
                f"observables are computed for the state a circuit ends in, and this one has '{what}': "
                "leave measurements, resets and branches out, or ask for counts"
            )
    return _without_unseen(lowered, qubits)


def _inlined(circuit: Any, max_operations: int, genuine: _IsGenuine | None) -> Lowered:
    lowered = Lowered(circuit)
    if genuine is None and _AS_THEY_ARE.issuperset(operations := circuit.count_ops()):
        lowered.operations.update(operations)
    else:
        lowered.circuit = _Lowering(lowered.operations, max_operations, genuine=genuine).rewrite(circuit)
    return lowered


def _without_unseen(lowered: Lowered, watched: Collection[int]) -> Lowered:
    """Keep the qubits, and outside of control flow the operations, that some measurement, or who watches, needs."""
    qubits, steps = lowered.circuit.num_qubits, lowered.steps
    seen, kept = light_cone(steps, qubits, watched, keep_all=lowered.has_control_flow)
    if len(seen) == qubits and len(kept) == len(steps):
        return lowered
    return _reduced(lowered, seen, kept)


def _reduced(lowered: Lowered, qubits: Collection[int], steps: Sequence[Step]) -> Lowered:
    left_out = Counter(step[0] for step in lowered.steps) - Counter(step[0] for step in steps)
    return Lowered(rebuilt(lowered.circuit, qubits, steps), lowered.operations - left_out)


def restrict(lowered: Lowered, gates: frozenset[str], max_operations: int) -> Lowered:
    """The same circuit with only these gates, for a method that has fewer than Aer's others.

    Raises:
        ProgramUnsupported: a gate cannot be made of them.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    kept = gates | NO_GATES
    if (kept | _LOOPS_AND_BRANCHES).issuperset(lowered.operations):
        return lowered
    restricted = Lowered(lowered.circuit)
    restricted.circuit = _Lowering(restricted.operations, max_operations, kept).rewrite(lowered.circuit)
    return restricted


def rewritten(circuit: Any, kept: frozenset[str], max_operations: int, genuine: _IsGenuine | None = None) -> Lowered:
    """A copy of a circuit with only these operations, and loops and branches; unlike `lower` it leaves nothing out.

    Raises:
        ProgramUnsupported: an operation cannot be made of them.
        ProgramTooLarge: it expands to more than `max_operations` operations.
    """
    copy = Lowered(circuit)
    copy.circuit = _Lowering(copy.operations, max_operations, kept, genuine).rewrite(circuit)
    return copy


class _Lowering:
    def __init__(
        self,
        operations: Counter[str],
        max_operations: int,
        kept: frozenset[str] = _KEPT,
        genuine: _IsGenuine | None = None,
    ) -> None:
        self._operations = operations
        self._max_operations = max_operations
        self._kept = kept
        self._genuine = genuine
        self._total = 0
        self._depth = 0

    def rewrite(self, circuit: Any) -> Any:
        """A copy of a circuit or block, on the same bits, in Aer's operations."""
        result = circuit.copy_empty_like()
        result.global_phase = 0  # of no effect here, and loops leave parameters in it
        if not result.qubits:
            result.add_bits([Qubit()])

        def append(operation: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
            self._count(operation.name)
            if operation.name in _JUMPS:
                # Aer sorts jumps without qubits before everything else.
                operation = type(operation)(result.num_qubits, len(clbits))
                qubits = result.qubits
            elif isinstance(operation, ControlFlowOp):
                # Aer runs branches and loops without qubits whatever their condition is.
                qubits = qubits or result.qubits[:1]
            result.append(operation, qubits, clbits, copy=False)

        for instruction in circuit.data:
            self._lower(instruction.operation, instruction.qubits, instruction.clbits, append)
        return result

    def _lower(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        name = operation.name
        genuine = self._genuine is None or self._genuine(operation)
        if genuine and name in self._kept:
            one_qubit_matrix = name == "unitary" and len(qubits) == 1
            append(safe_unitary(operation.to_matrix()) if one_qubit_matrix else operation, qubits, clbits)
        elif isinstance(operation, ControlFlowOp) and name != "box":
            self._rewrite_blocks(operation, qubits, clbits, append)
        elif not genuine or name not in _WITHOUT_EFFECT:
            self._expand(operation, qubits, clbits, append)

    def _rewrite_blocks(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        if self._depth:
            # Its condition names bits of the definition that it stands in.
            raise ProgramUnsupported(f"'{operation.name}' inside of a box or an instruction is not supported")
        before = self._total
        append(_with_blocks(operation, [self.rewrite(block) for block in operation.blocks]), qubits, clbits)
        if operation.name == "for_loop":
            # Aer unrolls it.
            self._spend((self._total - before) * (len(operation.params[0]) - 1))

    def _expand(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        definition = operation.blocks[0] if isinstance(operation, BoxOp) else definition_of(operation, self._genuine)
        if definition is None or self._depth > _DEEPEST_DEFINITION:
            raise ProgramUnsupported(f"'{operation.name}' cannot be simulated by this method")
        if definition.num_qubits != len(qubits):
            raise incomplete(operation.name)
        outer = dict(zip(definition.qubits, qubits, strict=True)) | dict(zip(definition.clbits, clbits, strict=True))
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
        self._operations[name] += 1
        self._spend(1)

    def _spend(self, operations: int) -> None:
        self._total += operations
        if self._total > self._max_operations:
            raise ProgramTooLarge(f"the program expands to more than {self._max_operations} operations")


def _with_blocks(operation: Any, blocks: Sequence[Any]) -> Any:
    if operation.name == "for_loop":
        values, parameter, _ = operation.params
        # Aer cannot bind a parameter that its loop does not use.
        return ForLoopOp(values, parameter if parameter in blocks[0].parameters else None, *blocks)
    return operation.replace_blocks(blocks)
