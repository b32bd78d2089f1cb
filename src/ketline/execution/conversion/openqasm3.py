"""Writes a flat program as OpenQASM 3. Used by `conversion.py`.

Where the bits of the registers are computed from others, these are declared as a register of their own, and the
program's registers as its outputs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ketline.domain.circuits.gates import Origin, gates_from
from ketline.domain.results.conversion import ConversionOutput
from ketline.domain.results.result import Register
from ketline.execution.conversion.formulas import Binary, Bit, Equals, Formula, Not
from ketline.execution.conversion.layout import layout_of
from ketline.execution.conversion.names import OutputNames
from ketline.execution.conversion.registers import spans
from ketline.execution.conversion.statements import (
    Apply,
    Assign,
    Barrier,
    Block,
    Branch,
    Break,
    Continue,
    FlatProgram,
    Loop,
    Measure,
    Reset,
    Statement,
)
from ketline.execution.conversion.text import TextWriter
from ketline.execution.frontend.scanner.constants import CONSTANTS, FUNCTIONS
from ketline.execution.frontend.scanner.lexicon import IDENTIFIER, KEYWORDS

_STANDARD = frozenset(gate.name for gate in gates_from(Origin.STANDARD))
# The gates that this writer takes, by their names in circuits.
GATES = frozenset(gate.qiskit_name for gate in gates_from(Origin.STANDARD)) | {"u"}
_WRITTEN = {"u": "U"}
_RESERVED = KEYWORDS | CONSTANTS.keys() | FUNCTIONS.keys() | _STANDARD | {"U"}
_NAME = re.compile(IDENTIFIER)


def write_openqasm3(program: FlatProgram, max_bytes: int) -> ConversionOutput:
    """The text of a program, with one statement on each line.

    Raises:
        ProgramTooLarge: it is longer than `max_bytes`.
    """
    return _Writer(program, max_bytes).output()


@dataclass(frozen=True, slots=True)
class _Declaration:
    """A declaration: its type, its name, and the numbers of its qubits or bits among all of the program."""

    kind: str
    name: str
    numbers: tuple[int, ...]

    @property
    def elements(self) -> Sequence[str]:
        """The elements as operands."""
        if "[" not in self.kind:
            return [self.name]
        return [f"{self.name}[{number}]" for number in range(len(self.numbers))]


class _Writer:
    def __init__(self, program: FlatProgram, max_bytes: int) -> None:
        self._program = program
        self._text = TextWriter(max_bytes)
        self._names = OutputNames(_NAME, _RESERVED)
        self._layout = layout_of(program)
        self._bit_declarations = self._declarations(program.registers, program.single_bits, "bit", "c")
        self._qubit_declarations = self._declarations(program.qubit_registers, program.single_qubits, "qubit", "q")
        self._output_bits = [name for one in self._bit_declarations for name in one.elements]
        self._qubits = [name for one in self._qubit_declarations for name in one.elements]
        self._bits: dict[int, str] = {
            bit: self._output_bits[number] for bit, number in self._layout.output_bits.items()
        }
        self._registers = {one.numbers: one.name for one in self._bit_declarations}

    def output(self) -> ConversionOutput:
        self._text.line("OPENQASM 3.0;")
        self._text.line('include "stdgates.inc";')
        self._declare()
        self._block(self._program.statements)
        for number, value in self._layout.final:
            self._text.line(f"{self._output_bits[number]} = {self._value(value)};")
        return ConversionOutput(content=self._text.text(), warnings=self._names.warnings)

    def _declare(self) -> None:
        for one in self._qubit_declarations:
            self._text.line(f"{one.kind} {one.name};")
        scratch = self._layout.scratch
        for one in self._bit_declarations:
            self._text.line(f"{'output ' if scratch else ''}{one.kind} {one.name};")
        if scratch:
            name = self._names.free("measured")
            self._text.line(f"bit[{len(scratch)}] {name};")
            self._bits |= {bit: f"{name}[{number}]" for bit, number in scratch.items()}

    def _declarations(
        self, registers: Sequence[Register], singles: Mapping[int, str], kind: str, stem: str
    ) -> list[_Declaration]:
        """The declarations of registers, or of their elements where these were declared one by one."""
        found: list[_Declaration] = []
        for register, numbers in zip(registers, spans(registers), strict=True):
            # A register may begin where its name is known; only single elements are known one by one.
            if (register.name is None or kind == "bit") and all(number in singles for number in numbers):
                found += [_Declaration(kind, self._names.of(singles[number], stem), (number,)) for number in numbers]
            else:
                name = self._names.of(register.name, stem)
                found.append(_Declaration(f"{kind}[{register.bits}]", name, numbers))
        return found

    def _block(self, block: Block) -> None:
        for statement in block:
            match statement:
                case Branch(condition, then, otherwise):
                    self._nested(f"if ({self._condition(condition)}) {{", then)
                    if otherwise:
                        self._nested("} else {", otherwise)
                    self._text.line("}")
                case Loop(condition, body):
                    self._nested(f"while ({self._condition(condition)}) {{", body)
                    self._text.line("}")
                case _:
                    self._text.line(self._simple(statement))

    def _simple(self, statement: Statement) -> str:
        match statement:
            case Apply(name, angles, qubits, _):
                arguments = f"({', '.join(map(repr, angles))})" if angles else ""
                return f"{_WRITTEN.get(name, name)}{arguments} {self._operands(qubits)};"
            case Measure(qubit, bit):
                return f"{self._bits[bit]} = measure {self._qubits[qubit]};"
            case Reset(qubit):
                return f"reset {self._qubits[qubit]};"
            case Barrier(qubits):
                return f"barrier {self._operands(qubits)};"
            case Assign(bit, value):
                return f"{self._bits[bit]} = {self._value(value)};"
            case Break():
                return "break;"
            case Continue():
                return "continue;"
        raise AssertionError(statement)

    def _nested(self, head: str, block: Block) -> None:
        self._text.line(head)
        self._text.depth += 1
        self._block(block)
        self._text.depth -= 1

    def _operands(self, qubits: Sequence[int]) -> str:
        return ", ".join(self._qubits[qubit] for qubit in qubits)

    def _condition(self, formula: Formula) -> str:
        """A formula as a condition: comparisons and single bits as Qiskit's importer reads them."""
        match formula:
            case Equals(bits, value):
                numbers = tuple(self._layout.output_bits.get(bit, -1) for bit in bits)
                if numbers in self._registers:
                    return f"{self._registers[numbers]} == {value}"
            case Not(Bit(index)):
                return f"!{self._bits[index]}"
        return self._value(formula)

    def _value(self, formula: Formula) -> str:
        match formula:
            case bool():
                return "true" if formula else "false"
            case Bit(index):
                return self._bits[index]
            case Not(operand):
                return f"~{self._operand(operand)}"
            case Binary(operator, left, right):
                return f"{self._operand(left)} {operator} {self._operand(right)}"
            case Equals():
                return self._value(formula.expanded())

    def _operand(self, formula: Formula) -> str:
        text = self._value(formula)
        return text if isinstance(formula, (bool, Bit, Not)) else f"({text})"
