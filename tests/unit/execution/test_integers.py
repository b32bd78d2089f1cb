"""Integers have the values of C99, whichever front end reads the program and whatever else stands in it."""

import pytest

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.integers import quotient, remainder
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.reference import assert_counts_match
from tests.unit.execution.conftest import Run

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
# An integer from -32 to 31, as an expression without variables, and its value.
VALUES = {
    "-1 / 2": 0,
    "-7 / 2": -3,
    "7 / -2": -3,
    "-7 / -2": 3,
    "-8 / 2": -4,
    "(1 - 8) / 2": -3,
    "-(7 / 2)": -3,
    "-7 / 2 * 2": -6,
    "-7 / 2 / 2": -1,
    "(-1 - 2 * 3) / 3 - 1 / 2": -2,
    "1 / 2": 0,
    "0 / -5": 0,
    "31 / 4 / 2": 3,
}
BEYOND_THE_IMPORTER = {"-7 % 2": -1, "7 % -2": 1, "-7 % -4": -3, "mod(-7, 4)": -3, "(-2) ** 3": -8, "-2 ** 2": -4}
# What may stand in a program beside the expression, and the front end that then reads it.
SURROUNDINGS = {
    "scanner": "",
    "importer": "inv @ U(0, 0, 0) q[0];",
    "unroller": "int unused = 0;",
    "unroller, beside a constant": "const int unused = 7 / 2;",
}
_BITS = 6


def shown(expression: str, target: str = "q") -> str:
    """Flips qubit k where bit k of an integer from -32 to 31 is 1, in two's complement."""
    return " ".join(f"rx((({expression}) + 64) / {1 << k} * pi) {target}[{k}];" for k in range(_BITS))


def key(value: int) -> str:
    return f"{value & (1 << _BITS) - 1:0{_BITS}b}"


@pytest.mark.parametrize(("front_end", "statement"), SURROUNDINGS.items(), ids=SURROUNDINGS)
@pytest.mark.parametrize(("expression", "value"), (VALUES | BEYOND_THE_IMPORTER).items())
def test_constant_expression(simulator: Simulator, front_end: str, statement: str, expression: str, value: int) -> None:
    text = f"{HEADER}qubit[{_BITS}] q; bit[{_BITS}] c; {statement} {shown(expression)} c = measure q;"
    program = load_program(text, ExecutionLimits())
    (found,) = simulator.run(program, 20).counts
    assert found.split()[-1] == key(value)
    if expression in VALUES:
        assert front_end.startswith(program.front_end)


def test_angle_of_an_integer_that_is_zero_turns_nothing(run: Run) -> None:
    assert run("qubit q; bit c; rx(-1/2*pi) q; c = measure q;") == {"0": 100}
    assert run("int i = 0; qubit q; bit c; rx(-1/2*pi) q; c = measure q;") == {"0": 100}


# Bodies of a loop over i from -3 to 3 that adds a rotation in each turn, and the sum of their integers over the turns.
LOOPS = {
    "i / 2": sum((-1, -1, 0, 0, 0, 1, 1)),
    "-i / 2": sum((1, 1, 0, 0, 0, -1, -1)),
    "7 / (i + 4)": 7 + 3 + 2 + 1 + 1 + 1 + 1,
    "(i * i + i) / 3": 2 + 0 + 0 + 0 + 0 + 2 + 4,
    "i * (i / 2) - i": 3 + 2 + 0 + 0 + 0 + 2 + 3,
    "(5 * i - 2) / 4 + 1 / 2": -4 - 3 - 1 + 0 + 0 + 2 + 3,
}


@pytest.mark.parametrize("leave", ["break", "continue"])
@pytest.mark.parametrize(("expression", "total"), LOOPS.items())
def test_variable_of_a_loop_that_may_be_left(run: Run, expression: str, total: int, leave: str) -> None:
    rotations = " ".join(f"rx(({expression}) * pi / {1 << k}) q[{k}];" for k in range(4))
    back = " ".join(f"rx(-{total} * pi / {1 << k}) q[{k}];" for k in range(4))
    body = f"for int i in [-3:3] {{ {rotations} c[4] = measure q[4]; if (c[4]) {leave}; }}"
    assert run(f"qubit[5] q; bit[5] c; {body} {back} c = measure q;") == {"00000": 100}


