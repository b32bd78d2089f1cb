"""Expressions of Qiskit's parameters, against what Qiskit binds, and against central differences of that."""

import random
from typing import Any

import pytest
from qiskit.circuit import Parameter, ParameterExpression, ParameterVector

from ketline.domain.errors import GradientInvalid
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.circuit.derivatives.expressions import evaluated, linear_terms

A, B = Parameter("a"), Parameter("b")
V = ParameterVector("v", 2)
PARAMETERS = [A, B, *V]
STEP = 1e-3


def random_expression(draw: random.Random, depth: int = 0) -> Any:
    """Sums, products, quotients, powers and functions, all with real values near 0."""
    if depth > 4 or draw.random() < 0.2:
        return draw.choice([*PARAMETERS, *PARAMETERS, 2, -0.7])
    one, other = (random_expression(draw, depth + 1) for _ in range(2))
    match draw.randrange(9):
        case 0 | 1:
            return one + other
        case 2:
            return one - other
        case 3:
            return one * other
        case 4:
            return one / (other * other + 1.5)
        case 5:
            return (one * one + 0.7) ** draw.choice([2, 0.5, -1, draw.choice(PARAMETERS)])
        case 6:
            return draw.choice([3, 0.5]) - one
        case 7:
            return 2 / (one * one + 1)
    if not isinstance(one, ParameterExpression):
        return one
    bounded = one.sin() * 0.9
    return draw.choice(
        [
            one.cos,
            bounded.tan,
            bounded.exp,
            bounded.arcsin,
            bounded.arccos,
            one.arctan,
            (bounded + 1.5).log,
            one.conjugate,
            (bounded + 2).abs,
        ]
    )()


def value_of(expression: ParameterExpression, numbers: dict[str, float]) -> float:
    return float(expression.bind({one: numbers[one.name] for one in expression.parameters}).numeric())


@pytest.mark.parametrize("seed", range(60))
def test_values_and_slopes(seed: int) -> None:
    draw = random.Random(seed)
    expression = random_expression(draw) + A
    numbers = {one.name: draw.uniform(-1, 1) for one in PARAMETERS}
    assert evaluated(expression, numbers) == pytest.approx(value_of(expression, numbers), rel=1e-12)
    names = list(numbers)
    found = evaluated(expression, {name: Dual(numbers[name], {place: 1.0}) for place, name in enumerate(names)})
    assert found.value == pytest.approx(value_of(expression, numbers), rel=1e-12)
    for place, name in enumerate(names):
        near, far = (
            value_of(expression, {**numbers, name: numbers[name] + size})
            - value_of(expression, {**numbers, name: numbers[name] - size})
            for size in (STEP, 2 * STEP)
        )
        assert found.slopes.get(place, 0.0) == pytest.approx((8 * near - far) / (12 * STEP), rel=1e-6, abs=1e-6)


def test_only_some_parameters_have_slopes() -> None:
    assert evaluated(A * B, {"a": 3.0, "b": Dual(2.0, {7: 1.0})}).slopes == {7: 3.0}
    assert evaluated((A - B).sign() * A, {"a": 3.0, "b": 5.0}) == -3.0


def test_what_has_no_slope() -> None:
    for expression, at in [(A.sign(), 0.5), (abs(A), 0.0), (A**0.5, 0.0)]:
        with pytest.raises(GradientInvalid):
            evaluated(expression, {"a": Dual(at, {0: 1.0})})


LINEAR: list[tuple[Any, float, dict[str, float]]] = [
    (2 * A + B / 4 - 1, -1.0, {"a": 2.0, "b": 0.25}),
    (3 - (A - 2 * V[1]) * 2, 3.0, {"a": -2.0, "v[1]": 4.0}),
    (-A, 0.0, {"a": -1.0}),
    ((2 * A).subs({A: B + 1}), 2.0, {"b": 2.0}),
]


@pytest.mark.parametrize(("expression", "constant", "factors"), LINEAR)
def test_sums_of_multiples(expression: ParameterExpression, constant: float, factors: dict[str, float]) -> None:
    assert linear_terms(expression) == (constant, factors)


@pytest.mark.parametrize("expression", [A * B, A / B, 1 / A, A**2, 2**A, A.sin(), abs(A)])
def test_everything_else_is_no_sum_of_multiples(expression: ParameterExpression) -> None:
    assert linear_terms(expression) is None
