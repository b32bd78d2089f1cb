"""One generator of programs for all front ends, with expected values from an evaluator of its own."""

import math

import pytest

from tests.difference.branches import distribution
from tests.difference.c99 import Scope, Undefined, evaluate
from tests.difference.language import (
    Apply,
    Binary,
    Bit,
    Cast,
    Expression,
    If,
    Kind,
    Measure,
    Name,
    Number,
    Pi,
    Program,
    Statement,
    Unary,
    expression_text,
)

VALUES: list[tuple[Expression, int | float]] = [
    (Binary("/", Number(-7), Number(2)), -3),
    (Binary("%", Number(-7), Number(2)), -1),
    (Binary("-", Cast(Kind("uint", 4), Number(3)), Cast(Kind("uint", 4), Number(5))), 14),
    (Binary("-", Cast(Kind("uint", 4), Number(3)), Number(5)), -2),
    (Binary("-", Cast(Kind("uint", 4), Number(3)), Cast(Kind("int", 8), Number(5))), -2),
    (Cast(Kind("uint", 8), Number(-1)), 255),
    (Cast(Kind("int"), Number(-3.9)), -3),
    (Binary("<", Cast(Kind("int", 8), Number(-1)), Cast(Kind("uint", 8), Number(1))), 0),
    (Binary("*", Binary("/", Number(-1), Number(2)), Pi()), 0.0),
    (Binary("/", Binary("*", Number(-1), Pi()), Number(2)), -math.pi / 2),
]


@pytest.mark.parametrize(("expression", "value"), VALUES, ids=[expression_text(one) for one, _ in VALUES])
def test_evaluator_follows_c99(expression: Expression, value: float) -> None:
    assert evaluate(expression, Scope({}, {}, {})).number == value


UNDEFINED: list[Expression] = [
    Binary("/", Number(1), Number(0)),
    Cast(Kind("int", 4), Number(8)),
    Binary("<<", Number(-1), Number(1)),
    Binary(">>", Cast(Kind("uint", 4), Number(1)), Number(4)),
]


@pytest.mark.parametrize("expression", UNDEFINED, ids=map(expression_text, UNDEFINED))
def test_evaluator_knows_what_c99_leaves_open(expression: Expression) -> None:
    with pytest.raises(Undefined):
        evaluate(expression, Scope({}, {}, {}))


def test_evaluator_follows_every_outcome() -> None:
    turn = Apply("rx", [Binary("/", Pi(), Number(3))], [Number(1)])
    body: list[Statement] = [
        Apply("h", [], [Number(0)]),
        Measure(0, "c", 0),
        If(Bit("c", 0), [turn], []),
        Measure(1, "c", 1),
    ]
    found = distribution(Program(2, [("c", 2)], [], [], body))
    assert found == pytest.approx({"00": 0.5, "01": 0.375, "11": 0.125})


def test_text_has_no_more_parentheses_than_it_needs() -> None:
    difference = Binary("-", Name("a"), Binary("-", Name("b"), Number(-1)))
    assert expression_text(Binary("*", difference, Unary("-", Name("c")))) == "(a - (b - -1)) * -c"
    assert expression_text(Binary("**", Number(-2), Number(2))) == "(-2) ** 2"
    assert expression_text(Unary("-", Binary("**", Number(2), Number(2)))) == "-2 ** 2"
