"""Programs with classical values give the outcomes that the specification says."""

import random

import pytest

from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.difference.classical import assert_agrees, make_classical
from tests.reference import assert_counts_match
from tests.unit.execution.conftest import Run

SHOW = "qubit[8] show; bit[8] c; "


def shown(number: str) -> str:
    """Statements that measure the lowest bits of a number."""
    return f"uint[8] shown_ = {number}; for int i in [0:7] {{ if (bool(shown_[i])) x show[i]; }} c = measure show;"


# Statements, a number they end with, and the value of it by the specification.
VALUES: dict[str, tuple[str, str, int]] = {
    "constant": ("const uint[8] n = 2 + 3;", "n", 5),
    "constant of constants": ("const int n = 2; const int m = n ** 3;", "m", 8),
    "unsigned wraps": ("uint[4] a = 15; a += 1;", "a", 0),
    "unsigned wraps below": ("uint[4] a = 3; a -= 5;", "a", 14),
    "unsigned product wraps": ("uint[4] a = 5; uint[4] b = 7; uint[4] d = a * b;", "d", 3),
    "division rounds towards zero": ("int a = -7; int b = a / 2;", "b + 10", 7),
    "remainder": ("int a = 17 % 5;", "a", 2),
    "precedence": ("int a = 2 + 3 * 4 - 6 / 2;", "a", 11),
    "power before sign": ("int a = 20 - 2 ** 2 ** 2;", "a", 4),
    "signed cast": ('bit[4] b = "1111"; int[4] a = int[4](b);', "a + 5", 4),
    "unsigned cast": ('bit[4] b = "1101"; uint[4] a = uint[4](b);', "a", 13),
    "float to integer": ("float f = 7.9; int a = int(f);", "a", 7),
    "float arithmetic": ("float f = 1.5; f *= 4; int a = int(f);", "a", 6),
    "boolean to integer": ("bool b = true; int a = int(b) + int(b);", "a", 2),
    "functions": ("int a = int(sqrt(16.0) + floor(2.7) + ceiling(2.2) + mod(7, 4));", "a", 12),
    "inverse functions": ("int a = int(arccos(-1.0) / pi * 10 + 0.5);", "a", 10),
    "popcount": ('bit[5] b = "10110";', "popcount(b)", 3),
    "rotate left": ('bit[4] b = "1001"; b = rotl(b, 1);', "uint[4](b)", 3),
    "rotate right": ('bit[4] b = "1001"; b = rotr(b, 1);', "uint[4](b)", 12),
    "bit 0 is the rightmost": ('bit[4] b = "0001"; int a = 0; if (b[0] == 1) a = 9;', "a", 9),
    "bit of an integer": ("uint[4] a = 10; int n = 0; if (bool(a[1])) n += 1; if (bool(a[0])) n += 2;", "n", 1),
    "set a bit of an integer": ("uint[4] a = 1; a[2] = 1;", "a", 5),
    "range of bits": ('bit[4] b = "1100"; bit[2] d = b[2:3];', "uint[2](d)", 3),
    "assign to a range of bits": ('bit[4] b; b[1:2] = "11";', "uint[4](b)", 6),
    "negative index": ("bit[4] b; b[-1] = 1;", "uint[4](b)", 8),
    "set of indices": ('bit[4] b; b[{0, 3}] = "11";', "uint[4](b)", 9),
    "and or xor": ("uint[4] a = 12; uint[4] b = 10; uint[4] d = (a & b) | (a ^ b);", "d", 14),
    "registers of bits combine": ('bit[4] a = "1100"; bit[4] b = "1010"; bit[4] d = ~(a ^ b);', "uint[4](d)", 9),
    "shifts": ("uint[8] a = 3; a <<= 4; a >>= 1;", "a", 24),
    "shift out": ("uint[4] a = 9; a <<= 1;", "a", 2),
    "shift of a register": ('bit[4] a = "0110"; a = a << 1;', "uint[4](a)", 12),
    "angle to bits": ("angle[4] a = pi / 2;", "uint[4](bit[4](a))", 4),
    "angle wraps": ("angle[4] a = pi; a += 3 * pi / 2;", "uint[4](bit[4](a))", 4),
    "angle doubled": ("angle[4] a = pi / 4; a = a * 2;", "uint[4](bit[4](a))", 4),
    "angle shifted": ("angle[4] a = pi / 4; a >>= 1;", "uint[4](bit[4](a))", 1),
    "negative angle": ("angle[4] a = pi / 2; a = -a;", "uint[4](bit[4](a))", 12),
    "angle resized": ("angle[8] a = pi / 2; angle[4] b = a;", "uint[4](bit[4](b))", 4),
    "ratio of angles' bits": ("angle[4] a = pi; int n = 0; if (a == pi) n = 1;", "n", 1),
    "logic": ("int a = 0; bool b = true && !false; if (b || false) a = 1;", "a", 1),
    "second operand of a decided 'or'": ("int zero = 0; int a = 0; if (true || 1 / zero == 1) a = 1;", "a", 1),
    "comparisons": ("int a = 0; if (1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2) a = 1;", "a", 1),
    "else": ("int a = 1; if (a == 2) { a = 3; } else if (a == 1) { a = 4; } else { a = 5; }", "a", 4),
    "for over a range": ("int a = 0; for int i in [1:4] { a += i; }", "a", 10),
    "for with a step": ("int a = 0; for uint i in [0:2:6] { a += int(i); }", "a", 12),
    "for downwards": ("int a = 0; for int i in [3:-1:1] { a = a * 3 + i; }", "a", 34),
    "for over a set": ("int a = 0; for int i in {5, 1, 5} { a += i; }", "a", 11),
    "for over an array": ("array[uint[8], 3] v = {1, 2, 4}; uint[8] a; for uint[8] i in v { a += i; }", "a", 7),
    "for over bits": ('bit[3] b = "101"; int a = 0; for bit d in b { a = 2 * a; if (d) a += 1; }', "a", 5),
    "for with floats": ("float f = 0; for float x in {0.5, 1.5} { f += x; }", "int(f)", 2),
    "range that is empty": ("int a = 7; for int i in [3:1] { a = 0; }", "a", 7),
    "break": ("int a = 0; for int i in [0:9] { if (i == 4) break; a += 1; }", "a", 4),
    "continue": ("int a = 0; for int i in [0:9] { if (i % 2 == 0) continue; a += 1; }", "a", 5),
    "break leaves one loop": (
        "int a = 0; for int i in [0:2] { for int j in [0:9] { if (j == i) break; a += 1; } }",
        "a",
        3,
    ),
    "while": ("int a = 0; int n = 5; while (n > 0) { n -= 1; a += 2; }", "a", 10),
    "scope of a loop's variable": ("int i = 3; for int i in [0:5] { } ", "i", 3),
    "scope of a block": ("int a = 1; { int a = 2; a = 3; }", "a", 1),
    "switch": (
        "int n = 2; int a = 0; switch (n) { case 1 { a = 1; } case 2, 3 { a = 2; } default { a = 3; } }",
        "a",
        2,
    ),
    "switch by default": ("int n = 9; int a = 0; switch (n) { case 1 { a = 1; } default { a = 3; } }", "a", 3),
    "switch without a case": ("int n = 9; int a = 4; switch (n) { case 1 { a = 1; } }", "a", 4),
    "array": ("array[uint[8], 2, 2] a = {{1, 2}, {3, 4}};", "a[1, 0]", 3),
    "array in brackets": ("array[uint[8], 2, 2] a = {{1, 2}, {3, 4}};", "a[0][1]", 2),
    "array element assigned": ("array[uint[8], 3] a; a[1] = 6; a[1] += 1;", "a[1]", 7),
    "array row assigned": ("array[uint[8], 2, 2] a; array[uint[8], 2] r = {8, 9}; a[1] = r;", "a[1, 1]", 9),
    "array slices": ("array[uint[8], 4] a = {1, 2, 3, 4}; a[0:1] = a[2:3];", "a[0] + a[1]", 7),
    "size of an array": ("array[uint[8], 3, 5] a;", "sizeof(a) + sizeof(a, 1)", 8),
    "subroutine": ("def f(uint[8] n) -> uint[8] { return n + 1; } uint[8] a = f(f(3));", "a", 5),
    "subroutine changes a copy": ("def f(uint[8] n) { n = 9; } uint[8] a = 2; f(a);", "a", 2),
    "subroutine changes an array": (
        "def f(mutable array[uint[8], 2] v) { v[0] = 9; } array[uint[8], 2] a; f(a);",
        "a[0]",
        9,
    ),
    "subroutine reads an array": (
        "def f(readonly array[uint[8], #dim = 1] v) -> uint[8] { return v[1]; } array[uint[8], 2] a = {4, 5};",
        "f(a)",
        5,
    ),
    "subroutine sees constants": ("const uint[8] n = 4; def f() -> uint[8] { return n; } uint[8] a = f();", "a", 4),
    "return from a loop": (
        "def f() -> int { for int i in [0:9] { if (i == 6) return i; } return 0; } int a = f();",
        "a",
        6,
    ),
    "alias of bits": ("bit[4] b; let d = b[1:2]; d[0] = 1;", "uint[4](b)", 2),
    "concatenation of bits": ('bit[2] a = "01"; bit[2] b = "10"; let d = a ++ b;', "uint[4](d)", 9),
    "end": ("int a = 5;", "a", 5),
    "variable without a value": ("uint[8] a; bit b; bool d; float f; if (b || d || f != 0) a = 1;", "a", 0),
}


