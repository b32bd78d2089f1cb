"""Evaluates constant expressions while parsing them by precedence, never by `eval`; for the modules of the scanner.

An expression with parameters of a gate definition gives a function of their values.
Source: OpenQASM 3 specification, "Types and Casting", sections on operators and built-in constant functions.
"""

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

from ketline.execution.circuit.derivatives.dual import Dual, call, real
from ketline.execution.frontend.integers import quotient, remainder
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, FLOAT, IDENTIFIER, INTEGER, Declined

Number = int | float
Value = Number | Callable[[Mapping[str, float]], Number]
_Inner = TypeVar("_Inner")

_MAX_INTEGER = 1 << 53  # up to here integers and floats agree
_MAX_EXPONENT = 53
_MAX_DIGITS = 15
_MAX_FLOAT_CHARACTERS = 100
_MAX_NESTING = 16
# The most operations on parameters in one expression: each call of its gate repeats them.
_MAX_WAITING = 128
_UNARY_RANK = 3
# Programs repeat few expressions, such as pi/2, many times.
_MAX_CACHED_CHARACTERS = 24
_MAX_CACHED = 4096

_TOKEN = re.compile(
    rf"{BLANK}*+(?:(?P<float>{FLOAT})|(?P<integer>{INTEGER})|(?P<name>{IDENTIFIER})|(?P<sign>\*\*|[-+*/%(),])|(?P<bad>.))",
    re.DOTALL,
)
_PLAIN_FLOAT = re.compile(rf"{BLANK}*+-?{FLOAT}{BLANK}*+")
_SMALL_INTEGER = re.compile("[0-9]{1,8}")
_CHARACTERS_OF_A_DECIMAL = "0123456789.-"
_PART_OF_PI = re.compile(r"(-?)(?:([0-9]{1,8})\*)?pi(?:/([0-9]{1,8}))?")

CONSTANTS: dict[str, float] = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}


def values_of(text: str, parameters: Collection[str] = ()) -> tuple[Value, ...]:
    """The values of a list of expressions, separated by commas; an empty list if the text is blank.

    Raises:
        Declined: an expression is not constant, not valid, too large or too deep.
    """
    number = decimal_of(text)
    if number is not None:
        return (number,)
    if "(" in text or not text.strip(BLANKS):
        return _Parser(text, parameters).read_list()
    return tuple([value_of(part.strip(BLANKS), parameters) for part in text.split(",")])


def decimal_of(text: str) -> float | None:
    """The value of a number such as -0.25; None for every other text. It takes half the time of a pattern."""
    if "." not in text or text.strip(_CHARACTERS_OF_A_DECIMAL) or len(text) > _MAX_FLOAT_CHARACTERS:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def decimals_of(text: str) -> tuple[float, ...] | None:
    """The values of a list of such numbers; None for every other text."""
    if "," not in text:
        number = decimal_of(text)
        return None if number is None else (number,)
    numbers = [decimal_of(part.strip(BLANKS)) for part in text.split(",")]
    found = tuple([number for number in numbers if number is not None])
    return found if len(found) == len(numbers) else None


def _part_of_pi(text: str) -> Number | None:
    """The value of a usual fraction of pi, such as -3*pi/4; None for every other text."""
    found = _PART_OF_PI.fullmatch(text)
    if found is None:
        return None
    sign, times, divisor = found.groups()
    value = int(sign + (times or "1")) * math.pi  # the sign belongs to the first factor: -0*pi is 0, not -0.0
    if divisor is not None:
        if not int(divisor):
            raise Declined
        value /= int(divisor)
    return value


def evaluate(value: Value, arguments: Mapping[str, float]) -> Number:
    """The number of a value in a call of the gate with these arguments."""
    return value(arguments) if callable(value) else value


def evaluate_later(value: Value, arguments: Mapping[str, Value]) -> Value:
    """As `evaluate`, for arguments that may be functions of other values: then so is the result."""
    return partial(_with_arguments, value, arguments) if callable(value) else value


