"""Numbers with derivatives, against central differences; what carries no derivative is rejected."""

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest

from ketline.domain.errors import GradientInvalid, ProgramInvalid
from ketline.execution.circuit.derivatives.dual import Dual, call, real, value_of

X, Y = 0.7, -1.3
STEP = 1e-3


def slope(function: Callable[[float], float], at: float) -> float:
    """The derivative by differences of fourth order."""
    near, far = (function(at + size) - function(at - size) for size in (STEP, 2 * STEP))
    return (8 * near - far) / (12 * STEP)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "sum": operator.add,
    "difference": operator.sub,
    "product": operator.mul,
    "quotient": operator.truediv,
    "reflected": lambda x, y: (2 - x) * (3 / y) + 4 * y + (1 + x),
    "square": lambda x, y: x**2 * y**3,
    "power": lambda x, y: x**y,
    "exponent": lambda x, y: 1.7**y - x,
    "negative": lambda x, y: -(x * y) / -x,
    "remainder": lambda x, y: (x * 5) % 2 + y,
}


@pytest.mark.parametrize("function", BINARY.values(), ids=BINARY)
def test_arithmetic_has_the_slopes_of_differences(function: Callable[[Any, Any], Any]) -> None:
    found = function(Dual(X, {0: 1.0}), Dual(Y, {1: 1.0}))
    assert value_of(found) == function(X, Y)
    assert found.slopes.get(0, 0.0) == pytest.approx(slope(lambda x: function(x, Y), X), abs=1e-9)
    assert found.slopes.get(1, 0.0) == pytest.approx(slope(lambda y: function(X, y), Y), abs=1e-9)


FUNCTIONS = [math.sin, math.cos, math.tan, math.acos, math.asin, math.atan, math.exp, math.log, math.sqrt]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_functions_have_the_slopes_of_differences(function: Callable[[float], float]) -> None:
    found = call(function, Dual(0.3, {5: 2.0}))
    assert found.value == function(0.3)
    assert found.slopes == {5: pytest.approx(2 * slope(function, 0.3), abs=1e-9)}


def test_slopes_of_one_variable_add_up() -> None:
    x = Dual(X, {3: 1.0})
    assert (x * x + x).slopes == {3: pytest.approx(2 * X + 1)}


REJECTED: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "int": int,
    "bool": bool,
    "round": round,
    "trunc": math.trunc,
    "floor": math.floor,
    "sine": math.sin,
    "abs": abs,
    "equal": lambda x: x == 0.7,
    "unequal": lambda x: x != 0.7,
    "less": lambda x: x < 1,
    "at most": lambda x: x <= 1,
    "greater": lambda x: x > 1,
    "at least": lambda x: x >= 1,
    "reflected": lambda x: x > 1,
    "floor division": lambda x: x // 2,
    "reflected floor division": lambda x: 2 // x,
    "reflected remainder": lambda x: 2 % x,
    "remainder by it": lambda x: x % x,
    "shift": lambda x: x << 1,
    "bits": lambda x: x & 1,
    "reflected bits": lambda x: 1 | x,
    "inverted": lambda x: ~x,
    "condition": lambda x: 1 if x else 0,
    "index": lambda x: [1, 2][x],
    "ceiling": lambda x: call(math.ceil, x),
}


@pytest.mark.parametrize("operation", REJECTED.values(), ids=REJECTED)
def test_no_operation_drops_a_derivative(operation: Callable[[Any], Any]) -> None:
    with pytest.raises(GradientInvalid):
        operation(Dual(X, {0: 1.0}))


def test_dual_number_is_no_key() -> None:
    with pytest.raises(TypeError):
        hash(Dual(X, {}))


NOWHERE: dict[str, Callable[[Any], Any]] = {
    "root at 0": lambda x: call(math.sqrt, x),
    "broken power of 0": lambda x: x**0.5,
    "exponent at 0": lambda x: x ** Dual(2.0, {1: 1.0}),
    "exponent of 0": lambda x: 0.0**x,
    "arcsine at 1": lambda x: call(math.asin, 1 + x),
}


@pytest.mark.parametrize("operation", NOWHERE.values(), ids=NOWHERE)
def test_places_without_a_derivative(operation: Callable[[Any], Any]) -> None:
    with pytest.raises(GradientInvalid):
        operation(Dual(0.0, {0: 1.0}))


def test_power_that_is_not_real_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ProgramInvalid):
        Dual(-0.5, {0: 1.0}) ** 0.5


def test_first_powers_at_0() -> None:
    x = Dual(0.0, {0: 1.0})
    assert ((x**1).slopes, (x**2).slopes, (x**0).slopes) == ({0: 1.0}, {0: 0.0}, {0: 0.0})


def test_real_leaves_derivatives() -> None:
    x = Dual(X, {0: 1.0})
    assert real(x) is x
    assert type(real(3)) is float