@pytest.mark.parametrize(("statements", "expression", "value"), VALUES.values(), ids=VALUES.keys())
def test_value(run: Run, statements: str, expression: str, value: int) -> None:
    (key,) = run(f"{statements} {SHOW}{shown(expression)}")
    assert int(key.split()[0], 2) == value


# Programs whose outcome is certain, measurements decide part of them.
CERTAIN: dict[str, tuple[str, str]] = {
    "measured bit copied": (
        "qubit[2] q; bit[2] c; bit d; x q[0]; c[0] = measure q[0]; d = c[0]; if (d == 1) x q[1]; c[1] = measure q[1];",
        "1 11",
    ),
    "copy stays when the bit changes": (
        "qubit q; bit c; bit[1] d; x q; c = measure q; d[0] = c; reset q; c = measure q;",
        "1 0",
    ),
    "static assignment": ("qubit q; bit[2] c; bit[1] d; c[0] = 1; if (c[0] == 1) x q; d[0] = measure q;", "1 01"),
    "variable set in a measured branch": (
        "int i = 0; qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0] == 1) { i = 1; } "
        "if (i == 1) x q[1]; c[1] = measure q[1];",
        "11",
    ),
    "number of measured bits": (
        "qubit[3] q; bit[2] c; bit[1] d; x q[1]; c = measure q[0:1]; uint[2] n = uint[2](c); n += 1; "
        "if (n == 3) x q[2]; d[0] = measure q[2];",
        "1 10",
    ),
    "index that a measurement gives": (
        "qubit[6] q; bit[2] c; bit[4] d; x q[1]; c = measure q[0:1]; x q[2 + int(uint[2](c))]; d = measure q[2:5];",
        "0100 10",
    ),
    "angle that a measurement gives": (
        "qubit[2] q; bit[1] c; bit[1] d; angle[2] a; x q[0]; c[0] = measure q[0]; a[1] = c[0]; rx(a) q[1]; "
        "d[0] = measure q[1];",
        "1 1",
    ),
    "switch on a measurement": (
        "qubit[3] q; bit[2] c; bit[1] d; x q[1]; c = measure q[0:1]; "
        "switch (uint[2](c)) { case 1 { } case 2 { x q[2]; } default { x q[2]; x q[2]; } } d[0] = measure q[2];",
        "1 10",
    ),
    "else of a measurement": (
        "int n = 0; qubit q; bit c; bit d; c = measure q; if (c) { n = 1; } else { n = 2; } if (n == 2) x q; "
        "d = measure q;",
        "10",
    ),
    "exclusive or of measurements": (
        "qubit[2] q; bit[2] c; bit d; x q[0]; c = measure q; d = c[0]; d ^= c[1];",
        "1 01",
    ),
    "subroutine that measures": (
        "def f(qubit q, int n) -> bit { for int i in [0:n] { x q; } return measure q; } qubit q; bit c; c = f(q, 2);",
        "1",
    ),
    "syndrome": (
        "qubit[3] q; qubit[2] a; bit[3] c; bit[2] syn; "
        "def syndrome(qubit[3] d, qubit[2] e) -> bit[2] { bit[2] b; cx d[0], e[0]; cx d[1], e[0]; cx d[1], e[1]; "
        "cx d[2], e[1]; measure e -> b; return b; } "
        "x q[0]; syn = syndrome(q, a); if (uint[2](syn) == 1) x q[0]; if (uint[2](syn) == 2) x q[2]; "
        "if (uint[2](syn) == 3) x q[1]; c = measure q;",
        "01 000",
    ),
    "repeat until success": (
        'qubit[2] q; bit[2] flags = "11"; bit out; while (uint[2](flags) != 0) { reset q; h q; '
        "flags = measure q; } x q[0]; out = measure q[0];",
        "1 00",
    ),
    "loop that swaps bits": (
        "qubit q; bit a; bit b; bit go; x q; go = measure q; a = 1; while (go) { bit t = a; a = b; b = t; "
        "x q; go = measure q; } int n = 0;",
        "010",
    ),
    "gate that a number repeats": (
        "const int n = 3; gate g(t) a { for int i in [1:n] { rx(t) a; } } qubit q; bit c; g(pi / 3) q; c = measure q;",
        "1",
    ),
    "modifiers on a gate with constants": (
        "const float turn = pi; gate g a { rx(turn) a; } qubit[2] q; bit[2] c; x q[0]; ctrl @ inv @ g q[0], q[1]; "
        "c = measure q;",
        "11",
    ),
    "function in a gate, and a loop": (
        "gate g(t) a { rx(2 * arcsin(sin(t))) a; } qubit q; bit c; for int i in [1:2] { g(pi / 4) q; } c = measure q;",
        "1",
    ),
    "gates that stdgates.inc lacks": (
        "qubit[2] q; bit[2] c; rxx(pi) q[0], q[1]; rzz(0.3) q[0], q[1]; c = measure q;",
        "11",
    ),
    "qubits in an alias": (
        "const int n = 2; qubit[4] q; bit[4] c; let a = q[0:1] ++ q[{3}]; x a[n]; c = measure q;",
        "1000",
    ),
    "alias in a loop": (
        "qubit[4] q; bit[4] c; int n = 2; for int i in [0:1] { let p = q[{2 * i, 2 * i + 1}]; cx p[0], p[1]; x p[0]; } "
        "c = measure q;",
        "0101",
    ),
    "broadcast": ("int n = 0; qubit[3] q; qubit r; bit[3] c; x r; cx r, q; c = measure q;", "111"),
    "groups of single bits": (
        "int n = 1; bit a; bit b; bit[2] c; qubit[2] q; x q[n]; a = measure q[0]; b = measure q[1];",
        "00 10",
    ),
    "end leaves out the rest": ("int n; qubit q; bit c; x q; c = measure q; end; x q; c = measure q;", "1"),
    "measurement into nothing": ("qubit q; bit c; measure q; x q; c = measure q;", "1"),
    "number that a measurement decides, without bits": (
        "qubit q; angle[4] a; uint[4] n = 3; x q; a[1] = measure q; a <<= 1;",
        "0100",
    ),
    "loop in a loop": (
        "int n; qubit[2] q; bit a; bit b; x q[0]; a = measure q[0]; while (a) { x q[1]; b = measure q[1]; "
        "while (b) { x q[1]; b = measure q[1]; } x q[0]; a = measure q[0]; }",
        "00",
    ),
    "subroutine in a loop": (
        "def look(qubit q) -> bit { bit r; r = measure q; x q; return r; } qubit q; bit a; x q; a = look(q); "
        "while (a) { a = look(q); }",
        "0",
    ),
    "branch in a loop": (
        "qubit[2] q; bit go; bit seen; bit out; x q[0]; go = measure q[0]; while (go) { bit m; x q[1]; "
        "m = measure q[1]; if (m) { seen = 1; } x q[0]; go = measure q[0]; } out = seen;",
        "110",
    ),
    "output": ("output bit[1] c; bit[1] d; qubit q; x q; c[0] = measure q; d[0] = measure q;", "1"),
}


