"""Turns a circuit with branches and loops into instructions in a row, with jumps; `run.py` executes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qiskit.circuit.classical import expr

from ketline.execution.circuit.bit_use import bits_in
from ketline.execution.circuit.operations import Step, steps_of
from ketline.execution.simulators.branches.conditions import NotVectorized, Value, value_of


@dataclass(frozen=True, slots=True)
class Gates:
    """Gates, on qubits by index, that are applied one after another."""

    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measure:
    qubit: int
    bit: int


@dataclass(frozen=True, slots=True)
class Reset:
    qubit: int


@dataclass(frozen=True, slots=True)
class Store:
    """Write a bit; `reads` are those on which its value depends, bit n for the circuit's n-th."""

    bit: int
    value: Value
    reads: int = 0


@dataclass(slots=True)
class Jump:
    """Go on at instruction `target`: always, or with a condition only where it does not hold.

    `reads` are the bits on which the condition depends, as those of `Store`.
    """

    unless: Value | None = None
    target: int = -1
    reads: int = 0


Instruction = Gates | Measure | Reset | Store | Jump


def flow_of(steps: Sequence[Step], qubits: int, bits: Sequence[Any]) -> Sequence[Instruction]:
    """The instructions of a lowered circuit, given by its steps; `bits` are Qiskit's, by index.

    Raises:
        NotVectorized: the circuit has an operation or an expression that only Aer evaluates.
    """
    writer = _Writer()
    writer.write(steps, range(qubits), {bit: number for number, bit in enumerate(bits)}, bits)
    return writer.instructions


@dataclass
class _Loop:
    """The jumps that leave a loop, and those that end an iteration; their targets are set where these are known."""

    leaving: list[Jump] = field(default_factory=list)
    ending: list[Jump] = field(default_factory=list)


class _Writer:
    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._loops: list[_Loop] = []
        self._is_target = False

    def write(
        self, steps: Sequence[Step], qubits: Sequence[int], columns: Mapping[Any, int], bits: Sequence[Any]
    ) -> None:
        """Write a circuit or a block, of which qubit j is the outermost circuit's `qubits[j]`.

        `columns` has the outermost index of each of its bits, and `bits` are its own, by index.
        """
        for step in steps:
            name, operands, written, parameters, source = step
            outer = [qubits[operand] for operand in operands]
            match name:
                case "measure":
                    self.instructions.append(Measure(outer[0], columns[bits[written[0]]]))
                case "reset":
                    self.instructions.append(Reset(outer[0]))
                case "store":
                    self._store(source.operation, columns)
                case "if_else":
                    self._branch(source, outer, columns)
                case "while_loop":
                    self._while(source, outer, columns)
                case "for_loop":
                    self._for(source, outer, columns)
                case "break_loop":
                    self._jump_to(self._loops[-1].leaving)
                case "continue_loop":
                    self._jump_to(self._loops[-1].ending)
                case _:
                    self._gate((name, outer, (), parameters, source))

    def _gate(self, step: Step) -> None:
        # A jump may lead to the instruction after it, so gates before and after a jump are never one instruction.
        if not self.instructions or not isinstance(self.instructions[-1], Gates) or self._is_target:
            self.instructions.append(Gates())
            self._is_target = False
        last = self.instructions[-1]
        assert isinstance(last, Gates)
        last.steps.append(step)

    def _store(self, operation: Any, columns: Mapping[Any, int]) -> None:
        target = operation.lvalue
        if not isinstance(target, expr.Var) or target.var not in columns:
            raise NotVectorized
        value = value_of(operation.rvalue, columns)
        self.instructions.append(Store(columns[target.var], value, _reads(operation.rvalue, columns)))

    def _branch(self, source: Any, qubits: Sequence[int], columns: Mapping[Any, int]) -> None:
        operation = source.operation
        skip = self._jump_unless(operation.condition, columns)
        self._block(operation.blocks[0], source, qubits, columns)
        if len(operation.blocks) > 1:
            over = self._jump()
            self._set_here([skip])
            self._block(operation.blocks[1], source, qubits, columns)
            skip = over
        self._set_here([skip])

    def _while(self, source: Any, qubits: Sequence[int], columns: Mapping[Any, int]) -> None:
        start, loop = self._here(), _Loop()
        loop.leaving.append(self._jump_unless(source.operation.condition, columns))
        self._body(source.operation.blocks[0], loop, source, qubits, columns)
        loop.ending.append(self._jump())
        for jump in loop.ending:
            jump.target = start
        self._set_here(loop.leaving)

    def _for(self, source: Any, qubits: Sequence[int], columns: Mapping[Any, int]) -> None:
        values, parameter, body = source.operation.params
        leaving: list[Jump] = []
        for value in values:
            loop = _Loop(leaving)
            bound = body.assign_parameters({parameter: value}) if parameter in body.parameters else body
            self._body(bound, loop, source, qubits, columns)
            self._set_here(loop.ending)
        self._set_here(leaving)

    def _body(self, body: Any, loop: _Loop, source: Any, qubits: Sequence[int], columns: Mapping[Any, int]) -> None:
        self._loops.append(loop)
        self._block(body, source, qubits, columns)
        self._loops.pop()

    def _block(self, block: Any, source: Any, qubits: Sequence[int], columns: Mapping[Any, int]) -> None:
        inner = {own: columns[outer] for own, outer in zip(block.clbits, source.clbits, strict=True)}
        self.write(steps_of(block), qubits, inner, block.clbits)

    def _jump_unless(self, condition: Any, columns: Mapping[Any, int]) -> Jump:
        return self._jump(Jump(value_of(condition, columns), reads=_reads(condition, columns)))

    def _jump(self, jump: Jump | None = None) -> Jump:
        jump = jump or Jump()
        self.instructions.append(jump)
        return jump

    def _jump_to(self, jumps: list[Jump]) -> None:
        jumps.append(self._jump())

    def _here(self) -> int:
        self._is_target = True
        return len(self.instructions)

    def _set_here(self, jumps: Sequence[Jump]) -> None:
        for jump in jumps:
            jump.target = self._here()


def _reads(node: Any, columns: Mapping[Any, int]) -> int:
    return sum(1 << column for column in {columns[bit] for bit in bits_in(node)})
