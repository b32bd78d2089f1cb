"""Numbers with their derivatives: arithmetic on them differentiates an expression exactly (forward mode).

The front ends compute angles with them for tasks that have a gradient. A dual number is no `float` and does not become
one: an operation through which no derivative is carried raises an error, and never drops it.

Source: A. Griewank and A. Walther, Evaluating Derivatives, SIAM 2008, chapter 3.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Never

from ketline.domain.errors import GradientInvalid, ProgramInvalid

_REJECTED = (
    "the gradient cannot follow an input through a comparison, a rounding or a cast to a type other than 'float' and "
    "'angle': name the other inputs in 'gradient', or leave this out"
)


class Dual:
    """A real number with `slopes`, its derivatives by the number of the variable; those that are missing are 0."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: float, slopes: Mapping[int, float]) -> None:
        self.value = value
        self.slopes = slopes

    def mapped(self, value: float, slope: float) -> "Dual":
        """A function's value at this number, where it has this slope."""
        return Dual(value, {variable: slope * own for variable, own in self.slopes.items()})

    def __add__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):
            return Dual(self.value + other, self.slopes)
        return Dual(self.value + other.value, _combined(self, 1.0, other, 1.0))

    __radd__ = __add__

    def __neg__(self) -> "Dual":
        return self.mapped(-self.value, -1.0)

    def __sub__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):
            return Dual(self.value - other, self.slopes)
        return Dual(self.value - other.value, _combined(self, 1.0, other, -1.0))

    def __rsub__(self, other: Any) -> "Dual":
        return self.mapped(other - self.value, -1.0)

    def __mul__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):
            return self.mapped(self.value * other, other)
        return Dual(self.value * other.value, _combined(self, other.value, other, self.value))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):
            return self.mapped(self.value / other, 1 / other)
        quotient = self.value / other.value
        return Dual(quotient, _combined(self, 1 / other.value, other, -quotient / other.value))

    def __rtruediv__(self, other: Any) -> "Dual":
        quotient = other / self.value
        return self.mapped(quotient, -quotient / self.value)

    def __pow__(self, other: Any) -> "Dual":
        exponent = value_of(other)
        power = _real(self.value**exponent)
        slope = _slope_of_power(self.value, exponent)
        if not isinstance(other, Dual):
            return self.mapped(power, slope)
        return Dual(power, _combined(self, slope, other, power * _logarithm(self.value)))

    def __rpow__(self, other: Any) -> "Dual":
        power = _real(other**self.value)
        return self.mapped(power, power * _logarithm(other))

    def __mod__(self, other: Any) -> "Dual":
        """The remainder by a number; its slope at the jumps is that of their sides."""
        if isinstance(other, Dual):
            raise GradientInvalid("the gradient cannot follow an input in the divisor of '%' or 'mod'")
        return Dual(self.value % other, self.slopes)

    def _reject(self, *_: object) -> Never:
        raise GradientInvalid(_REJECTED)

    __float__ = __int__ = __index__ = __bool__ = __trunc__ = __round__ = __floor__ = __ceil__ = _reject
    __lt__ = __le__ = __gt__ = __ge__ = __abs__ = __floordiv__ = __rfloordiv__ = __rmod__ = __divmod__ = _reject
    __and__ = __or__ = __xor__ = __invert__ = __lshift__ = __rshift__ = __rand__ = __ror__ = __rxor__ = _reject

    def __eq__(self, other: object) -> bool:
        self._reject(other)

    def __ne__(self, other: object) -> bool:
        self._reject(other)

    __hash__ = None  # type: ignore[assignment]  # numbers with derivatives are no keys


def value_of(number: Any) -> Any:
    """A number without its derivatives."""
    return number.value if isinstance(number, Dual) else number


def real(number: Any) -> Any:
    """A number as a float; a dual number as it is."""
    return number if isinstance(number, Dual) else float(number)


def call(function: Callable[..., float], number: Dual) -> Dual:
    """The value of a function of module `math`, whose derivative is known, at a dual number.

    Raises:
        GradientInvalid: its derivative is not known, or it has no derivative at this number.
        ValueError, ArithmeticError: the function has no value at this number.
    """
    slope, name = _SLOPES.get(function), _NAMES.get(function, function.__name__.strip("_"))
    if slope is None:
        raise GradientInvalid(f"the gradient cannot follow an input through '{name}', which has jumps")
    value = function(number.value)
    try:
        return number.mapped(value, slope(number.value, value))
    except (ArithmeticError, ValueError):
        raise GradientInvalid(f"'{name}' has no derivative at {number.value:g}") from None


# The derivative of a function, from its argument and its value.
_SLOPES: Mapping[Callable[..., float], Callable[[float, float], float]] = {
    math.sin: lambda at, _: math.cos(at),
    math.cos: lambda at, _: -math.sin(at),
    math.tan: lambda _, value: 1 + value * value,
    math.acos: lambda at, _: -1 / math.sqrt(1 - at * at),
    math.asin: lambda at, _: 1 / math.sqrt(1 - at * at),
    math.atan: lambda at, _: 1 / (1 + at * at),
    math.exp: lambda _, value: value,
    math.log: lambda at, _: 1 / at,
    math.sqrt: lambda _, value: 0.5 / value,
    math.fabs: lambda at, value: at / value,
}
_NAMES = {math.acos: "arccos", math.asin: "arcsin", math.ceil: "ceiling", math.fabs: "abs"}


def _combined(one: Dual, factor: float, other: Dual, other_factor: float) -> Mapping[int, float]:
    slopes = {variable: factor * slope for variable, slope in one.slopes.items()}
    for variable, slope in other.slopes.items():
        slopes[variable] = slopes.get(variable, 0.0) + other_factor * slope
    return slopes


def _slope_of_power(base: float, exponent: float) -> float:
    if not exponent:
        return 0.0
    try:
        return exponent * _real(base ** (exponent - 1))
    except ArithmeticError:
        raise GradientInvalid(f"the power {exponent:g} has no derivative at the base {base:g}") from None


def _logarithm(base: float) -> float:
    if base <= 0:
        raise GradientInvalid(f"a power with an input in its exponent has no derivative at the base {base:g}")
    return math.log(base)


def _real(power: Any) -> float:
    if isinstance(power, complex):
        raise ProgramInvalid("this power is not a real number")
    return float(power)
