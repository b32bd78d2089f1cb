"""Rewrites a circuit into what Aer simulates as it is, so that no task pays for `transpile`."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qiskit.circuit import ControlFlowOp, QuantumCircuit

from ketline.domain.errors import ObservablesInvalid, ProgramTooLarge, ProgramUnsupported

# Gates whose name and meaning Qiskit and Aer share. Only library gates carry these names: see gates.py.
AER_GATES = frozenset(
    [
        "ccx",
        "ccz",
        "cp",
        "crx",
        "cry",
        "crz",
        "cswap",
        "csx",
        "cu",
        "cu1",
        "cu3",
        "cx",
        "cy",
        "cz",
        "ecr",
        "h",
        "mcphase",
        "mcx",
        "p",
        "r",
        "rx",
        "rxx",
        "ry",
        "ryy",
        "rz",
        "rzx",
        "rzz",
        "s",
        "sdg",
        "swap",
        "sx",
        "sxdg",
        "t",
        "tdg",
        "u",
        "u1",
        "u2",
        "u3",
        "unitary",
        "x",
        "y",
        "z",
    ]
)
NO_GATES = frozenset({"measure", "reset", "break_loop", "continue_loop", "store"})
_KEPT = AER_GATES | NO_GATES
_WITHOUT_EFFECT = frozenset({"barrier", "delay", "id", "global_phase"})
_LOOPS_AND_BRANCHES = frozenset({"if_else", "for_loop", "while_loop"})
BRANCHES = _LOOPS_AND_BRANCHES | {"break_loop", "continue_loop"}
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
    def depth(self) -> int:
        """The circuit's depth; control-flow blocks count as one operation."""
        depth: int = self.circuit.depth()
        return depth

    @property
    def has_control_flow(self) -> bool:
        return not _LOOPS_AND_BRANCHES.isdisjoint(self.operations)

    def final_measurements(self) -> Sequence[tuple[int, int]] | None:
        """The measured qubits with the bits they go to, as indices, if nothing follows upon any measurement.

        That is: no reset, no control flow, no computing on bits, no operation on a qubit that was measured, and no bit
        written twice. Then the outcome is a sample of the final distribution. Otherwise None.
        """
        if self.has_control_flow or self.operations["reset"] or self.operations["store"]:
            return None
        found: dict[Any, Any] = {}
        for instruction in self.circuit.data:
            if not found.keys().isdisjoint(instruction.qubits):
                return None
            if instruction.operation.name == "measure":
                found[instruction.qubits[0]] = instruction.clbits[0]
        if len(set(found.values())) != len(found):
            return None
        index = self.circuit.find_bit
        return [(index(qubit).index, index(clbit).index) for qubit, clbit in found.items()]


def lower(circuit: Any, max_operations: int, genuine: _IsGenuine | None = None) -> Lowered:
    """Inline definitions, drop what has no effect, and leave out qubits that no measurement can see.

    With `genuine`, an operation that is not so is inlined whatever its name is.

    Raises:
        ProgramUnsupported: nothing is measured.
        ProgramTooLarge: it comes to more than `max_operations` operations.
    """
    lowered = _inlined(circuit, max_operations, genuine)
    if not lowered.operations["measure"]:
        raise ProgramUnsupported(
            "nothing is measured, so there are no counts: declare bits and measure into them, "
            "for instance 'bit[2] c; c = measure q;'"
        )
    _leave_out_unseen(lowered, set())
    return lowered


def lower_observed(
    circuit: Any, max_operations: int, qubits: Collection[int], genuine: _IsGenuine | None = None
) -> Lowered:
    """As `lower`, for a circuit whose final state is looked at on these qubits, by index, and not measured.

    Raises:
        ObservablesInvalid: its final state is not one pure state: it measures, resets or branches.
        ProgramTooLarge: it comes to more than `max_operations` operations.
    """
    lowered = _inlined(circuit, max_operations, genuine)
    _leave_out_first_resets(lowered)
    for what in ("measure", "reset", "store", *_LOOPS_AND_BRANCHES):
        if lowered.operations[what]:
            raise ObservablesInvalid(
                f"observables are computed for the state a circuit ends in, and this one has '{what}': "
                "leave measurements, resets and branches out, or ask for counts"
            )
    _leave_out_unseen(lowered, {circuit.qubits[qubit] for qubit in qubits})
    return lowered