def test_distribution_of_a_loop_that_may_be_left(run: Run) -> None:
    body = "for int i in [0:3] { rx(i/2*pi/4) q[0]; c[1] = measure q[1]; if (c[1]) break; } c[0] = measure q[0];"
    assert_counts_match(run(f"qubit[2] q; bit[2] c; {body}", 4000), {"00": 0.5, "01": 0.5}, 4000)


def test_variables_of_nested_loops_that_may_be_left(run: Run) -> None:
    total = sum(quotient(i + j, 2) for i in range(-2, 3) for j in (5, 1, -4))
    body = (
        "for int i in [-2:2] { for int j in {5, 1, -4} { rx((i + j) / 2 * pi / 8) q[0]; c[1] = measure q[1]; "
        "if (c[1]) break; } if (c[1]) break; }"
    )
    assert run(f"qubit[2] q; bit[2] c; {body} rx(-{total} * pi / 8) q[0]; c = measure q;") == {"00": 100}


def test_gate_parameter_divides_as_a_real_number_whatever_it_is_called_with(run: Run) -> None:
    gate = "gate half(a, b) t { rx(a / b * pi) t; } qubit[2] q; bit[2] c;"
    assert run(f"{gate} half(-1, 2) q[0]; half(-1, 2) q[0]; c = measure q;") == {"01": 100}
    assert run(f"int i = 0; {gate} half(-1, 2) q[0]; half(-1, 2) q[0]; c = measure q;") == {"01": 100}
    loop = "for int i in [1:2] { half(i, 2) q[0]; half(-1, 2) q[0]; c[1] = measure q[1]; if (c[1]) break; }"
    assert run(f"{gate} {loop} half(-1, 2) q[0]; half(2, 2) q[0]; c = measure q;") == {"01": 100}


ELSEWHERE = {
    "index of a qubit": ("qubit[3] q; bit[3] c; x q[-1/2]; c = measure q;", "001"),
    "size of a register": ("qubit[3 + -1/2] q; bit[3 + -1/2] c; x q[2]; c = measure q;", "100"),
    "range": ("qubit[3] q; bit[3] c; x q[-1/2:1]; c = measure q;", "011"),
    "values of a loop": ("qubit[3] q; bit[3] c; for int i in [-1/2:1] { x q[i]; } c = measure q;", "011"),
    "set of a loop": ("qubit[3] q; bit[3] c; for int i in {-1/2, 2} { x q[i]; } c = measure q;", "101"),
    "power of a gate": ("qubit q; bit c; pow(-1/2) @ x q; c = measure q;", "0"),
    "number of controls": ("qubit[2] q; bit[2] c; x q[0]; ctrl(1 - 1/2) @ x q[0], q[1]; c = measure q;", "11"),
    "condition on a register": ("qubit q; bit[2] c; if (c == -1/2) x q; c[0] = measure q;", "01"),
    "condition on a bit": ("qubit q; bit[2] c; if (c[0] == -1/2) x q; c[0] = measure q;", "01"),
    "index in a condition": ("qubit q; bit[2] c; x q; c[0] = measure q; if (c[-1/2]) x q; c[1] = measure q;", "01"),
    "range in a condition": (
        "qubit[3] q; bit[3] c; x q[1]; c = measure q; if (c[-2:-1] == 1) x q[0]; c = measure q;",
        "011",
    ),
    "argument of a gate of the program": (
        "gate turn(a) t { rx(a * pi) t; } qubit q; bit c; turn(-1/2) q; c = measure q;",
        "0",
    ),
    "expression in a gate of the program": (
        "gate turn(a) t { rx(-1/2 * a) t; } qubit q; bit c; turn(pi) q; c = measure q;",
        "0",
    ),
    "global phase": ("qubit[1] q; bit[1] c; h q; ctrl @ gphase(-1/2*pi) q; h q; c = measure q;", "0"),
}