def _with_arguments(
    value: Callable[[Mapping[str, float]], Number], arguments: Mapping[str, Value], values: Mapping[str, float]
) -> Number:
    return value({name: float(evaluate(argument, values)) for name, argument in arguments.items()})


def differentiated(value: Value, numbers: Mapping[str, Any]) -> Any:
    """The number of a value with its derivatives; numbers by name are floats or dual numbers.

    Raises:
        Declined: it has no value there.
        GradientInvalid: it has no derivative there.
    """
    if not isinstance(value, partial):
        return value(numbers) if callable(value) else value
    inner, others = value.args
    if value.func is _with_arguments:
        return differentiated(inner, {name: real(differentiated(one, numbers)) for name, one in others.items()})
    operands = [differentiated(operand, numbers) for operand in others]
    if not any(isinstance(operand, Dual) for operand in operands):
        return _result(inner, operands)
    try:
        return _with_slopes(inner, operands)
    except (ArithmeticError, ValueError):
        raise Declined from None


def _with_slopes(function: Callable[..., Number], operands: Sequence[Any]) -> Any:
    match function:
        case builtin if builtin in _ARITHMETIC:
            return builtin(*operands)
        case builtin if builtin in _POWERS:
            return operands[0] ** operands[1]
        case builtin if builtin is _divide:
            return operands[0] / operands[1]
    if len(operands) > 1:
        raise Declined  # a remainder, which the unroller computes
    return call(function, operands[0])


def float_of(value: Value) -> Value:
    """A number as a float; a function as it is."""
    return value if callable(value) else float(value)


def cost_of(value: Value) -> int:
    """The number of steps of `evaluate`."""
    waiting = value.args[1] if isinstance(value, partial) else ()
    return 1 + sum(map(cost_of, waiting))


def integer_of(text: str) -> int:
    """The value of a constant expression that is an integer.

    Raises:
        Declined: it is not.
    """
    if _SMALL_INTEGER.fullmatch(text):
        return int(text)
    values = values_of(text)
    if len(values) != 1 or not isinstance(values[0], int):
        raise Declined
    return values[0]


def value_of(text: str, parameters: Collection[str]) -> Value:
    """The value of one expression.

    Raises:
        Declined: as for `values_of`.
    """
    number = decimal_of(text)
    if number is not None:
        return number
    if _PLAIN_FLOAT.fullmatch(text):
        return _float_of(text)
    if parameters or len(text) > _MAX_CACHED_CHARACTERS:
        return _Parser(text, parameters).read_one()
    return constant_of(text)


@lru_cache(_MAX_CACHED)
def constant_of(text: str) -> Value:
    part = _part_of_pi(text)
    return _Parser(text, ()).read_one() if part is None else part


def _checked(value: Number) -> Number:
    small = abs(value) <= _MAX_INTEGER if isinstance(value, int) else math.isfinite(value)
    if not small:
        raise Declined
    return value


def _float_of(text: str) -> float:
    value = float(text) if len(text) <= _MAX_FLOAT_CHARACTERS else math.inf
    if not math.isfinite(value):
        raise Declined
    return value


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return quotient(left, right)
    return left / right


