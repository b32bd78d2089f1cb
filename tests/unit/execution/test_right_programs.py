"""Right programs that were once rejected, and wrong ones that were accepted."""

import pytest

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from tests.unit.execution.conftest import Run

COIN = " qubit q; bit c; c = measure q;"

RIGHT: dict[str, tuple[str, str]] = {
    "popcount of an unsigned integer": (f"uint[6] n = 37; bit[3] d; d = bit[3](uint[3](popcount(n)));{COIN}", "0 011"),
    "rotation of an unsigned integer": (f"uint[6] n = 37; n = rotl(n, 3); bit[6] d; d = bit[6](n);{COIN}", "0 101100"),
    "rotation of an angle": (
        f"angle[4] a = 9 * (pi / 8); a = rotr(a, 1); bit[4] d; d = bit[4](a);{COIN}",
        "0 1100",
    ),
    "rotation of a measured integer": (
        "qubit[3] q; bit[3] c; x q[2]; c = measure q; uint[3] n = uint[3](c); n = rotl(n, 1); bit[3] d; d = bit[3](n);",
        "001 100",
    ),
    "angle by an angle": (
        f"angle[4] a = 7 * (pi / 8); angle[4] b = 2 * (pi / 8); uint[4] n = a / b; bit[4] d; d = bit[4](n);{COIN}",
        "0 0011",
    ),
    "bit plus a number": ("bit b = 1; bool d = bool(b + 1); qubit q; bit c; if (d) x q; c = measure q;", "11"),
    "comparison of a bit": ("qubit q; bit[1] c; if (c[0] < 4) x q; c[0] = measure q;", "1"),
    "comparison of a register": ("qubit q; bit[2] c; if (c <= 9) x q; c[1] = measure q;", "10"),
    "angle times a boolean": ("qubit q; bit c; ry(pi*true) q; c = measure q;", "1"),
    "bits as a parameter, the old way": (
        'def f(creg c[2], creg d) -> bit { return c[1]; } bit[2] e = "10"; bit g; qubit q; bit c; '
        "if (f(e, g) == 1) x q; c = measure q;",
        "10 10",
    ),
    "qubits as a parameter, the old way": (
        "def f(qreg c[2]) { x c[1]; } qubit[2] q; bit[2] c; f(q); c = measure q;",
        "10",
    ),
    "names that the importer makes one of": (
        "qubit[2] Q; qubit[2] esc_Q; bit[2] c; x esc_Q[0]; c = measure esc_Q;",
        "01",
    ),
    "measurement of a name that Qiskit exports": (
        "bit[2] c; qubit[2] q; x q[1]; c[0] = measure_2 q[0]; if (c[0] == 0) { measure_3 q[1] -> c[1]; }",
        "10",
    ),
    "variable with the name of a measurement": (
        f"bit measure_2 = 1; bit d; d = measure_2; if (d == 1) {{ d = measure_2 ^ 0; }}{COIN}",
        "0 11",
    ),
    "gate with the name of a measurement": (
        "gate measure_2 a { x a; } qubit q; bit c; measure_2 q; c = measure q;",
        "1",
    ),
    "arrays joined": (
        "array[int[8], 2] a = {1, 0}; array[int[8], 1] b = {1}; array[int[8], 3] d = a ++ b; d[1:2] = b ++ a[1:1]; "
        "qubit[3] q; bit[3] c; for int i in [0:2] { rx(pi * d[i]) q[i]; } c = measure q;",
        "011",
    ),
    "array joined with itself": (
        "array[int[8], 2] a = {1, 0}; array[int[8], 4] d; d = a ++ a; "
        "qubit[4] q; bit[4] c; for int i in [0:3] { rx(pi * d[i]) q[i]; } c = measure q;",
        "0101",
    ),
    "arrays of arrays joined": (
        "array[int, 2, 2] a = {{0, 1}, {1, 0}}; array[int, 1, 2] b = {{1, 1}}; array[int, 3, 2] d; d = a ++ b; "
        "qubit[2] q; bit[2] c; rx(pi * d[2, 0]) q[0]; rx(pi * d[1, 1]) q[1]; c = measure q;",
        "01",
    ),
    "registers joined in a call": (
        "def parity(bit[4] b) -> bit { bit r; for int i in [0:3] { r = r ^ b[i]; } return r; } "
        "qubit[2] q; bit[2] c; bit[2] d; x q[0]; c = measure q; d = measure q; bit e = parity(c ++ d); "
        "if (c ++ d == 5) e = 1;",
        "1 01 01",
    ),
    "registers of qubits joined in a call": (
        "def flip(qubit[3] a) { x a; } qubit[2] q; qubit r; bit[2] c; flip(q ++ r); c = measure q;",
        "11",
    ),
    "output of integers": (
        "output int[4] n; output bool b; output bit c; qubit q; x q; c = measure q; n = -3; b = true;",
        "1 1 1101",
    ),
}


