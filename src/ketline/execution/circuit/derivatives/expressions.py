"""Expressions of Qiskit's parameters as functions of numbers, which may have derivatives, and as sums of multiples.

Their own `gradient` is not called: it expands products, and takes minutes for the quotient of two squares of sums.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression
from qiskit.circuit.parameterexpression import OpCode

from ketline.domain.errors import GradientInvalid
from ketline.execution.circuit.derivatives.dual import Dual, call

# Numbers by name: floats, and dual numbers for what is differentiated.
Numbers = Mapping[str, Any]
_Operation = tuple[Any, Any, Any]

_OF_TWO: Mapping[int, Callable[[Any, Any], Any]] = {
    int(OpCode.ADD): lambda one, other: one + other,
    int(OpCode.SUB): lambda one, other: one - other,
    int(OpCode.MUL): lambda one, other: one * other,
    int(OpCode.DIV): lambda one, other: one / other,
    int(OpCode.POW): lambda one, other: one**other,
    int(OpCode.RSUB): lambda one, other: other - one,
    int(OpCode.RDIV): lambda one, other: other / one,
    int(OpCode.RPOW): lambda one, other: other**one,
}
_FUNCTIONS: Mapping[int, Callable[..., float]] = {
    int(OpCode.SIN): math.sin,
    int(OpCode.COS): math.cos,
    int(OpCode.TAN): math.tan,
    int(OpCode.ASIN): math.asin,
    int(OpCode.ACOS): math.acos,
    int(OpCode.ATAN): math.atan,
    int(OpCode.EXP): math.exp,
    int(OpCode.LOG): math.log,
    int(OpCode.ABS): math.fabs,
}
_MUL, _DIV, _CONJ, _SIGN = map(int, (OpCode.MUL, OpCode.DIV, OpCode.CONJ, OpCode.SIGN))
_LINEAR = frozenset(map(int, (OpCode.ADD, OpCode.SUB, OpCode.RSUB, OpCode.MUL, OpCode.DIV)))


def evaluated(expression: ParameterExpression, numbers: Numbers) -> Any:
    """The value of an expression: a dual number where a parameter is one, else a float.

    Raises:
        GradientInvalid: the expression has no derivative at these numbers.
        ValueError, ArithmeticError, TypeError: the expression has no real value at these numbers.
    """
    stack: list[Any] = []
    for code, left, right in _operations(expression):
        if code in _OF_TWO:
            other = _operand(right, stack, numbers)
            stack.append(_OF_TWO[code](_operand(left, stack, numbers), other))
        else:
            stack.append(_applied(code, _operand(left, stack, numbers)))
    return stack.pop()


def linear_terms(expression: ParameterExpression) -> tuple[float, Mapping[str, float]] | None:
    """The constant and the factor of each parameter, by name, of a sum of multiples; None for any other."""
    names = [parameter.name for parameter in expression.parameters]
    variables = {name: Dual(0.0, {number: 1.0}) for number, name in enumerate(names)}
    stack: list[Any] = []
    try:
        for code, left, right in _operations(expression):
            if code not in _LINEAR:
                return None
            other = _operand(right, stack, variables)
            one = _operand(left, stack, variables)
            if isinstance(other, Dual) and (code == _DIV or (code == _MUL and isinstance(one, Dual))):
                return None
            stack.append(_OF_TWO[code](one, other))
    except (ArithmeticError, TypeError):
        return None
    found = stack.pop()
    if not isinstance(found, Dual):
        return float(found), dict.fromkeys(names, 0.0)
    return float(found.value), {name: found.slopes.get(number, 0.0) for number, name in enumerate(names)}


def _operations(expression: ParameterExpression) -> list[_Operation]:
    """The operations that compute an expression on a stack: a code and two operands, None for the top of the stack.

    QPY files have expressions in this form, which is the only one that Qiskit gives without another library.
    """
    return [(int(one.op), one.lhs, one.rhs) for one in expression._qpy_replay]  # noqa: SLF001


def _operand(written: Any, stack: list[Any], numbers: Numbers) -> Any:
    if written is None:
        return stack.pop()
    return numbers[written.name] if isinstance(written, Parameter) else float(written)


def _applied(code: int, number: Any) -> Any:
    if code == _CONJ:
        return number
    if (function := _FUNCTIONS.get(code)) is not None:
        return call(function, number) if isinstance(number, Dual) else function(number)
    if code == _SIGN and not isinstance(number, Dual):
        return float((number > 0) - (number < 0))
    raise GradientInvalid("the gradient cannot follow a parameter through 'sign', which has jumps")
