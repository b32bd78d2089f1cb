"""Writes a flat program as OpenQASM 2, which has conditions on whole registers and no other classical operations.

`conversion.py` calls it.

Source: A. W. Cross et al., "Open Quantum Assembly Language", arXiv:1707.03429, also for the gates of qelib1.inc.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from ketline.domain.errors import ProgramUnsupported
from ketline.domain.results.conversion import ConversionOutput
from ketline.execution.conversion.formulas import Binary, Bit, Equals, Formula, Not
from ketline.execution.conversion.layout import layout_of
from ketline.execution.conversion.names import OutputNames
from ketline.execution.conversion.registers import elements, spans
from ketline.execution.conversion.statements import (
    Apply,
    Assign,
    Barrier,
    Block,
    Branch,
    FlatProgram,
    Loop,
    Measure,
    Reset,
    Statement,
)
from ketline.execution.conversion.text import TextWriter

_LIBRARY = frozenset(
    "u3 u2 u1 cx id x y z h s sdg t tdg rx ry rz cz cy ch ccx crz cu1 cu3".split()  # noqa: SIM905 - one list, one line
)
_WRITTEN = {"u": "u3", "p": "u1", "cp": "cu1"}
# The gates that this writer takes, by their names in circuits.
GATES = _LIBRARY | _WRITTEN.keys()
_KEYWORDS = frozenset(
    "OPENQASM include qreg creg gate opaque barrier measure reset if pi sin cos tan exp ln sqrt U CX".split()  # noqa: SIM905
)
_NAME = re.compile("[a-z][A-Za-z0-9_]*")


def write_openqasm2(program: FlatProgram, max_bytes: int) -> ConversionOutput:
    """Return the text of a program, with one statement on each line.

    Raises:
        ProgramUnsupported: OpenQASM 2 cannot express a statement; the error has its line and column.
        ProgramTooLarge: the text is longer than `max_bytes`.
    """
    return _Writer(program, max_bytes).output()


class _Inexpressible(Exception):
    """The statement that is being written has no form in OpenQASM 2; the message says why."""


class _Writer:
    def __init__(self, program: FlatProgram, max_bytes: int) -> None:
        self._program = program
        self._text = TextWriter(max_bytes)
        self._names = OutputNames(_NAME, _KEYWORDS | _LIBRARY)
        self._layout = layout_of(program)
        self._bit_names = self._names.of_registers(program.registers, "c")
        self._qubit_names = self._names.of_registers(program.qubit_registers, "q")
        self._qubits = list(elements(program.qubit_registers, self._qubit_names))
        self._output_bits = list(elements(program.registers, self._bit_names))
        self._registers = dict(zip(spans(program.registers), self._bit_names, strict=True))
        self._qubit_registers = dict(zip(spans(program.qubit_registers), self._qubit_names, strict=True))

    def output(self) -> ConversionOutput:
        self._reject_computed_bits()
        self._text.line("OPENQASM 2.0;")
        self._text.line('include "qelib1.inc";')
        for register, name in zip(self._program.qubit_registers, self._qubit_names, strict=True):
            self._text.line(f"qreg {name}[{register.bits}];")
        for register, name in zip(self._program.registers, self._bit_names, strict=True):
            self._text.line(f"creg {name}[{register.bits}];")
        for number, statement in enumerate(self._program.statements):
            try:
                for line in self._lines(statement):
                    self._text.line(line)
            except _Inexpressible as error:
                raise _rejected(str(error), self._program, number) from error
        return ConversionOutput(content=self._text.text(), warnings=self._names.warnings)

    def _reject_computed_bits(self) -> None:
        scratch = self._layout.scratch
        if scratch:
            first = min(self._layout.first_use[bit] for bit in scratch)
            raise _rejected("it has no variables besides the registers that are counted", self._program, first)
        for number, _ in self._layout.final:
            raise _rejected(
                f"it has no assignments, and '{self._output_bits[number]}' is assigned a value", self._program
            )

    def _lines(self, statement: Statement) -> Iterator[str]:
        match statement:
            case Branch(condition, then, otherwise):
                register, value = self._condition(condition)
                yield from self._conditional(register, value, then)
                if otherwise:
                    self._require_negatable(register, then)
                    yield from self._conditional(register, 1 - value, otherwise)
            case Barrier(qubits):
                yield f"barrier {self._operands(qubits)};"
            case _:
                yield self._operation(statement)

    def _conditional(self, register: tuple[int, ...], value: int, block: Block) -> Iterator[str]:
        """Yield each operation of a block under the condition; only the last one may write the condition's register."""
        operations = [one for one in block if not isinstance(one, Barrier)]
        if names := self._measured_registers(operations):
            yield f"if({self._registers[register]}=={value}) measure {names[0]} -> {names[1]};"
            return
        if self._writes(operations[:-1], register):
            raise _Inexpressible("a branch measures into the register of its condition, and goes on")
        for operation in operations:
            yield f"if({self._registers[register]}=={value}) {self._operation(operation)}"

    def _measured_registers(self, operations: Sequence[Statement]) -> tuple[str, str] | None:
        """The names of the qubit register and the bit register if these operations measure all of one into the other.

        None otherwise. Such a measurement is a single conditional statement, however many bits it writes.
        """
        measured = [one for one in operations if isinstance(one, Measure)]
        if len(measured) != len(operations) or len(measured) < 2:
            return None
        qubits = self._qubit_registers.get(tuple(one.qubit for one in measured))
        bits = self._registers.get(tuple(self._layout.output_bits[one.bit] for one in measured))
        return None if qubits is None or bits is None else (qubits, bits)

    def _require_negatable(self, register: tuple[int, ...], then: Block) -> None:
        if len(register) > 1 or self._writes(then, register):
            raise _Inexpressible("it has no 'else', except for a condition on a register of one bit")

    def _writes(self, operations: Sequence[Statement], register: Collection[int]) -> bool:
        measured = (one.bit for one in operations if isinstance(one, Measure))
        return any(self._layout.output_bits[bit] in register for bit in measured)

    def _operation(self, statement: Statement) -> str:
        match statement:
            case Apply(name, angles, qubits, _):
                arguments = f"({','.join(map(_number, angles))})" if angles else ""
                return f"{_WRITTEN.get(name, name)}{arguments} {self._operands(qubits)};"
            case Measure(qubit, bit):
                return f"measure {self._qubits[qubit]} -> {self._output_bits[self._layout.output_bits[bit]]};"
            case Reset(qubit):
                return f"reset {self._qubits[qubit]};"
            case Assign():
                raise _Inexpressible("it has no assignments of bits")
            case Branch():
                raise _Inexpressible("it has no branches within branches")
            case Loop():
                raise _Inexpressible("it has no loops")
        raise _Inexpressible("it has no such statement")

    def _condition(self, formula: Formula) -> tuple[tuple[int, ...], int]:
        """The register that a condition compares, by the numbers of its bits, and the value."""
        literals = _literals(formula)
        if literals is not None:
            values = {self._layout.output_bits[bit]: value for bit, value in literals.items()}
            register = tuple(sorted(values))
            if register in self._registers:
                return register, sum(values[number] << index for index, number in enumerate(register))
        raise _Inexpressible("it has only conditions on whole registers, such as 'if (c == 1)'")

    def _operands(self, qubits: Sequence[int]) -> str:
        return ",".join(self._qubits[qubit] for qubit in qubits)


def _literals(formula: Formula) -> dict[int, bool] | None:
    """The values that a conjunction requires of bits; None for other formulas."""
    match formula:
        case Bit(index):
            return {index: True}
        case Not(Bit(index)):
            return {index: False}
        case Equals():
            return {bit: bool(formula.value >> index & 1) for index, bit in enumerate(formula.bits)}
        case Binary("&", left, right):
            one, other = _literals(left), _literals(right)
            if one is not None and other is not None and not one.keys() & other.keys():
                return one | other
    return None


def _number(angle: float) -> str:
    """A number with a decimal point, which the grammar requires before an exponent."""
    text = repr(angle)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _rejected(reason: str, program: FlatProgram, statement: int | None = None) -> ProgramUnsupported:
    place = None if statement is None or statement >= len(program.statements) else program.place(statement)
    line, column = place or (None, None)
    message = f"the program cannot be converted to OpenQASM 2: {reason}; convert it to 'openqasm3'"
    return ProgramUnsupported(message, line=line, column=column)
