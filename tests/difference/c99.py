"""Classical values by the rules of C99 and the OpenQASM 3 specification; shares no code with the front ends.

What C99 leaves undefined or to the implementation raises `Undefined`: a program may be rejected there.
Source: ISO/IEC 9899:1999, 6.3.1 (conversions), 6.5.5 to 6.5.9 (operators); OpenQASM 3, "Types and Casting".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.difference.language import Binary, Bit, Cast, Expression, Kind, Name, Number, Pi, Unary, Whole

_MACHINE_WIDTH = 64
_INT = Kind("int")
_FLOAT = Kind("float")
_BOOL = Kind("bool")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Undefined(Exception):
    """The program has no value that C99 defines."""


@dataclass(frozen=True, slots=True)
class Value:
    kind: Kind
    number: int | float


@dataclass(slots=True)
class Scope:
    """The variables of a program and its registers, each register as a number, with the widths of these."""

    variables: dict[str, Value]
    registers: dict[str, int]
    widths: Mapping[str, int]


def evaluate(node: Expression, scope: Scope) -> Value:
    """The value of an expression.

    Raises:
        Undefined: C99 does not say what it is.
    """
    match node:
        case Number(value):
            return Value(_FLOAT if isinstance(value, float) else _INT, value)
        case Pi():
            return Value(_FLOAT, math.pi)
        case Name(name):
            return scope.variables[name]
        case Whole(register):
            return Value(Kind("uint", scope.widths[register]), scope.registers[register])
        case Bit(register, place):
            return Value(_BOOL, scope.registers[register] >> place & 1)
        case Cast(kind, operand):
            return converted(evaluate(operand, scope), kind)
        case Unary(sign, operand):
            return _unary(sign, evaluate(operand, scope))
        case Binary("&&" | "||" as sign, left, right):
            first = truth(left, scope)
            return Value(_BOOL, int(first if first == (sign == "||") else truth(right, scope)))
        case Binary(sign, left, right):
            return binary(sign, evaluate(left, scope), evaluate(right, scope))


def truth(node: Expression, scope: Scope) -> bool:
    return evaluate(node, scope).number != 0


def converted(value: Value, kind: Kind) -> Value:
    """A value where it is assigned to a variable of a type."""
    if kind.name == "bool":
        return Value(kind, int(value.number != 0))
    if kind.name == "float":
        return Value(kind, float(value.number))
    return Value(kind, _wrapped(math.trunc(value.number), kind, from_integer=value.kind.name != "float"))


def binary(sign: str, left: Value, right: Value) -> Value:
    if sign in ("<<", ">>"):
        return _shifted(sign, left, right)
    kind = _common(left.kind, right.kind)
    one, other = converted(left, kind).number, converted(right, kind).number
    if sign in _COMPARISONS:
        return Value(_BOOL, int(_COMPARISONS[sign](one, other)))
    if kind.name == "float":
        return Value(kind, _real(sign, float(one), float(other)))
    return Value(kind, _wrapped(_integer(sign, int(one), int(other)), kind))


def _common(left: Kind, right: Kind) -> Kind:
    """The type to which the usual arithmetic conversions bring both sides."""
    if "float" in (left.name, right.name):
        return _FLOAT
    left, right = (_INT if one.name == "bool" else one for one in (left, right))
    if left.name == right.name:
        return max(left, right, key=_width)
    signed, unsigned = (left, right) if left.name == "int" else (right, left)
    return signed if _width(signed) > _width(unsigned) else unsigned


def _width(kind: Kind) -> int:
    return _MACHINE_WIDTH if kind.width is None else kind.width


def _wrapped(number: int, kind: Kind, *, from_integer: bool = True) -> int:
    """A number as an integer type holds it: unsigned ones count modulo a power of two."""
    width = _width(kind)
    low, high = (0, 1 << width) if kind.name == "uint" else (-(1 << width - 1), 1 << width - 1)
    if low <= number < high:
        return number
    if kind.name == "uint" and from_integer and kind.width is not None:
        return number & (1 << width) - 1
    raise Undefined


def _integer(sign: str, left: int, right: int) -> int:
    match sign:
        case "+" | "-" | "*":
            return {"+": left + right, "-": left - right, "*": left * right}[sign]
        case "/" | "%":
            return _divided(sign, left, right)
        case "**":
            if not 0 <= right <= _MACHINE_WIDTH:
                raise Undefined
            return int(math.prod([left] * right))
    if left < 0 or right < 0:
        raise Undefined
    return {"&": left & right, "|": left | right, "^": left ^ right}[sign]


def _divided(sign: str, left: int, right: int) -> int:
    if right == 0:
        raise Undefined
    whole, rest = divmod(abs(left), abs(right))
    if sign == "%":
        return -rest if left < 0 else rest
    return -whole if (left < 0) != (right < 0) else whole


def _real(sign: str, left: float, right: float) -> float:
    if sign == "/":
        if right == 0:
            raise Undefined
        return left / right
    if sign == "**":
        if left <= 0:
            raise Undefined
        return math.pow(left, right)
    if sign not in ("+", "-", "*"):
        raise Undefined
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


def _shifted(sign: str, left: Value, right: Value) -> Value:
    if left.kind.name in ("bool", "float") or right.kind.name == "float":
        raise Undefined
    number, places, kind = int(left.number), int(right.number), left.kind
    if number < 0 or not 0 <= places < _width(kind):
        raise Undefined
    return Value(kind, _wrapped(number << places if sign == "<<" else number >> places, kind))


def _unary(sign: str, value: Value) -> Value:
    if sign == "!":
        return Value(_BOOL, int(value.number == 0))
    if value.kind.name == "float" and sign == "-":
        return Value(value.kind, -value.number)
    if value.kind.name in ("float", "bool"):
        raise Undefined
    number = int(value.number)
    return Value(value.kind, _wrapped(-number if sign == "-" else ~number, value.kind))
