"""Evaluates constant expressions of type Float, for `expressions.py`; durations are not supported."""

import math
from collections.abc import Callable
from typing import Any

from qiskit.circuit.classical import expr, types

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported

Number = int | float


def constant(node: Any, integer: Callable[[Any], int]) -> Number:
    """The value of a constant expression; `integer` evaluates parts of type Bool and Uint.

    Raises:
        ProgramUnsupported: the expression is not constant, or is a duration.
        ProgramInvalid: its value is not a finite number.
    """
    value = _value(node, integer)
    if not math.isfinite(value):
        raise ProgramInvalid("a number in a classical expression is not finite")
    return value


def _value(node: Any, integer: Callable[[Any], int]) -> Number:
    if isinstance(node.type, (types.Bool, types.Uint)):
        return integer(node)
    if not isinstance(node.type, types.Float):
        raise ProgramUnsupported(f"expressions of type {node.type} are not supported")
    match node:
        case expr.Value():
            return float(node.value)
        case expr.Cast():
            return float(constant(node.operand, integer))
        case expr.Unary(op=expr.Unary.Op.NEGATE):
            return -constant(node.operand, integer)
        case expr.Binary():
            return _combined(node.op, constant(node.left, integer), constant(node.right, integer))
    raise ProgramUnsupported(f"values of type {node.type} that are not constant are not supported")


def _combined(operator: Any, left: Number, right: Number) -> Number:
    match operator:
        case expr.Binary.Op.ADD:
            return left + right
        case expr.Binary.Op.SUB:
            return left - right
        case expr.Binary.Op.MUL:
            return left * right
        case expr.Binary.Op.DIV:
            if not right:
                raise ProgramInvalid("a classical expression divides by 0")
            return left / right
    raise ProgramUnsupported(f"'{operator.name}' of floats is not supported")
