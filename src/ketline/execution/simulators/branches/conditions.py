"""Evaluates conditions and assigned values for many rows of classical bits at once. Used by `flow.py`.

Source: `qiskit.circuit.classical.expr`; a condition may also be a bit or a register with the value to compare with.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from qiskit.circuit import ClassicalRegister
from qiskit.circuit.classical import expr, types

# The value for each row: bool for a Bool, int64 for a Uint. Rows are those of a bool array, bit n in column n.
Value = Callable[[Any], Any]
# Values of unsigned integers, and their products with bits, stay within int64.
_MAX_BITS = 62

_OF_BITS: Mapping[Any, Callable[[Any, Any], Any]] = {
    expr.Binary.Op.BIT_AND: operator.and_,
    expr.Binary.Op.BIT_OR: operator.or_,
    expr.Binary.Op.BIT_XOR: operator.xor,
    expr.Binary.Op.LOGIC_AND: operator.and_,
    expr.Binary.Op.LOGIC_OR: operator.or_,
    expr.Binary.Op.EQUAL: operator.eq,
    expr.Binary.Op.NOT_EQUAL: operator.ne,
    expr.Binary.Op.LESS: operator.lt,
    expr.Binary.Op.LESS_EQUAL: operator.le,
    expr.Binary.Op.GREATER: operator.gt,
    expr.Binary.Op.GREATER_EQUAL: operator.ge,
}
_LOGIC = frozenset({expr.Binary.Op.LOGIC_AND, expr.Binary.Op.LOGIC_OR})


class NotVectorized(Exception):
    """The circuit has an operation or an expression that only Aer evaluates."""


def value_of(node: Any, columns: Mapping[Any, int]) -> Value:
    """The function that evaluates an expression, or a pair as condition; `columns` has the column of each bit.

    Raises:
        NotVectorized: the expression has a form that is not evaluated here.
    """
    match node:
        case (target, value):
            return _compared(target, int(value), columns)
        case expr.Value():
            return _constant(node)
        case expr.Var():
            return _read(node.var, columns)
        case expr.Unary():
            return _unary(node, columns)
        case expr.Binary() if node.op in _OF_BITS:
            return _binary(node, columns)
    raise NotVectorized


def _constant(node: Any) -> Value:
    if not isinstance(node.type, (types.Bool, types.Uint)):
        raise NotVectorized
    value = bool(node.value) if isinstance(node.type, types.Bool) else _narrow(int(node.value))
    return lambda bits: np.full(len(bits), value)


def _compared(target: Any, value: int, columns: Mapping[Any, int]) -> Value:
    read = _read(target, columns)
    if isinstance(target, ClassicalRegister):
        wanted = _narrow(value)
        return lambda bits: read(bits) == wanted
    return read if value else lambda bits: ~read(bits)


def _read(target: Any, columns: Mapping[Any, int]) -> Value:
    """The value of a bit or a register, bit 0 of which is the least significant."""
    if isinstance(target, ClassicalRegister):
        if len(target) > _MAX_BITS:
            raise NotVectorized
        places = [columns[bit] for bit in target]
        weights = 1 << np.arange(len(places), dtype=np.int64)
        return lambda bits: bits[:, places] @ weights
    if target not in columns:
        raise NotVectorized
    column = columns[target]
    return lambda bits: bits[:, column]


def _unary(node: Any, columns: Mapping[Any, int]) -> Value:
    read = value_of(node.operand, columns)
    if node.op is expr.Unary.Op.LOGIC_NOT:
        return lambda bits: ~read(bits).astype(np.bool_)
    if node.op is expr.Unary.Op.BIT_NOT:
        if isinstance(node.type, types.Bool):
            return lambda bits: ~read(bits)
        if isinstance(node.type, types.Uint) and node.type.width <= _MAX_BITS:
            ones = (1 << node.type.width) - 1
            return lambda bits: read(bits) ^ ones
    raise NotVectorized


def _binary(node: Any, columns: Mapping[Any, int]) -> Value:
    left, right, combine = value_of(node.left, columns), value_of(node.right, columns), _OF_BITS[node.op]
    if node.op in _LOGIC:
        return lambda bits: combine(left(bits).astype(np.bool_), right(bits).astype(np.bool_))
    return lambda bits: combine(left(bits), right(bits))


def _narrow(value: int) -> int:
    if not 0 <= value < 1 << _MAX_BITS:
        raise NotVectorized
    return value
