"""The qubits and bits of a flat program in the order of their declarations, of which Qiskit's circuit is made.

`registers.py` fills it, and `branches.py` makes the branches of its circuit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

from qiskit.circuit import (
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    IfElseOp,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.classical import expr, types

from ketline.execution.circuit.operations import Step, instruction_of
from ketline.execution.circuit.plain import PlainCircuit

_BOOL = types.Bool()


@dataclass(slots=True)
class Block:
    """The operations and global phases of a program or of a block; `written` if it has a statement."""

    steps: list[Step] = field(default_factory=list)
    phases: list[float] = field(default_factory=list)
    written: bool = False


class Comparison(NamedTuple):
    """A bit, or all bits of a register, by index, and the value with which it is compared."""

    target: int | tuple[int, ...]
    value: int

    @property
    def bits(self) -> tuple[int, ...]:
        return self.target if isinstance(self.target, tuple) else (self.target,)


class Condition(NamedTuple):
    """One or more comparisons, of which all have to hold, or with `is_any` at least one."""

    comparisons: tuple[Comparison, ...]
    is_any: bool = False

    @property
    def bits(self) -> tuple[int, ...]:
        return tuple(bit for comparison in self.comparisons for bit in comparison.bits)

    @property
    def registers(self) -> tuple[int, ...]:
        """The first bit of the register, if a register is all that is compared."""
        target = self.comparisons[0].target
        return target[:1] if len(self.comparisons) == 1 and isinstance(target, tuple) else ()


class Branch(NamedTuple):
    """A branch instead of Qiskit's; `registers` are those of its conditions and of the branches in it."""

    condition: Condition
    blocks: Sequence[Block]
    registers: Sequence[int]


def branch_step(condition: Condition, blocks: Sequence[Block]) -> Step:
    """A branch as a step on the qubits and bits that it uses; its source is a `Branch`."""
    inner = [step for block in blocks for step in block.steps]
    registers = dict.fromkeys(condition.registers)
    for step in inner:
        if isinstance(step[4], Branch):
            registers.update(dict.fromkeys(step[4].registers))
    qubits = dict.fromkeys([qubit for step in inner for qubit in step[1]])
    bits = dict.fromkeys([*condition.bits, *(bit for step in inner for bit in step[2])])
    return "if_else", tuple(qubits), tuple(bits), (), Branch(condition, blocks, tuple(registers))


class Layout:
    """The declared registers and single bits of a program, for its circuit."""

    def __init__(self) -> None:
        self.num_qubits = 0
        self.num_clbits = 0
        self._qubits: list[tuple[int, str | None]] = []
        self._bits: list[tuple[int, str | None]] = []

    def add_qubits(self, width: int, register: str | None = None) -> None:
        """Add a register of this name, or without a name single qubits."""
        self.num_qubits += width
        self._qubits.append((width, register))

    def add_bits(self, width: int, register: str | None = None) -> None:
        """Add a register of this name, or without a name single bits."""
        self.num_clbits += width
        self._bits.append((width, register))

    def plain(self, program: Block) -> PlainCircuit:
        """The circuit of a program on these qubits and bits."""
        if not any(isinstance(step[4], Branch) for step in program.steps):
            return PlainCircuit(
                self.num_qubits, self.num_clbits, lambda: program.steps, lambda: self._filled(program).circuit
            )
        filled = self._filled(program)
        return PlainCircuit(self.num_qubits, self.num_clbits, lambda: filled.steps, lambda: filled.circuit)

    def _filled(self, program: Block) -> "_Filled":
        circuit = QuantumCircuit(name="program")  # generating a name takes longer
        data = circuit._data  # noqa: SLF001 - `add_register` and `append` check again what the scanner checked
        for width, name in self._qubits:
            if name is None:
                circuit.add_bits([Qubit() for _ in range(width)])
            else:
                data.add_qreg(QuantumRegister(width, name))
        registers: dict[int, ClassicalRegister] = {}
        for width, name in self._bits:
            if name is None:
                circuit.add_bits([Clbit() for _ in range(width)])
            else:
                registers[circuit.num_clbits] = register = ClassicalRegister(width, name)
                data.add_creg(register)
        return _Filled(circuit, _Writer(circuit.qubits, circuit.clbits, registers).fill(circuit, program))


def _joined(sign: Any, expressions: Sequence[Any]) -> Any:
    return reduce(lambda left, right: expr.Binary(sign, left, right, _BOOL), expressions)


class _Filled(NamedTuple):
    """Qiskit's circuit of a program, and its steps, with Qiskit's branches."""

    circuit: Any
    steps: Sequence[Step]


class _Writer(NamedTuple):
    """Writes steps into Qiskit's circuits, on these qubits and bits; `registers` are by their first bit."""

    qubits: Sequence[Any]
    bits: Sequence[Any]
    registers: dict[int, ClassicalRegister]

    def fill(self, circuit: Any, block: Block) -> Sequence[Step]:
        """Write a block into a circuit that is empty, and return its steps, with Qiskit's branches."""
        steps = [self._branch(step) if isinstance(step[4], Branch) else step for step in block.steps]
        instructions = [instruction_of(step, self._qubits_of(step), self._bits_of(step)) for step in steps]
        circuit._data.extend(instructions)  # noqa: SLF001 - see `Layout._filled`
        for phase in block.phases:
            circuit.global_phase += phase
        return steps

    def _branch(self, step: Step) -> Step:
        name, operands, written, parameters, branch = step
        qubits, bits = self._qubits_of(step), self._bits_of(step)
        bodies = [QuantumCircuit(qubits, bits, name="block") for _ in branch.blocks]
        for block, body in zip(branch.blocks, bodies, strict=True):
            for first in branch.registers:
                body._data.add_creg(self.registers[first])  # noqa: SLF001 - as for the circuit
            self.fill(body, block)
        branching = IfElseOp(self._condition(branch.condition), *bodies)
        return name, operands, written, parameters, CircuitInstruction(branching, qubits, bits)

    def _condition(self, condition: Condition) -> Any:
        """A condition as Qiskit has it: of one comparison a pair, of several an expression."""
        if len(condition.comparisons) > 1:
            sign = expr.Binary.Op.BIT_OR if condition.is_any else expr.Binary.Op.BIT_AND
            return _joined(sign, [self._expression(comparison) for comparison in condition.comparisons])
        target, value = condition.comparisons[0]
        return (self.registers[target[0]], value) if isinstance(target, tuple) else (self.bits[target], bool(value))

    def _expression(self, comparison: Comparison) -> Any:
        variables = [expr.Var(self.bits[bit], _BOOL) for bit in comparison.bits]
        wanted = [bool(comparison.value >> number & 1) for number in range(len(variables))]
        equal = [
            variable if value else expr.Unary(expr.Unary.Op.BIT_NOT, variable, _BOOL)
            for variable, value in zip(variables, wanted, strict=True)
        ]
        return _joined(expr.Binary.Op.BIT_AND, equal)

    def _qubits_of(self, step: Step) -> Sequence[Any]:
        return [self.qubits[qubit] for qubit in step[1]]

    def _bits_of(self, step: Step) -> Sequence[Any]:
        return [self.bits[bit] for bit in step[2]]
