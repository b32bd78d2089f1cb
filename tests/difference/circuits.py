"""What programs are as circuits of Qiskit, with its expressions as conditions."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qiskit import qpy
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types

from tests.difference.c99 import Scope, evaluate
from tests.difference.language import (
    Apply,
    Binary,
    Bit,
    Cast,
    Expression,
    For,
    If,
    Leave,
    Measure,
    Name,
    Number,
    Pi,
    Program,
    Statement,
    Unary,
    While,
    Whole,
)

_CONDITIONS: Mapping[str, Callable[[Any, Any], expr.Expr]] = {
    "==": expr.equal,
    "!=": expr.not_equal,
    "<": expr.less,
    "<=": expr.less_equal,
    ">": expr.greater,
    ">=": expr.greater_equal,
    "&&": expr.logic_and,
    "||": expr.logic_or,
    "&": expr.bit_and,
    "|": expr.bit_or,
    "^": expr.bit_xor,
}


def qpy_text(program: Program) -> str:
    """The circuit in QPY, as a task has it."""
    file = io.BytesIO()
    qpy.dump(_Writer(program).circuit, file)
    return base64.b64encode(file.getvalue()).decode()


class _Writer:
    def __init__(self, program: Program) -> None:
        self._registers = {name: ClassicalRegister(width, name) for name, width in program.registers}
        self.circuit = QuantumCircuit(QuantumRegister(program.qubits, "q"), *self._registers.values())
        self._parameters: dict[str, Parameter] = {}
        self._write(program.body)

    def _write(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: Statement) -> None:
        match node:
            case Apply(gate, arguments, qubits):
                places = [int(evaluate(qubit, Scope({}, {}, {})).number) for qubit in qubits]
                getattr(self.circuit, gate)(*map(self._angle, arguments), *places)
            case Measure(qubit, register, place):
                self.circuit.measure(qubit, self._registers[register][place])
            case If(condition, then, otherwise):
                with self.circuit.if_test(self._condition(condition)) as otherwise_:
                    self._write(then)
                if otherwise:
                    with otherwise_:
                        self._write(otherwise)
            case For():
                self._loop(node)
            case While(condition, body):
                with self.circuit.while_loop(self._condition(condition)):
                    self._write(body)
            case Leave("break"):
                self.circuit.break_loop()
            case Leave("continue"):
                self.circuit.continue_loop()
            case _:
                raise AssertionError(node)

    def _loop(self, node: For) -> None:
        values = [int(evaluate(one, Scope({}, {}, {})).number) for one in node.values]
        if node.is_range:
            start, step, end = values
            values = list(range(start, end + (1 if step > 0 else -1), step))
        self._parameters[node.name] = Parameter(node.name)
        with self.circuit.for_loop(values, self._parameters[node.name]):
            self._write(node.body)

    def _angle(self, node: Expression) -> Any:
        match node:
            case Binary("/", Binary("*", Name(name), Pi()), Number(divisor)):
                return self._parameters[name] * evaluate(Pi(), Scope({}, {}, {})).number / divisor
        return float(evaluate(node, Scope({}, {}, {})).number)

    def _condition(self, node: Expression) -> Any:
        match node:
            case Number(value):
                return value
            case Bit(register, place):
                return expr.lift(self._registers[register][place])
            case Whole(register):
                return expr.lift(self._registers[register])
            case Cast(_, operand):
                return expr.cast(self._condition(operand), types.Bool())
            case Unary("!", operand):
                return expr.logic_not(self._condition(operand))
            case Binary(sign, left, right):
                return _CONDITIONS[sign](self._condition(left), self._condition(right))
        raise AssertionError(node)
