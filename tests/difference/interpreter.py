"""What Qiskit's circuits with classical values do, one statement after the other, on plain integers.

It shares nothing with the execution path: bits, registers and variables are numbers, qubits are in basis states.
Source: the documentation of `qiskit.circuit.classical.expr` and `qiskit.circuit.controlflow`.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

_Op = expr.Binary.Op
_SIMPLE: Mapping[Any, Callable[[Any, Any], Any]] = {
    _Op.BIT_AND: operator.and_,
    _Op.BIT_OR: operator.or_,
    _Op.BIT_XOR: operator.xor,
    _Op.EQUAL: operator.eq,
    _Op.NOT_EQUAL: operator.ne,
    _Op.LESS: operator.lt,
    _Op.LESS_EQUAL: operator.le,
    _Op.GREATER: operator.gt,
    _Op.GREATER_EQUAL: operator.ge,
    _Op.ADD: operator.add,
    _Op.SUB: operator.sub,
    _Op.MUL: operator.mul,
    _Op.SHIFT_LEFT: operator.lshift,
    _Op.SHIFT_RIGHT: operator.rshift,
}


class Undefined(Exception):
    """A value that Qiskit does not define: a division by 0, an index beyond the end."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


_QUANTUM = frozenset({"barrier", "cx", "h", "measure", "reset", "x"})
_CONTROL = frozenset({"box", "for_loop", "if_else", "switch_case", "while_loop"})
_LEAVING = {"break_loop": _Break, "continue_loop": _Continue}