@pytest.mark.parametrize(("body", "key"), CERTAIN.values(), ids=CERTAIN.keys())
def test_certain_outcome(run: Run, body: str, key: str) -> None:
    assert run(body, 60) == {key: 60}


def test_condition_on_random_bits_has_the_right_distribution(run: Run) -> None:
    counts = run(
        "qubit[3] q; bit[2] c; bit[1] d; h q[0]; h q[1]; c = measure q[0:1]; "
        "if (c[0] == 1 && !c[1]) { x q[2]; } d[0] = measure q[2];",
        4096,
    )
    assert_counts_match(counts, {"0 00": 0.25, "1 01": 0.25, "0 10": 0.25, "0 11": 0.25}, 4096)


def test_phase_is_estimated_bit_by_bit(run: Run) -> None:
    counts = run(
        "const int n = 3; const float theta = 2 * pi * 5 / 8; qubit q; qubit r; angle[n] c; bit[n] out; x r; "
        "for uint i in [0:n - 1] { reset q; h q; ctrl @ pow(2 ** (n - 1 - i)) @ p(theta) q, r; "
        "c >>= 1; rz(-c) q; h q; bit b; b = measure q; c[n - 1] = b; } out = bit[n](c);",
    )
    assert counts == {"101": 100}


INPUTS: dict[str, tuple[str, bool | int | float | str, str]] = {
    "float": ("input float value; qubit q; bit c; rx(value) q; c = measure q;", 3.141592653589793, "1"),
    "integer for a float": ("input float value; qubit q; bit c; rx(value * pi) q; c = measure q;", 1, "1"),
    "angle": ("input angle[8] value; qubit q; bit c; rx(value) q; c = measure q;", 3.141592653589793, "1"),
    "integer": ("input int value; qubit[value] q; bit[value] c; x q; c = measure q;", 3, "111"),
    "unsigned": ("input uint[3] value; qubit[2] q; bit[2] c; x q[value]; c = measure q;", 1, "10"),
    "boolean": ("input bool value; qubit q; bit c; if (value) x q; c = measure q;", True, "1"),
    "register": ("input bit[3] value; qubit q; bit c; if (value[0] && !value[2]) x q; c = measure q;", "011", "1"),
    "bit": ("input bit value; qubit q; bit c; if (value) x q; c = measure q;", "1", "1"),
}


@pytest.mark.parametrize(("body", "value", "key"), INPUTS.values(), ids=INPUTS.keys())
def test_input(simulator: Simulator, body: str, value: bool | int | float | str, key: str) -> None:
    program = load_program(f'include "stdgates.inc"; {body}', ExecutionLimits(), {"value": value})
    assert simulator.run(program, 20)[0] == {key: 20}


@pytest.mark.parametrize("seed", long_after(15, range(40)))
def test_random_classical_program_agrees_with_python(simulator: Simulator, seed: int) -> None:
    assert_agrees(make_classical(random.Random(seed)), simulator)


def test_front_ends_are_named() -> None:
    bodies = {
        "scanner": "qubit q; bit c; c = measure q;",
        "importer": "qubit q; bit c; inv @ U(0, 0, 0) q; c = measure q;",
        "unroller": "const int n = 1; qubit[n] q; bit[n] c; c = measure q;",
    }
    assert {name: load_program(body, ExecutionLimits()).front_end for name, body in bodies.items()} == {
        name: name for name in bodies
    }