def _remainder(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return remainder(left, right)
    # The specification does not define the remainder of negative real numbers.
    if left < 0 or right <= 0:
        raise Declined
    return left % right


def _integer_remainder(left: Number, right: Number) -> Number:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise Declined
    return remainder(left, right)


def _power(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and not 0 <= right <= _MAX_EXPONENT:
        raise Declined
    result = left**right
    if isinstance(result, complex):
        raise Declined
    return int(result) if isinstance(left, int) and isinstance(right, int) else float(result)


class _Binary(NamedTuple):
    rank: int
    function: Callable[[Number, Number], Number]
    right_rank: int  # the lowest rank that the right operand may have


_BINARY = {
    "+": _Binary(1, operator.add, 2),
    "-": _Binary(1, operator.sub, 2),
    "*": _Binary(2, operator.mul, 3),
    "/": _Binary(2, _divide, 3),
    "%": _Binary(2, _integer_remainder, 3),
    "**": _Binary(4, _power, 4),
}


def _ceiling(value: Number) -> float:
    return float(math.ceil(value))


def _floor(value: Number) -> float:
    return float(math.floor(value))


FUNCTIONS: dict[str, tuple[int, Callable[..., Number]]] = {
    "arccos": (1, math.acos),
    "arcsin": (1, math.asin),
    "arctan": (1, math.atan),
    "ceiling": (1, _ceiling),
    "cos": (1, math.cos),
    "exp": (1, math.exp),
    "floor": (1, _floor),
    "log": (1, math.log),
    "mod": (2, _remainder),
    "pow": (2, _power),
    "sin": (1, math.sin),
    "sqrt": (1, math.sqrt),
    "tan": (1, math.tan),
}


# Functions that dual numbers have.
_ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.neg)
_POWERS = (math.pow, _power)


def _apply(function: Callable[..., Number], operands: tuple[Value, ...]) -> Value:
    if any(callable(operand) for operand in operands):
        return partial(_apply_later, function, operands)
    return _result(function, operands)


def _apply_later(
    function: Callable[..., Number], operands: tuple[Value, ...], arguments: Mapping[str, float]
) -> Number:
    return _result(function, [operand(arguments) if callable(operand) else operand for operand in operands])


def _result(function: Callable[..., Number], operands: Iterable[Value]) -> Number:
    try:
        return _checked(function(*operands))
    except (ArithmeticError, ValueError):
        raise Declined from None


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str, parameters: Collection[str]) -> None:
        self._tokens = [
            (token.lastgroup, token[token.lastgroup or 0]) for token in _TOKEN.finditer(text.rstrip(BLANKS))
        ]
        self._tokens.append(("end", ""))
        self._at = 0
        self._depth = 0
        self._waiting = 0
        self._parameters = parameters

    def read_one(self) -> Value:
        values = self.read_list()
        if len(values) != 1:
            raise Declined
        return values[0]

    def read_list(self) -> tuple[Value, ...]:
        """The values of the whole text; an empty list if it is blank."""
        if len(self._tokens) == 1:
            return ()
        values = self._separated()
        if self._tokens[self._at][0] != "end":
            raise Declined
        return values

    def _separated(self) -> tuple[Value, ...]:
        values = [self._expression(1)]
        while self._tokens[self._at] == ("sign", ","):
            self._at += 1
            values.append(self._expression(1))
        return tuple(values)

    def _expression(self, least_rank: int) -> Value:
        self._depth += 1
        if self._depth > _MAX_NESTING:
            raise Declined
        left = self._operand()
        while (binary := _BINARY.get(self._tokens[self._at][1])) and binary.rank >= least_rank:
            self._at += 1
            left = self._applied(binary.function, (left, self._expression(binary.right_rank)))
        self._depth -= 1
        return left

    def _operand(self) -> Value:
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind:
            case "float":
                return _float_of(text)
            case "integer" if len(text) <= _MAX_DIGITS:
                return int(text)
            case "name":
                return self._named(text)
            case "sign" if text == "-":
                return self._applied(operator.neg, (self._expression(_UNARY_RANK),))
            case "sign" if text == "(":
                return self._closed(self._expression(1))
        raise Declined

    def _named(self, name: str) -> Value:
        if name in self._parameters:
            return operator.itemgetter(name)
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in FUNCTIONS or self._tokens[self._at] != ("sign", "("):
            raise Declined
        self._at += 1
        count, function = FUNCTIONS[name]
        operands = self._closed(self._separated())
        if len(operands) != count:
            raise Declined
        return self._applied(function, operands)

    def _applied(self, function: Callable[..., Number], operands: tuple[Value, ...]) -> Value:
        value = _apply(function, operands)
        self._waiting += callable(value)
        if self._waiting > _MAX_WAITING:
            raise Declined
        return value

    def _closed(self, inner: _Inner) -> _Inner:
        if self._tokens[self._at] != ("sign", ")"):
            raise Declined
        self._at += 1
        return inner
