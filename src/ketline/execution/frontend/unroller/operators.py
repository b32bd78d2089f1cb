"""Operators and built-in functions on typed values, for expressions of the unroller and of the importer.

Source: OpenQASM 3 specification, "Types and Casting" (built-in constant functions) and "Classical instructions".
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.execution.circuit.derivatives.dual import Dual, call, real, value_of
from ketline.execution.frontend.integers import quotient, remainder
from ketline.execution.frontend.unroller.kinds import (
    BIT,
    BOOL,
    FLOAT,
    INT,
    INTEGERS,
    MAX_WIDTH,
    Kind,
    Typed,
    check_range,
    convert,
    packed,
    radians,
)
from ketline.execution.frontend.unroller.values import lift, lift_sequence

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BITWISE: dict[str, Callable[[Any, Any], Any]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_SHIFTS = ("<<", ">>")
_NUMBERS = ("bool", "bit", *INTEGERS, "float")


def negate(typed: Typed) -> Typed:
    kind = typed.kind
    if kind.name == "angle":
        return Typed(kind, lift(lambda value: -value % (1 << kind.bits), typed.value))
    if kind.name == "float":
        return Typed(kind, lift(operator.neg, typed.value))
    if kind.name == "int" or (kind.name == "uint" and typed.value == 0):
        return Typed(kind, lift(lambda value: check_range(-value, kind), typed.value))
    raise ProgramUnsupported(f"'-' of a value of type '{kind}' is not supported: cast it to 'int' or 'float'")


def invert_bits(typed: Typed) -> Typed:
    kind = typed.kind
    if kind.is_register:
        return Typed(kind, tuple(lift(operator.not_, bit) for bit in typed.value))
    if kind.name == "bit":
        return Typed(kind, lift(operator.not_, typed.value))
    if kind.name in ("uint", "angle") and kind.width is not None and not kind.adapted:
        return Typed(kind, lift(lambda value: value ^ (1 << kind.bits) - 1, typed.value))
    if kind.name == "int" and kind.width is not None:
        return Typed(kind, lift(operator.invert, typed.value))
    raise ProgramUnsupported(f"'~' of a value of type '{kind}' is not supported: use '!' or a type with a width")


def truth(typed: Typed) -> Any:
    """Whether a condition holds."""
    if typed.kind.base is not None or typed.kind.name in ("angle", "qubit"):
        raise ProgramInvalid(f"a value of type '{typed.kind}' is no condition")
    return convert(typed, BOOL)


def binary(sign: str, left: Typed, right: Typed, modulo: Kind | None = None) -> Typed:
    """The result of an operator other than `&&` and `||`.

    If the result is assigned to a variable of unsigned type `modulo`, it wraps at that type's width.
    """
    if left.kind.base is not None or right.kind.base is not None:
        raise ProgramUnsupported(f"'{sign}' on arrays is not supported")
    if sign in COMPARISONS:
        return Typed(BOOL, _compare(sign, left, right))
    if sign in _SHIFTS:
        return _shift(sign, left, right)
    if sign in _BITWISE:
        return _bitwise(sign, left, right)
    if "angle" in (left.kind.name, right.kind.name):
        return _angle_arithmetic(sign, left, right)
    return _arithmetic(sign, left, right, modulo)


def call_function(name: str, arguments: list[Typed]) -> Typed:
    """The value of a built-in function.

    Raises:
        ProgramInvalid: the function does not exist, or takes other arguments.
    """
    if name in ("popcount", "rotl", "rotr"):
        return _bit_function(name, arguments)
    count, function = _FUNCTIONS[name]
    if len(arguments) != count:
        raise ProgramInvalid(f"'{name}' takes {count} argument{'s' if count > 1 else ''}, not {len(arguments)}")
    if name in ("mod", "pow"):
        left, right = arguments
        return _arithmetic({"mod": "%", "pow": "**"}[name], left, right, None)

    def result(value: Any) -> Any:
        try:
            return _finite(call(function, value) if isinstance(value, Dual) else float(function(value)))
        except ValueError as error:
            raise ProgramInvalid(f"'{name}' has no value at {value_of(value):g}") from error

    return Typed(FLOAT, lift(result, _as_float(arguments[0], name)))


def is_function(name: str) -> bool:
    return name in _FUNCTIONS or name in ("popcount", "rotl", "rotr")


_FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "arccos": (1, math.acos),
    "arcsin": (1, math.asin),
    "arctan": (1, math.atan),
    "ceiling": (1, math.ceil),
    "cos": (1, math.cos),
    "exp": (1, math.exp),
    "floor": (1, math.floor),
    "log": (1, math.log),
    "mod": (2, math.fmod),
    "pow": (2, math.pow),
    "sin": (1, math.sin),
    "sqrt": (1, math.sqrt),
    "tan": (1, math.tan),
}


def as_number(typed: Typed) -> Typed:
    """A bit or a register of bits as an unsigned number, for comparisons; other values unchanged."""
    if typed.kind.is_register:
        return Typed(Kind("uint", typed.kind.bits), lift_sequence(packed, typed.value))
    if typed.kind.name in ("bit", "bool"):
        return Typed(Kind("uint", 1), lift(int, typed.value))
    return typed


def _compare(sign: str, left: Typed, right: Typed) -> Any:
    kinds = (left.kind.name, right.kind.name)
    if "angle" in kinds:
        left, right, _ = _same_angles(sign, left, right)
        return lift(COMPARISONS[sign], left.value, right.value)
    for one, other in ((left, right), (right, left)):
        if one.kind.name == "bit" and other.kind.name in INTEGERS and sign in ("==", "!="):
            _check_fits(one, other)
        if one.kind.is_register and other.kind.is_register and one.kind != other.kind:
            raise ProgramUnsupported(f"registers of {left.kind.bits} and of {right.kind.bits} bits are not compared")
    left, right = as_number(left), as_number(right)
    if {left.kind.name, right.kind.name} == {"int", "uint"}:
        lift(_check_not_negative, left.value)
        lift(_check_not_negative, right.value)
    if "float" in (left.kind.name, right.kind.name) and left.kind.name in _NUMBERS and right.kind.name in _NUMBERS:
        left, right = Typed(FLOAT, convert(left, FLOAT)), Typed(FLOAT, convert(right, FLOAT))
    return lift(COMPARISONS[sign], left.value, right.value)


def _check_not_negative(value: int) -> None:
    if value < 0:
        raise ProgramUnsupported("a negative number is not compared with an unsigned one")


def _check_fits(bits: Typed, number: Typed) -> None:
    what = f"a register of {bits.kind.bits} bits never equals this number" if bits.kind.is_register else None

    def check(value: int) -> None:
        if not 0 <= value < 1 << bits.kind.bits:
            raise ProgramUnsupported(what or f"a bit never equals {value}")

    lift(check, number.value)


def _shift(sign: str, left: Typed, right: Typed) -> Typed:
    if right.kind.name not in INTEGERS:
        raise ProgramInvalid("the distance of a shift must be an integer")
    kind = left.kind
    if kind.is_register:
        return Typed(kind, lift_bits(lambda bits, by: _shifted_bits(sign, bits, by), left.value, right.value))
    if kind.name in ("uint", "angle") and kind.width is not None and not kind.adapted:
        return Typed(kind, lift(lambda value, by: _shifted(sign, value, by, kind), left.value, right.value))
    if kind.name in INTEGERS:
        return Typed(kind, lift(lambda value, by: _shifted_integer(sign, value, by, kind), left.value, right.value))
    raise ProgramInvalid(f"a value of type '{kind}' cannot be shifted")


def lift_bits(function: Callable[[Any, Any], Any], bits: tuple[Any, ...], argument: Any) -> tuple[Any, ...]:
    """Apply a function from bits to equally many bits, each of which may depend on other measurements."""
    if not hasattr(argument, "atoms"):
        return tuple(function(bits, argument))
    indices = range(len(bits))
    return tuple(lift(lambda by, *row, index=index: function(row, by)[index], argument, *bits) for index in indices)


def _shifted_bits(sign: str, bits: tuple[Any, ...], by: int) -> tuple[Any, ...]:
    by = min(_distance(by), len(bits))
    empty = (False,) * by
    return (*empty, *bits[: len(bits) - by]) if sign == "<<" else (*bits[by:], *empty)


def _shifted(sign: str, value: int, by: int, kind: Kind) -> int:
    by = min(_distance(by), kind.bits)
    return value << by & (1 << kind.bits) - 1 if sign == "<<" else value >> by


def _shifted_integer(sign: str, value: int, by: int, kind: Kind) -> int:
    if value < 0:
        raise ProgramUnsupported("shifts of negative numbers are not supported")
    return check_range(value << _distance(by) if sign == "<<" else value >> _distance(by), kind)


def _distance(by: int) -> int:
    if not 0 <= by <= MAX_WIDTH:
        raise ProgramUnsupported(f"shifts go by 0 to {MAX_WIDTH} places")
    return by


def _bitwise(sign: str, left: Typed, right: Typed) -> Typed:
    function = _BITWISE[sign]
    if left.kind.is_register or right.kind.is_register:
        if left.kind != right.kind:
            raise ProgramUnsupported(f"'{sign}' needs registers of one width on both sides")
        pairs = zip(left.value, right.value, strict=True)
        return Typed(left.kind, tuple(lift(function, one, other) for one, other in pairs))
    names = {left.kind.name, right.kind.name}
    if names <= {"bit", "bool"}:
        kind = left.kind if len(names) == 1 else BIT
        return Typed(kind, lift(function, left.value, right.value))
    if "bit" in names and names <= {"bit", *INTEGERS}:
        left, right = (one if one.kind.name == "bit" else Typed(BIT, convert(one, BIT)) for one in (left, right))
        return Typed(BIT, lift(function, left.value, right.value))
    if names <= {"uint", "int"} or (names == {"angle"} and left.kind == right.kind):
        if names != {"angle"}:
            lift(_check_not_negative, left.value)
            lift(_check_not_negative, right.value)
        return Typed(_wider(left.kind, right.kind), lift(function, left.value, right.value))
    raise ProgramUnsupported(f"'{sign}' between '{left.kind}' and '{right.kind}' is not supported")


def _wider(left: Kind, right: Kind) -> Kind:
    """The type of a result; numbers without a width adapt to the other operand."""
    unsigned = [one for one in (left, right) if one.name == "uint"]
    widths = [width for width in (left.width, right.width) if width is not None]
    width = max(widths) if widths else None
    if len(unsigned) == 1 and len(widths) == 2 and unsigned[0].width != width:
        return Kind("int", width)  # which holds all values of the narrower unsigned type
    adapted = width is not None and (len(widths) == 1 or left.adapted or right.adapted)
    return Kind("uint" if unsigned else left.name, width, adapted=adapted)


def _angle_arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    if sign in ("+", "-"):
        left, right, kind = _same_angles(sign, left, right)
        function = operator.add if sign == "+" else operator.sub
        return Typed(kind, lift(lambda one, other: function(one, other) % (1 << kind.bits), left.value, right.value))
    if sign == "*" and left.kind.name in INTEGERS:
        left, right = right, left
    kind = left.kind
    if sign == "/" and kind.name == "angle" and kind == right.kind:
        return Typed(Kind("uint", kind.width), lift(operator.floordiv, left.value, right.value))
    if kind.name != "angle" or right.kind.name not in INTEGERS or sign not in ("*", "/"):
        raise ProgramUnsupported(f"'{sign}' between '{left.kind}' and '{right.kind}' is not supported")
    lift(_check_not_negative, right.value)
    if sign == "*":
        return Typed(kind, lift(lambda one, other: one * other % (1 << kind.bits), left.value, right.value))
    return Typed(kind, lift(_part_of_angle, left.value, right.value))


def _part_of_angle(angle: Any, divisor: int) -> Any:
    """An angle, an integer, divided by a number; its rounding has no derivative."""
    if isinstance(angle, Dual):
        return angle.mapped(angle.value // divisor, 1 / divisor)
    return angle // divisor


def _same_angles(sign: str, left: Typed, right: Typed) -> tuple[Typed, Typed, Kind]:
    kind = left.kind if left.kind.name == "angle" else right.kind
    for one in (left, right):
        if one.kind.name not in ("angle", "float") or (one.kind.name == "angle" and one.kind != kind):
            raise ProgramUnsupported(f"'{sign}' between '{left.kind}' and '{right.kind}' is not supported")
    return Typed(kind, convert(left, kind)), Typed(kind, convert(right, kind)), kind


def _arithmetic(sign: str, left: Typed, right: Typed, modulo: Kind | None) -> Typed:
    for one in (left, right):
        if one.kind.name not in _NUMBERS or one.kind.is_register:
            raise ProgramUnsupported(f"'{sign}' needs numbers: cast the value of type '{one.kind}' first")
    if "float" in (left.kind.name, right.kind.name):
        return Typed(FLOAT, lift(lambda one, other: _float_result(sign, one, other), left.value, right.value))
    kinds = [INT if one.kind.name in ("bool", "bit") else one.kind for one in (left, right)]
    kind = _wider(*kinds)
    wraps = modulo is not None and sign in ("+", "-", "*") and modulo.bits <= kind.bits
    if kinds[0] == kinds[1] and kind.name == "uint" and kind.width is not None and sign in ("+", "-", "*"):
        wraps = wraps or not kind.adapted

    becomes_unsigned = kind.name == "uint" and kinds[0].name != kinds[1].name and sign in ("/", "%", "**")

    def result(one: Any, other: Any) -> int:
        if becomes_unsigned and (one < 0 or other < 0):
            # In C99 the negative number would become a large one, whose size depends on the widths.
            raise ProgramUnsupported(f"'{sign}' between a negative number and an unsigned one is not supported")
        number = _integer_result(sign, int(one), int(other))
        return number % (1 << kind.bits) if wraps and kind.name == "uint" else check_range(number, kind)

    return Typed(kind, lift(result, left.value, right.value))


def _integer_result(sign: str, left: int, right: int) -> int:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return quotient(left, right)
        case "%":
            return remainder(left, right)
        case "**":
            if right < 0 or right * max(1, left.bit_length()) > MAX_WIDTH:
                raise ProgramUnsupported("this power leaves the range of integers")
            return int(left**right)
    raise ProgramUnsupported(f"'{sign}' is not supported")


def _float_result(sign: str, left: Any, right: Any) -> Any:
    one, other = real(left), real(right)
    match sign:
        case "+":
            return _finite(one + other)
        case "-":
            return _finite(one - other)
        case "*":
            return _finite(one * other)
        case "/":
            return _finite(one / other)
        case "**":
            power = one**other
            if isinstance(power, complex):
                raise ProgramInvalid("this power is not a real number")
            return _finite(power)
        case "%":
            if value_of(one) < 0 or value_of(other) <= 0:
                raise ProgramUnsupported("'%' of negative numbers is not supported: the specification leaves it open")
            return one % other if isinstance(one, Dual) or isinstance(other, Dual) else math.fmod(one, other)
    raise ProgramUnsupported(f"'{sign}' is not supported on floats")


def _finite(value: Any) -> Any:
    if not math.isfinite(value_of(value)):
        raise ProgramInvalid("this value is not a finite number")
    return value


def _as_float(typed: Typed, name: str) -> Any:
    if typed.kind.name == "angle" and name in ("sin", "cos", "tan"):
        return lift(lambda value: radians(value, typed.kind), typed.value)
    if typed.kind.name not in _NUMBERS:
        raise ProgramInvalid(f"'{name}' takes a number, not a value of type '{typed.kind}'")
    return convert(typed, FLOAT)


def _bit_function(name: str, arguments: list[Typed]) -> Typed:
    count = 1 if name == "popcount" else 2
    bits = arguments[0] if len(arguments) == count else None
    if bits is None or not (bits.kind.is_register or (bits.kind.name in ("uint", "angle") and bits.kind.width)):
        kinds = "a register of bits, or a 'uint' or 'angle' with a width"
        raise ProgramInvalid(f"'{name}' takes {kinds}" + (", and a distance" if count == 2 else ""))
    if not bits.kind.is_register:
        return _number_function(name, bits, arguments[1:])
    if name == "popcount":
        return Typed(Kind("uint"), lift_sequence(lambda row: sum(map(bool, row)), bits.value))
    if arguments[1].kind.name not in INTEGERS:
        raise ProgramInvalid(f"'{name}' turns by an integer")
    sign = 1 if name == "rotl" else -1

    def turned(row: tuple[Any, ...], by: int) -> tuple[Any, ...]:
        return tuple(row[(index - sign * by) % len(row)] for index in range(len(row)))

    return Typed(bits.kind, lift_bits(turned, bits.value, arguments[1].value))


def _number_function(name: str, number: Typed, distance: list[Typed]) -> Typed:
    """A function of a number's bits, as for a register of bits.

    Source: OpenQASM 3 specification, "Classical instructions", section "Classical bits and registers".
    """
    kind = number.kind
    bits = tuple(lift(lambda value, index=index: bool(value >> index & 1), number.value) for index in range(kind.bits))
    result = _bit_function(name, [Typed(Kind("bit", kind.bits), bits), *distance])
    return result if name == "popcount" else Typed(kind, lift_sequence(packed, result.value))
