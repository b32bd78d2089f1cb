"""Writes a flat program as QPY, Qiskit's binary format of circuits. Used by `conversion.py`."""

import io
import re
from collections.abc import Mapping
from typing import Any

from qiskit import qpy
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit.qpy.common import QPY_VERSION

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.circuits.qpy import VERSIONS
from ketline.domain.results.conversion import ConversionOutput
from ketline.domain.results.result import ProgramWarning, WarningCode
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
from ketline.execution.conversion.text import base64_bytes, too_large

# All gates of a fixed number of qubits, and gates given by matrices, by their names in circuits.
GATES = frozenset(gate.qiskit_name for gate in GATE_TABLE if gate.qubits) | {"unitary"}
_VERSION = min(QPY_VERSION, VERSIONS[-1])
_ANY_NAME = re.compile(".+", re.DOTALL)
_SCRATCH = "measured"
_JOINED = {"&": expr.bit_and, "|": expr.bit_or, "^": expr.bit_xor}


def write_qpy(program: FlatProgram, max_bytes: int) -> ConversionOutput:
    """A QPY file with the circuit of a program.

    Bits that the program needs in addition to its registers are a register of their own, the last one.

    Raises:
        ProgramTooLarge: the file takes more than `max_bytes` as base64.
    """
    writer = _Writer(program)
    file = io.BytesIO()
    qpy.dump(writer.circuit(), file, version=_VERSION)
    data = file.getvalue()
    if base64_bytes(data) > max_bytes:
        raise too_large(max_bytes)
    return ConversionOutput(content=data, warnings=writer.warnings)


class _Writer:
    def __init__(self, program: FlatProgram) -> None:
        self._program = program
        self._layout = layout_of(program)
        names = OutputNames(_ANY_NAME, ())
        self._circuit = QuantumCircuit(name="program")
        for one, name in zip(program.registers, names.of_registers(program.registers, "c"), strict=True):
            self._circuit.add_register(ClassicalRegister(one.bits, name))
        for one, name in zip(program.qubit_registers, names.of_registers(program.qubit_registers, "q"), strict=True):
            self._circuit.add_register(QuantumRegister(one.bits, name))
        self.warnings = names.warnings
        self._registers = dict(zip(spans(program.registers), self._circuit.cregs, strict=True))
        self._output_bits = list(self._circuit.clbits)
        self._bits = self._held(names)

    def _held(self, names: OutputNames) -> Mapping[int, Any]:
        """The circuit's bit that holds each bit of the program."""
        bits = {bit: self._output_bits[number] for bit, number in self._layout.output_bits.items()}
        if scratch := self._layout.scratch:
            register = ClassicalRegister(len(scratch), names.free(_SCRATCH))
            self._circuit.add_register(register)
            bits |= {bit: register[number] for bit, number in scratch.items()}
            message = f"the circuit has a register '{register.name}' for bits that the program's own are computed from"
            self.warnings.append(ProgramWarning(code=WarningCode.CONVERSION_DIFFERS, message=message))
        return bits

    def circuit(self) -> Any:
        self._block(self._program.statements)
        for number, value in self._layout.final:
            self._circuit.store(self._output_bits[number], self._value(value))
        return self._circuit

    def _block(self, block: Block) -> None:
        for statement in block:
            match statement:
                case Branch(condition, then, otherwise):
                    with self._circuit.if_test(self._condition(condition)) as alternative:
                        self._block(then)
                    if otherwise:
                        with alternative:
                            self._block(otherwise)
                case Loop(condition, body):
                    with self._circuit.while_loop(self._condition(condition)):
                        self._block(body)
                case _:
                    self._simple(statement)

    def _simple(self, statement: Statement) -> None:
        match statement:
            case Apply(_, _, qubits, gate):
                self._circuit.append(gate, qubits, copy=False)
            case Measure(qubit, bit):
                self._circuit.measure(qubit, self._bits[bit])
            case Reset(qubit):
                self._circuit.reset(qubit)
            case Barrier(qubits):
                self._circuit.barrier(*qubits)
            case Assign(bit, value):
                self._circuit.store(self._bits[bit], self._value(value))
            case Break():
                self._circuit.break_loop()
            case Continue():
                self._circuit.continue_loop()

    def _condition(self, formula: Formula) -> Any:
        """A formula as a condition, a comparison where that is possible."""
        match formula:
            case Bit(index):
                return self._bits[index], True
            case Not(Bit(index)):
                return self._bits[index], False
            case Equals(bits, value):
                numbers = tuple(self._layout.output_bits.get(bit, -1) for bit in bits)
                if numbers in self._registers:
                    return self._registers[numbers], value
        return self._value(formula)

    def _value(self, formula: Formula) -> Any:
        match formula:
            case bool():
                return expr.lift(formula)
            case Bit(index):
                return expr.lift(self._bits[index])
            case Not(operand):
                return expr.bit_not(self._value(operand))
            case Binary(operator, left, right):
                return _JOINED[operator](self._value(left), self._value(right))
            case Equals():
                return self._value(formula.expanded())