def _inlined(circuit: Any, max_operations: int, genuine: _IsGenuine | None) -> Lowered:
    lowered = Lowered(circuit)
    if genuine is None and _KEPT.issuperset(circuit.count_ops()):
        lowered.operations.update(circuit.count_ops())
    else:
        lowered.circuit = _Lowering(lowered.operations, max_operations, genuine=genuine).rewrite(circuit)
    return lowered


def restrict(lowered: Lowered, gates: frozenset[str], max_operations: int) -> Lowered:
    """The same circuit with only these gates, for a method that has fewer than Aer's others.

    Raises:
        ProgramUnsupported: a gate cannot be made of them.
        ProgramTooLarge: it comes to more than `max_operations` operations.
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
        ProgramTooLarge: it comes to more than `max_operations` operations.
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

        def append(operation: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
            self._count(operation.name)
            result.append(operation, qubits, clbits, copy=False)

        for instruction in circuit.data:
            self._lower(instruction.operation, instruction.qubits, instruction.clbits, append)
        return result

    def _lower(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        name = operation.name
        genuine = self._genuine is None or self._genuine(operation)
        if genuine and name in self._kept:
            append(operation, qubits, clbits)
        elif isinstance(operation, ControlFlowOp) and name != "box":
            self._rewrite_blocks(operation, qubits, clbits, append)
        elif not genuine or name not in _WITHOUT_EFFECT:
            self._expand(operation, qubits, clbits, append)

    def _rewrite_blocks(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        if self._depth:
            # Its condition names bits of the definition that it stands in.
            raise ProgramUnsupported(f"'{operation.name}' inside of a box or an instruction is not supported")
        before = self._total
        append(operation.replace_blocks([self.rewrite(block) for block in operation.blocks]), qubits, clbits)
        if operation.name == "for_loop":
            # Aer unrolls it.
            self._spend((self._total - before) * (len(operation.params[0]) - 1))

    def _expand(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any], append: _Append) -> None:
        definition = operation.blocks[0] if operation.name == "box" else getattr(operation, "definition", None)
        if definition is None or self._depth > _DEEPEST_DEFINITION:
            raise ProgramUnsupported(f"'{operation.name}' cannot be simulated by this method")
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
            raise ProgramTooLarge(f"the program comes to more than {self._max_operations} operations")


def _leave_out_first_resets(lowered: Lowered) -> None:
    """Drop resets of qubits that nothing has been done to; whoever prepares a state begins so."""
    if not lowered.operations["reset"]:
        return
    touched: set[Any] = set()
    kept: list[Any] = []
    for instruction in lowered.circuit.data:
        if instruction.operation.name == "reset" and touched.isdisjoint(instruction.qubits):
            lowered.operations["reset"] -= 1
        else:
            touched.update(instruction.qubits)
            kept.append(instruction)
    lowered.circuit = _rebuild(lowered.circuit, lowered.circuit.qubits, kept)


def _leave_out_unseen(lowered: Lowered, seen: set[Any]) -> None:
    """Keep the qubits, and outside of control flow the operations, that some measurement, or what is `seen`, needs."""
    circuit = lowered.circuit
    kept: list[Any] = []
    for instruction in reversed(circuit.data):
        name = instruction.operation.name
        if lowered.has_control_flow or name == "measure" or not seen.isdisjoint(instruction.qubits):
            seen.update(instruction.qubits)
            kept.append(instruction)
        else:
            lowered.operations[name] -= 1
    if len(seen) == circuit.num_qubits and len(kept) == len(circuit.data):
        return
    lowered.operations = +lowered.operations
    lowered.circuit = _rebuild(circuit, [qubit for qubit in circuit.qubits if qubit in seen], kept[::-1])


def _rebuild(circuit: Any, qubits: Sequence[Any], instructions: Sequence[Any]) -> Any:
    result = QuantumCircuit(qubits, circuit.clbits)
    for register in circuit.cregs:
        result.add_register(register)
    for instruction in instructions:
        result.append(instruction, copy=False)
    return result