@pytest.mark.parametrize("unrelated", ["", "int unrelated = 0; "], ids=["alone", "beside a variable"])
@pytest.mark.parametrize(("body", "outcome"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_integers_elsewhere(run: Run, body: str, outcome: str, unrelated: str) -> None:
    assert run(unrelated + body) == {outcome: 100}


TYPED = {
    "wider signed type": ("int[16] a = -4; uint[4] b = 2; int d = a / b;", "d", -2),
    "difference in the wider signed type": ("int[16] a = 3; uint[4] b = 5; int d = a - b;", "d", -2),
    "remainder keeps the sign of the dividend": ("int[8] a = -17; int[8] b = 5;", "a % b", -2),
    "remainder by assignment": ("int[8] a = -17; a %= 5;", "a", -2),
    "quotient by assignment": ("int[8] a = -17; a /= 5;", "a", -3),
    "real number cut towards zero": ("int a = -7; a /= 2.0;", "a", -3),
    "cast cuts towards zero": ("", "int(-3.9)", -3),
    "constant": ("const int n = -7 / 2;", "n", -3),
    "argument of a subroutine": ("def f(int n) -> int { return n / 2; }", "f(-7)", -3),
    "element of an array": ("array[int[8], 2] a = {-7, 2};", "a[0] / a[1]", -3),
    "label of a switch": ("int n = 0; switch (n) { case -1/2 { n = 5; } default { n = 6; } }", "n", 5),
    "integers and reals compared as reals": (
        "int n = 0; if (9007199254740993 == 9007199254740992.0) n = 1;",
        "n",
        1,
    ),
}


@pytest.mark.parametrize(("statements", "expression", "value"), TYPED.values(), ids=TYPED)
def test_typed_integers(run: Run, statements: str, expression: str, value: int) -> None:
    body = f"{statements} qubit[{_BITS}] q; bit[{_BITS}] c; {shown(expression)} c = measure q;"
    assert run(body) == {key(value): 100}


OPEN = {
    "negative number by an unsigned one": "uint[4] b = 2; int a = -4; qubit q; bit c; rx(a / b * pi) q; c = measure q;",
    "loop of unsigned numbers from a negative one": "qubit q; bit c; for uint i in [-1:1] { rx(i) q; } c = measure q;",
    "loop's number over its width": "qubit q; bit c; for int[3] i in [0:4] { rx(i) q; } c = measure q;",
    "sum over a loop variable's width": "qubit q; bit c; for uint[2] i in [0:3] { rx((i + 1) / 2) q; } c = measure q;",
    "unsigned loop variable below zero": "qubit q; bit c; for uint i in [0:1] { rx((i - 1) / 2) q; } c = measure q;",
}


@pytest.mark.parametrize("unrelated", ["", "int unrelated = 0; "], ids=["alone", "beside a variable"])
@pytest.mark.parametrize("body", OPEN.values(), ids=OPEN)
def test_integers_that_depend_on_the_machine_are_rejected(run: Run, body: str, unrelated: str) -> None:
    with pytest.raises(ProgramUnsupported):
        run(unrelated + body)


@pytest.mark.parametrize("dividend", range(-9, 10))
@pytest.mark.parametrize("divisor", [-4, -3, -1, 1, 2, 5])
def test_division_leaves_a_remainder_smaller_than_the_divisor(dividend: int, divisor: int) -> None:
    assert quotient(dividend, divisor) == int(dividend / divisor)
    assert quotient(dividend, divisor) * divisor + remainder(dividend, divisor) == dividend
    assert abs(remainder(dividend, divisor)) < abs(divisor)


@pytest.mark.parametrize(
    "expression",
    [
        "i / 100 - (i / i + 1)",
        "i / i - (i + 1)",
        "(i + 1) * (i + 4)",
        "(i + 1) << 2",
        "~(i + 1)",
        "((i + 1) | i) * (i + 6)",
    ],
)
def test_result_that_depends_on_the_width_of_int_is_rejected(expression: str) -> None:
    """By C99, `i + 1` has the type of an `int` if that is wider than `i`: what leaves 3 bits is then not wrapped."""
    text = f"{HEADER}qubit q; uint[3] i = 1; rx(({expression}) * pi / 8) q;"
    with pytest.raises(ProgramUnsupported):
        load_program(text, ExecutionLimits())


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("i = i + i + 4 + i;", 7),
        ("i = (i + 5) - (i + 6);", 7),
        ("i = i + 7;", 0),
        ("i += 7;", 0),
        ("i = i - (i + i);", 7),
        ("uint[3] j = i + 1; i = i - j;", 7),
    ],
)
def test_what_is_assigned_to_the_same_type_wraps(simulator: Simulator, statement: str, value: int) -> None:
    text = f"{HEADER}qubit[{_BITS}] q; bit[{_BITS}] c; uint[3] i = 1; {statement} {shown('int[16](i)')} c = measure q;"
    (found,) = simulator.run(load_program(text, ExecutionLimits()), 20).counts
    assert found.split()[-1] == key(value)