@pytest.mark.parametrize(("body", "key"), RIGHT.values(), ids=RIGHT.keys())
def test_right_program_runs(run: Run, body: str, key: str) -> None:
    counts = {found.replace(" ", ""): count for found, count in run(body, 20).items()}
    assert counts == {key.replace(" ", ""): 20}


WRONG: dict[str, tuple[str, int, str]] = {
    "string of bits as an angle": ('qubit q; bit c; rx("0101") q; c = measure q;', 20, "is no angle"),
    "one qubit twice in a set": (
        "def f(qubit[2] a) { } qubit[3] q; bit c; f(q[{1, 1}]); c = measure q[1];",
        42,
        "different qubits",
    ),
    "boolean as an angle": ("qubit q; bit c; rx(true) q; c = measure q;", 20, "write 'int(…)'"),
    "boolean as an angle of the program's gate": (
        "gate g(a) t { rx(a) t; } qubit q; bit c; g(bool(3)) q; c = measure q;",
        44,
        "write 'int(…)'",
    ),
    "joined operand": (
        "qubit[2] a; qubit[2] b; bit c; x a ++ b; c = measure a[0];",
        36,
        "as in 'let joined = a ++ b;'",
    ),
    "joined and measured": (
        "qubit[2] a; qubit[2] b; bit[4] c; c = measure a[0:1] ++ b;",
        54,
        "as in 'let joined = a[0:1] ++ b;'",
    ),
    "arrays joined in a call": (
        "def f(readonly array[int, 4] v) { } array[int, 2] a = {1, 2}; f(a ++ a); qubit q; bit c; c = measure q;",
        65,
        "cannot be an argument",
    ),
    "arrays of two types joined": (
        "array[int, 2] a = {1, 2}; array[float, 2] b = {1, 2}; array[int, 4] d = a ++ b; qubit q; bit c = measure q;",
        73,
        "joins two arrays of one type",
    ),
    "bits joined with a part of themselves": (
        "bit[2] c; bit[3] d; d = c ++ c[0:0]; qubit q; c[0] = measure q;",
        25,
        "cannot be concatenated to itself",
    ),
    "measurement of an unknown name": ("qubit q; bit c; c = measure_reset q;", 35, "'q' cannot follow"),
    "name in a branch": ("int n; qubit q; bit c; if (n == 3) { rx(nope) q; } c = measure q;", 41, "'nope'"),
    "qubit in a branch": ("int n; qubit q; bit c; if (n == 3) { x nope; } c = measure q;", 40, "'nope'"),
    "gate in a branch": ("int n; qubit q; bit c; if (n == 3) { nope q; } c = measure q;", 38, "gate 'nope'"),
    "name in an else": ("int n; qubit q; bit c; if (n == 0) { } else { n = nope; } c = measure q;", 51, "'nope'"),
    "name in a loop": ("int n; qubit q; bit c; while (n == 3) { nope = 3; } c = measure q;", 41, "'nope'"),
    "name in a case": (
        "int n; qubit q; bit c; switch (n) { case 1 { n = nope; } default { } } c = measure q;",
        50,
        "'nope'",
    ),
    "name after a return": ("def f() { return; int n = nope; } qubit q; bit c; f(); c = measure q;", 27, "'nope'"),
    "qubit in a subroutine": ("def f(qubit a) { x nope; } qubit q; bit c; c = measure q;", 20, "'nope'"),
    "variable of the program in a subroutine": (
        "int k; def f(qubit a) { int n = k + 1; } qubit q; bit c; c = measure q;",
        33,
        "'k'",
    ),
    "name of another block": ("int n; { int k = 1; } qubit q; bit c; if (n == 1) { n = k; } c = measure q;", 57, "'k'"),
    "function in a branch": ("int n; qubit q; bit c; if (n == 3) { n = nope(1); } c = measure q;", 42, "'nope'"),
}


@pytest.mark.parametrize(("body", "column", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_program_is_rejected_at_its_place(body: str, column: int, words: str) -> None:
    with pytest.raises(ProgramInvalid) as caught:
        load_program(f'include "stdgates.inc";\n{body}', ExecutionLimits())
    assert words in caught.value.message
    assert (caught.value.line, caught.value.column) == (2, column)


def test_names_that_are_defined_are_found_wherever_they_stand(run: Run) -> None:
    body = (
        "const int k = 2; gate g(t) a { rx(t * k) a; } "
        "def f(qubit a, uint n) -> uint { let b = a; for uint i in [0:n] { g(i) b; } "
        "if (n == k + 9) { return uint(sin(pi)); } return n; } "
        "qubit[2] q; bit c; array[int, 2] w = {1, 2}; if (k == 3) { int m = w[0]; m += k; f(q[0], 1); x $3; "
        "switch (m) { case 1 { m = 2; } } while (m < 0) { let z_ = q[m]; x z_; } box { y q[1]; } } c = measure q[0];"
    )
    assert run(body, 5) == {"0": 5}
