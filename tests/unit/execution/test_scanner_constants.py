"""Constant expressions give what Python gives for the same operations."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketline.execution.frontend.scanner.constants import FUNCTIONS, decimal_of, integer_of, values_of
from ketline.execution.frontend.scanner.lexicon import Declined

PYTHON = {"π": math.pi, "pi": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
PYTHON_FUNCTIONS = {"arccos": math.acos, "arcsin": math.asin, "arctan": math.atan} | {
    name: getattr(math, name) for name in ("cos", "exp", "log", "sin", "sqrt", "tan")
}


@dataclass(frozen=True)
class Expression:
    """A text of the language, and one of Python that means the same."""

    text: str
    python: str


def leaves() -> st.SearchStrategy[Expression]:
    numbers = st.one_of(st.floats(0, 100).map(repr), st.sampled_from(["1.", ".5", "1e2", "2.5E-1", *PYTHON]))
    # Python takes ℇ for another letter.
    return numbers.map(lambda text: Expression(text, text.replace("ℇ", "euler")))


def branches(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def join(left: Expression, operator: str, right: Expression) -> Expression:
        return Expression(f"{left.text} {operator}{right.text}", f"{left.python} {operator}{right.python}")

    return st.one_of(
        st.builds(join, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        inner.map(lambda one: Expression(f"-{one.text}", f"-{one.python}")),
        inner.map(lambda one: Expression(f"( {one.text})", f"({one.python})")),
        st.builds(
            lambda name, one: Expression(f"{name}({one.text})", f"{name}({one.python})"),
            st.sampled_from(sorted(PYTHON_FUNCTIONS)),
            inner,
        ),
    )


@given(st.recursive(leaves(), branches, max_leaves=8))
def test_floats_as_in_python(expression: Expression) -> None:
    try:
        expected = eval(expression.python, {"__builtins__": {}}, PYTHON | PYTHON_FUNCTIONS)
    except (ArithmeticError, ValueError, TypeError):  # a complex number has no sine
        expected = math.nan
    try:
        (value,) = values_of(expression.text)
    except Declined:
        return
    assert value == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 4", -3),
        ("mod(-7, 4)", -3),
        ("7 % 4", 3),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ** -1.0", 0.5),
        ("2 - 3 - 4", -5),
        ("2 * 3 % 4", 2),
        ("mod(7, 4)", 3),
        ("mod(7.5, 4)", 3.5),
        ("pow(2, 10)", 1024),
        ("pow(2.0, 0.5)", math.sqrt(2)),
        ("floor(-1.5)", -2.0),
        ("ceiling(1.2)", 2.0),
        ("arctan(1) * 4", math.pi),
        ("1 - -1", 2),
        ("010", 10),
    ],
)
def test_values(text: str, value: float) -> None:
    (found,) = values_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "-7.5 % 4",
        "7.5 % 2",
        "mod(-7.5, 4)",
        "2 ** -1",
        "2 ** 60",
        "log(0)",
        "sqrt(-1)",
        "floor(1e300 * 1e300)",
        "popcount(3)",
        "sin",
        "pi(1)",
        "__import__",
        "1 if 1 else 2",
        "mod(1, 0)",
        "9007199254740993",
        "9007199254740992 + 1",
    ],
)
def test_declined(text: str) -> None:
    with pytest.raises(Declined):
        values_of(text)


def test_integers_only_where_integers_belong() -> None:
    assert integer_of(" 2 * 2 ") == 4
    with pytest.raises(Declined):
        integer_of("2.0")


def test_every_function_of_one_argument_takes_one() -> None:
    for name, (count, _) in FUNCTIONS.items():
        with pytest.raises(Declined):
            values_of(f"{name}({', '.join('1' * (count + 1))})")


@given(
    st.sampled_from(["", "-"]),
    st.one_of(st.none(), st.integers(0, 99_999_999)),
    st.one_of(st.none(), st.integers(0, 99_999_999)),
)
def test_usual_fractions_of_pi_are_the_same_expressions(sign: str, times: int | None, divisor: int | None) -> None:
    text = f"{sign}{'' if times is None else f'{times}*'}pi{'' if divisor is None else f'/{divisor}'}"
    if divisor == 0:
        with pytest.raises(Declined):
            values_of(text)
        return
    (usual,), (unusual,) = values_of(text), values_of(f"({text.replace('*', ' * ').replace('/', ' / ')})")
    assert repr(usual) == repr(unusual)


@given(st.text("0123456789.-", max_size=9))
def test_decimals_are_the_same_expressions(text: str) -> None:
    number = decimal_of(text)
    assert number is None or repr(values_of(f"({text})")) == repr((number,))