class Machine:
    """Runs a circuit of `x`, `cx`, measurements, resets and classical statements.

    `coins` are the outcomes of the qubits that `h` is applied to, in order.
    """

    def __init__(self, circuit: Any, coins: Sequence[int]) -> None:
        self._circuit = circuit
        self._coins = list(coins)
        self._qubits = dict.fromkeys(circuit.qubits, 0)
        self._bits = dict.fromkeys(circuit.clbits, 0)
        self._variables: dict[Any, int] = {}

    def run(self) -> dict[str, int]:
        """The value of each register at the end.

        Raises:
            Undefined: it depends on a value that is not defined.
        """
        self._block(self._circuit, {bit: bit for bit in (*self._circuit.qubits, *self._circuit.clbits)})
        return {register.name: self._number(register, {}) for register in self._circuit.cregs}

    def _number(self, register: Any, names: Mapping[Any, Any]) -> int:
        return sum(self._bits[names.get(bit, bit)] << place for place, bit in enumerate(register))

    def _block(self, block: Any, names: Mapping[Any, Any]) -> None:
        for variable in block.iter_declared_vars():
            self._variables[variable] = 0
        for instruction in block.data:
            self._statement(instruction, names)

    def _statement(self, instruction: Any, names: Mapping[Any, Any]) -> None:
        operation = instruction.operation
        qubits = [names[qubit] for qubit in instruction.qubits]
        bits = [names[bit] for bit in instruction.clbits]
        if operation.name in _QUANTUM:
            self._apply(operation.name, qubits, bits)
        elif operation.name in _CONTROL:
            self._control(operation, qubits, bits, names)
        elif operation.name == "store":
            self._store(operation.lvalue, self._value(operation.rvalue, names), names)
        elif operation.name in _LEAVING:
            raise _LEAVING[operation.name]
        else:
            self._enter(operation.definition, qubits, bits, names)

    def _apply(self, name: str, qubits: Sequence[Any], bits: Sequence[Any]) -> None:
        match name:
            case "x":
                self._qubits[qubits[0]] ^= 1
            case "cx":
                self._qubits[qubits[1]] ^= self._qubits[qubits[0]]
            case "h":
                self._qubits[qubits[0]] = self._coins.pop(0)
            case "measure":
                self._bits[bits[0]] = self._qubits[qubits[0]]
            case "reset":
                self._qubits[qubits[0]] = 0

    def _enter(self, block: Any, qubits: Sequence[Any], bits: Sequence[Any], names: Mapping[Any, Any]) -> None:
        inner = {**names, **dict(zip(block.qubits, qubits, strict=True)), **dict(zip(block.clbits, bits, strict=True))}
        self._block(block, inner)

    def _control(self, operation: Any, qubits: Sequence[Any], bits: Sequence[Any], names: Mapping[Any, Any]) -> None:
        def enter(block: Any) -> None:
            self._enter(block, qubits, bits, names)

        match operation.name:
            case "box":
                enter(operation.blocks[0])
            case "if_else":
                chosen = 0 if self._holds(operation.condition, names) else 1
                if chosen < len(operation.blocks):
                    enter(operation.blocks[chosen])
            case "switch_case":
                self._switch(operation, enter, names)
            case "while_loop":
                self._loop(iter(lambda: self._holds(operation.condition, names), False), enter, operation.blocks[0])
            case "for_loop":
                self._for(operation, enter)

    def _switch(self, operation: Any, enter: Callable[[Any], None], names: Mapping[Any, Any]) -> None:
        value = self._target(operation.target, names)
        for labels, block in operation.cases_specifier():
            if any(label is CASE_DEFAULT or int(label) == value for label in labels):
                enter(block)
                return

    def _for(self, operation: Any, enter: Callable[[Any], None]) -> None:
        values, variable, body = operation.params

        def turn(value: int) -> None:
            if isinstance(variable, expr.Var):
                self._variables[variable] = value
            enter(body)

        self._loop(values, turn)

    def _loop(self, turns: Any, enter: Callable[[Any], None], body: Any = None) -> None:
        for turn in turns:
            try:
                enter(turn if body is None else body)
            except _Continue:
                continue
            except _Break:
                return

    def _target(self, target: Any, names: Mapping[Any, Any]) -> int:
        if isinstance(target, expr.Expr):
            return int(self._value(target, names))
        return self._bits[names[target]] if isinstance(target, Clbit) else self._number(target, names)

    def _holds(self, condition: Any, names: Mapping[Any, Any]) -> bool:
        if isinstance(condition, expr.Expr):
            return bool(self._value(condition, names))
        target, value = condition
        return self._target(target, names) == int(value)

    def _store(self, target: Any, value: int, names: Mapping[Any, Any]) -> None:
        if isinstance(target, expr.Index):
            number, place = self._value(target.target, names), self._value(target.index, names)
            if place >= target.target.type.width:
                raise Undefined
            self._store(target.target, number & ~(1 << place) | value << place, names)
        elif target.standalone:
            self._variables[target] = value
        elif isinstance(target.var, ClassicalRegister):
            for place, bit in enumerate(target.var):
                self._bits[names[bit]] = value >> place & 1
        else:
            self._bits[names[target.var]] = value

    def _value(self, node: Any, names: Mapping[Any, Any]) -> int:
        match node:
            case expr.Value():
                return int(node.value)
            case expr.Var():
                return self._variables[node] if node.standalone else self._target(node.var, names)
            case expr.Cast():
                return _wrapped(self._value(node.operand, names), node.type)
            case expr.Index():
                number, place = self._value(node.target, names), self._value(node.index, names)
                if place >= node.target.type.width:
                    raise Undefined
                return number >> place & 1
            case expr.Unary():
                return self._unary(node, names)
            case _:
                return self._binary(node, names)

    def _unary(self, node: Any, names: Mapping[Any, Any]) -> int:
        value = self._value(node.operand, names)
        if node.op is expr.Unary.Op.LOGIC_NOT:
            return int(not value)
        return value ^ ((1 << _width(node.type)) - 1)

    def _binary(self, node: Any, names: Mapping[Any, Any]) -> int:
        left = self._value(node.left, names)
        if node.op is _Op.LOGIC_AND:
            return int(bool(left and self._value(node.right, names)))
        if node.op is _Op.LOGIC_OR:
            return int(bool(left or self._value(node.right, names)))
        right = self._value(node.right, names)
        if node.op is _Op.DIV:
            if not right:
                raise Undefined
            return left // right
        if node.op in (_Op.SHIFT_LEFT, _Op.SHIFT_RIGHT):
            right = min(right, 4096)
        return _wrapped(int(_SIMPLE[node.op](left, right)), node.type)


def _width(kind: Any) -> int:
    return 1 if isinstance(kind, types.Bool) else int(kind.width)


def _wrapped(value: int, kind: Any) -> int:
    """The value in a type: whether it is not 0, or what is left of it in so many bits."""
    return int(value != 0) if isinstance(kind, types.Bool) else value % (1 << _width(kind))
