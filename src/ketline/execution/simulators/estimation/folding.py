"""Folds circuits: adds gates and their inverses, which makes the noise stronger and keeps the unitary.

Source: T. Giurgica-Tiron et al., "Digital zero noise extrapolation for quantum error mitigation", IEEE QCE (2020),
section III.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from qiskit.circuit import ControlFlowOp, Gate

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.mitigation import Extrapolation, Folding, ZeroNoise
from ketline.execution.circuit.idling import is_idling
from ketline.execution.circuit.located import LocatedQubits
from ketline.execution.circuit.operations import count_with_blocks, steps_of
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program


class Folded(NamedTuple):
    """A program with `scale_factor` times as many gates as the original."""

    program: Program
    scale_factor: float


def folded_programs(program: Program, zne: ZeroNoise, max_operations: int) -> Sequence[Folded]:
    """The programs of an extrapolation, in the order of its scale factors.

    Raises:
        ProgramUnsupported: as `folded` does, or the program has too few gates for enough different factors.
        ProgramTooLarge: as `folded` does.
    """
    found = [folded(program, factor, zne.folding, max_operations) for factor in zne.scale_factors]
    order = {Extrapolation.POLYNOMIAL: zne.order, Extrapolation.RICHARDSON: len(found) - 1}.get(zne.extrapolation, 1)
    different = {one.scale_factor for one in found}
    if len(different) <= order:
        raise ProgramUnsupported(
            f"the program has so few gates that it has only {len(different)} of these scale factors: use odd numbers"
        )
    return found


def folded(program: Program, scale_factor: float, folding: Folding, max_operations: int) -> Folded:
    """A program to which gates and their inverses are added, so that it has about `scale_factor` times as many gates.

    `global` appends the inverse of the whole circuit and the circuit again; a remaining fraction folds only the last
    gates. `local` appends to each gate its inverse and the gate again; a remaining fraction folds evenly spaced gates
    once more.

    Raises:
        ProgramUnsupported: the circuit measures, resets, branches or loops, so that it has no inverse as a whole.
        ProgramTooLarge: the folded program has more than `max_operations` operations.
    """
    circuit = program.lowered.circuit
    gates = _number_of_gates(circuit)
    # Each fold of a gate adds two gates: its inverse and the gate again.
    folds = round((scale_factor - 1) * gates / 2)
    if sum(program.lowered.operations.values()) + 2 * folds > max_operations:
        raise ProgramTooLarge(
            f"the program has more than {max_operations} operations with scale factor {scale_factor:g}: use "
            "smaller ones"
        )
    if not folds:
        return Folded(program, 1.0)
    inverses, qubits = _Inverses(program.located), program.lowered.kept_qubits
    if folding is Folding.GLOBAL:
        made = _whole(circuit, folds, gates, inverses, qubits)
    else:
        made = _Local(folds, gates, inverses).of(circuit, qubits)
    steps = steps_of(made)
    operations: Counter[str] = count_with_blocks(steps)
    lowered = Lowered(plain_of(made), operations, kept_qubits=program.lowered.kept_qubits)
    return Folded(replace(program, lowered=lowered), 1 + 2 * folds / gates)


class _Inverses:
    """Inverts gates; on a device, the inverses consist of the device's gates and are subject to their errors."""

    def __init__(self, located: LocatedQubits | None) -> None:
        self._located = located

    def of(self, instruction: Any, qubits: Sequence[int]) -> Sequence[Any]:
        """Instructions that undo `instruction`; `qubits` are the numbers of its operands in the noise model.

        Raises:
            ProgramUnsupported: the device does not have the inverse of a gate on several qubits.
            DeviceMismatch: the device's gates on this qubit cannot express the inverse.
        """
        if instruction.name == "id" and is_idling(instruction.label):
            return [instruction]
        inverse = instruction.operation.inverse()
        if self._located is None or self._located.has_gate(inverse.name, tuple(qubits)):
            return [instruction.replace(operation=inverse)]
        if len(qubits) > 1:
            raise ProgramUnsupported(
                f"the device has no '{inverse.name}', the inverse of '{instruction.name}', so that circuits are not "
                "folded: leave the extrapolation out"
            )
        return [instruction.replace(operation=gate) for gate in self._located.native([inverse], qubits[0])]

    def of_all(self, instructions: Sequence[Any], numbers: Mapping[Any, int]) -> Iterator[Any]:
        """Instructions that undo all of these, last one first; `numbers` maps Qiskit qubits to noise-model numbers."""
        for instruction in reversed(instructions):
            yield from self.of(instruction, [numbers[qubit] for qubit in instruction.qubits])


def _whole(circuit: Any, folds: int, gates: int, inverses: _Inverses, qubits: Sequence[int]) -> Any:
    for instruction in circuit.data:
        if not isinstance(instruction.operation, Gate):
            raise ProgramUnsupported(
                f"folding 'global' needs a circuit of gates only, and this one has '{instruction.name}': choose 'local'"
            )
    made, data = circuit.copy_empty_like(), list(circuit.data)
    numbers = dict(zip(circuit.qubits, qubits, strict=True))
    whole, part = divmod(folds, gates)
    _append(made, data)
    for last in (*[data] * whole, data[gates - part :]):
        _append(made, inverses.of_all(last, numbers))
        _append(made, last)
    return made


class _Local:
    """Folds the gates of a circuit one by one, including those in control-flow blocks."""

    def __init__(self, folds: int, gates: int, inverses: _Inverses) -> None:
        self._inverses = inverses
        self._each, self._more = divmod(folds, gates)
        self._gates = gates
        self._seen = 0

    def of(self, circuit: Any, qubits: Sequence[int]) -> Any:
        """A copy of a circuit or block with its gates folded; `qubits` are the noise-model numbers of its qubits."""
        made = circuit.copy_empty_like()
        numbers = dict(zip(circuit.qubits, qubits, strict=True))
        for instruction in circuit.data:
            operation, operands = instruction.operation, [numbers[qubit] for qubit in instruction.qubits]
            if isinstance(operation, ControlFlowOp):
                blocks = [self.of(block, operands) for block in operation.blocks]
                _append(made, [instruction.replace(operation=operation.replace_blocks(blocks))])
                continue
            _append(made, [instruction])
            if isinstance(operation, Gate) and (folds := self._folds_of_next()):
                _append(made, [*self._inverses.of(instruction, operands), instruction] * folds)
        return made

    def _folds_of_next(self) -> int:
        before, self._seen = self._seen, self._seen + 1
        is_one_more = self._seen * self._more // self._gates > before * self._more // self._gates
        return self._each + int(is_one_more)


def _append(circuit: Any, instructions: Iterable[Any]) -> None:
    for instruction in instructions:
        circuit.append(instruction, copy=False)


def _number_of_gates(circuit: Any) -> int:
    """The number of gates in a circuit, at least 1; a gate in a control-flow block counts once."""
    return max(1, _gates_in(circuit))


def _gates_in(circuit: Any) -> int:
    found = 0
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            found += sum(map(_gates_in, operation.blocks))
        elif isinstance(operation, Gate):
            found += 1
    return found
