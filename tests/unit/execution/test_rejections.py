"""Programs that cannot run are rejected with the right code, a place and a reason."""

import pytest

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, InputMissing, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits

HEADER = 'OPENQASM 3.0; include "stdgates.inc";\n'


def rejection(text: str, limits: ExecutionLimits | None = None) -> ExecutionFailed:
    with pytest.raises(ExecutionFailed) as caught:
        load_program(text, limits or ExecutionLimits())
    return caught.value


MISTAKES: dict[str, tuple[str, int, int, str]] = {
    "undefined variable": ("int n = 1;\nqubit q; rx(n * m) q;", 3, 17, "'m' is not defined"),
    "undefined gate in a subroutine": ("def f(qubit q) {\n foo q; }", 3, 2, "gate 'foo' is not defined"),
    "constant assigned to": ("const int n = 1;\nn = 2;", 3, 1, "'n' is a constant"),
    "constant of a measurement": ("qubit q; bit c = measure q;\nconst bit d = c;", 3, 1, "depends on a measurement"),
    "too few arguments": ("def f(int n) { }\nf();", 3, 1, "takes 1 argument, not 0"),
    "too many qubits for a parameter": (
        "def f(qubit a) { }\nqubit[2] q; f(q);",
        3,
        15,
        "parameter 'a' takes 1 qubit, not 2",
    ),
    "array with too many dimensions": (
        "def f(readonly array[int[8], #dim = 1] a) { }\narray[int[8], 2, 2] b; f(b);",
        3,
        26,
        "this takes an array of 1 dimension",
    ),
    "subroutine that returns nothing": ("def f() -> int { }\nint n = f();", 3, 9, "without returning a value"),
    "global variable in a subroutine": ("int n = 1; def f() -> int {\n return n; }\nint m = f();", 3, 9, "not defined"),
    "index outside of an array": (
        "array[int[8], 2] a;\na[2] = 1;",
        3,
        1,
        "index 2 is out of range: 'a' has 2 elements",
    ),
    "array of another size": ("array[int[8], 2] a = {1, 2, 3};", 2, 22, "cannot become"),
    "integer division by zero": ("int n = 0;\nint m = 1 / n;", 3, 9, "division by zero"),
    "infinite float": ("float f = 1e308;\nf = f * 10;", 3, 5, "not a finite number"),
    "logarithm of nothing": ("float f = 0;\nf = log(f);", 3, 5, "'log' has no value at 0"),
    "break outside of a loop": ("int n; { break; }", 2, 10, "'break'"),
    "value named twice": ("int n; qubit q; switch (n) { case 1, 1 { x q; } }", 2, 40, "names a value twice"),
    "subroutine's qubit twice": ("def f(qubit a, qubit b) { }\nqubit q; f(q, q);", 3, 10, "different qubits"),
    "qubits joined to themselves": (
        "int n; qubit[2] q;\nlet a = q ++ q[0:0];",
        3,
        9,
        "cannot be concatenated to itself",
    ),
    "bits joined to themselves": ("int n; bit[2] c;\nlet a = c ++ c;", 3, 1, "cannot be concatenated to itself"),
    "missing operand list": ("qubit[3] q;\n x q[3;", 3, 7, "']' is missing for the '[' behind 'q'"),
    "missing semicolon": ("qubit q;\nx q\ny q;", 3, 4, "';' is missing at the end of 'x q'"),
    "ends in the middle": ("qubit[3] q\n", 2, 11, "';' is missing at the end of 'qubit[3] q'"),
    "strange character": ("qubit[3] q;\n x q[0] # hi;", 3, 9, "'#' means nothing here"),
    "undefined gate": ("qubit q;\n  foo q;", 3, 3, "gate 'foo' is not defined"),
    "undefined qubit": ("qubit q;\n x r[0];", 3, 4, "'r' is not defined"),
    "undefined name on a later line": ("qubit q;\nbit c;\n  rx(theta) q;", 4, 6, "'theta' is not defined"),
    "too few qubits": ("qubit[3] q;\ncx q[0];", 3, 1, "gate 'cx' takes 2 qubits, not 1"),
    "too few with controls": (
        "qubit[3] q;\nctrl @ cx q[0], q[1];",
        3,
        8,
        "takes 3 qubits, its controls included, not 2",
    ),
    "missing parameter": ("qubit q;\n rx q;", 3, 2, "gate 'rx' takes 1 parameter, not 0"),
    "parameter too many": ("qubit q;\n x(0.5) q;", 3, 4, "gate 'x' takes 0 parameters, not 1"),
    "built-in gate's parameters": ("qubit q; U(1) q;", 2, 10, "gate 'U' takes 3 parameters, not 1"),
    "index out of range": ("qubit[3] q;\n x q[3];", 3, 4, "index 3 is out of range: 'q' has 3 qubits, q[0] to q[2]"),
    "same qubit twice": ("qubit[3] q;\n cx q[0], q[0];", 3, 11, "needs different qubits"),
    "different lengths": ("qubit[3] q; qubit[2] r;\n cx q, r;", 3, 8, "'q' has 3 qubits and 'r' has 2"),
    "measured into too few bits": ("qubit[3] q; bit[2] c;\nc = measure q;", 3, 1, "measures 3 qubits into 2 bits"),
    "empty register": ("qubit[0] q;", 2, 6, "must be positive"),
    "declared with too few qubits": (
        "qubit[1] q;\nbit[3] c = measure q;",
        3,
        12,
        "measures 1 qubit into 3 bits",
    ),
    "power as a function beside a mistake": (
        "qubit q; int n = 1;\nrx(pow(2, 3)) q;",
        3,
        4,
        "write '**'",
    ),
    "one qubit twice in a loop": (
        "qubit[2] q;\nfor int i in [0:1] { cx q[i], q[0]; }",
        3,
        22,
        "one qubit is given twice",
    ),
    "register of half a qubit": ("qubit[1.5] q;", 2, 6, "needs an integer, not a value of type 'float'"),
    "declared twice": ("qubit q; bit q;", 2, 14, "'q' is already defined, in line 2"),
    "standard gate defined again": ("gate h a { x a; }", 2, 6, "'h' is already defined"),
    "gate of itself": ("gate a q { a q; }", 2, 12, "gate 'a' is not defined"),
    "foreign qubit in a gate": ("gate a q { x r; }", 2, 14, "'r' is not a qubit of gate 'a'"),
    "unknown function in a gate": ("gate g(a) q { rx(foo(a)) q; } qubit q; g(1) q;", 2, 18, "foo"),
    "foreign name in a gate": ("gate g(a) q { rx(2 * b) q; }", 2, 22, "'b' is not a parameter of gate 'g'"),
    "measurement in a gate": ("gate a q { measure q; }", 2, 12, "measure"),
    "infinite angle": ("qubit q; rx(1e999) q;", 2, 13, "not a finite number"),
    "angle that is no number": ("qubit q; rx(1e999 - 1e999) q;", 2, 13, "not a finite number"),
    "infinite angle inside a gate": ("gate g(a) q {\n rx(a * 1e308) q; }\nqubit q; g(1e10) q;", 3, 5, "not a finite"),
    "infinite angle in a late turn of a loop": (
        "qubit q; bit c;\nfor int i in [0:2] { rx(1e308 * i) q; if (c) { break; } }",
        3,
        25,
        "not a finite number",
    ),
    "division by zero": ("qubit q; bit[2] c;\n  rx(1 / 0) q;", 3, 6, "division by zero"),
    "integer of 400 digits": ("qubit q; rx(" + "9" * 400 + ") q;", 2, 13, "too large"),
    "a thousand million controls": (
        "qubit q; ctrl(1000000000) @ x q;",
        2,
        29,
        "takes 1000000001 qubits, its controls included",
    ),
}


@pytest.mark.parametrize(("body", "line", "column", "reason"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_a_parse_error(body: str, line: int, column: int, reason: str) -> None:
    error = rejection(HEADER + body)
    assert isinstance(error, ProgramInvalid), error.code
    assert (error.line, error.column) == (line, column)
    assert reason in error.message


def test_missing_input_is_told_by_name_and_type() -> None:
    error = rejection(HEADER + "qubit q; bit c;\ninput angle[20] t;")
    assert isinstance(error, InputMissing)
    assert (error.line, error.column) == (3, 17)
    assert error.message == (
        "input 't' of type 'angle[20]' has no value: give it one in the task's 'inputs', such as {\"t\": 0.5}"
    )


LACKING: dict[str, tuple[str, int, str]] = {
    "extern": ("extern f(int) -> int;", 1, "'extern'"),
    "defcal": ("defcal x $0 { }", 1, "'defcal'"),
    "calibration grammar": ('defcalgrammar "openpulse";', 1, "'defcalgrammar'"),
    "duration": ("duration d = 1ns;", 1, "type 'duration'"),
    "stretch": ("stretch s;", 1, "'stretch'"),
    "complex": ("complex[float[64]] z;", 1, "type 'complex'"),
    "computed delay": ("int n = 2; qubit q; delay[n * 1ns] q;", 21, "computed duration"),
    "duration of a block": ("int n = 2; qubit q; delay[durationof({x q;})] q;", 21, "computed duration"),
    "output that is no bit": ("output int n;", 1, "counts are made of bits"),
    "end in a subroutine whose result is used": (
        "def f(qubit q) -> bit { bit c = measure q; if (c) end; return c; } qubit q; bit c; c = f(q);",
        88,
        "'end' that depends on a measurement",
    ),
    "number of too many measurements": (
        "qubit[12] q; bit[12] c; c = measure q; uint[12] n = uint[12](c);",
        53,
        "more than 10 measured bits",
    ),
    "counter without a bound in a measured loop": (
        "int n = 0; qubit q; bit c; c = measure q; while (c) { n += 1; c = measure q; }",
        43,
        "variable 'n' takes too many values in a loop",
    ),
    "loop that never ends": ("qubit q; bit c; c = measure q; bit d = c; while (d == c) { x q; }", 43, "never ends"),
    "overflow of a signed number": ("int[4] n = 7; n += 1;", 15, "leaves the range of 'int[4]'"),
    "remainder of a negative real number": ("float n = -7.5 % 2;", 11, "leaves it open"),
    "number wider than its register": ("qubit q; bit[2] c; if (c == 4) { x q; }", 24, "2 bits never equals"),
    "negative number and register": ("qubit q; bit[2] c; if (c == -1) { x q; }", 24, "2 bits never equals"),
    "number that is no bit": ("bit c; qubit q; if (c == 5) x q;", 21, "a bit never equals 5"),
    "matrix power of a wide gate": (
        "gate g a, b, c, d, e, f, i, j, k { x a; } qubit[9] q; "
        "pow(2) @ g q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7], q[8];",
        55,
        "powers of gates on more than 8 qubits",
    ),
    "foreign include": ('include "mygates.inc";', 1, 'only "stdgates.inc"'),
    "OpenQASM 2 include": ('include "qelib1.inc";', 1, "belongs to OpenQASM 2"),
}


@pytest.mark.parametrize(("body", "column", "reason"), LACKING.values(), ids=LACKING.keys())
def test_missing_feature_is_unsupported_and_named(body: str, column: int, reason: str) -> None:
    error = rejection(HEADER + body)
    assert isinstance(error, ProgramUnsupported), error.code
    assert (error.line, error.column) == (2, column)
    assert reason in error.message


def test_program_without_measurements_is_told_how_to_measure() -> None:
    error = rejection(HEADER + "qubit[2] q; bit[2] c; h q;")
    assert isinstance(error, ProgramUnsupported)
    assert "c = measure q;" in error.message


def test_header_that_contradicts_the_format_is_rejected() -> None:
    with pytest.raises(ProgramUnsupported) as caught:
        load_program("// old\nOPENQASM 2.0;\nqreg q[2];", ExecutionLimits(), form=ProgramFormat.OPENQASM3)
    assert caught.value.message == "the header says OpenQASM 2, but 'format' says openqasm3: leave 'format' out"
    assert (caught.value.line, caught.value.column) == (2, 1)


@pytest.mark.parametrize("version", ["4.0", "3.9", "0", "99999999999999999999"])
def test_unknown_version_is_rejected(version: str) -> None:
    assert isinstance(rejection(f"OPENQASM {version}; qubit q;"), ProgramUnsupported)


@pytest.mark.parametrize("header", ["", "OPENQASM 3;", "OPENQASM 3.0;", "OPENQASM 3.1;", "// OPENQASM 2.0;\n"])
def test_known_version_or_none_runs(header: str) -> None:
    load_program(f"{header} qubit q; bit c; c = measure q;", ExecutionLimits())


@pytest.mark.parametrize("path", ["/etc/passwd", "/nonexistent", "../stdgates.inc"])
def test_include_reveals_nothing_about_files(path: str) -> None:
    assert rejection(f'include "{path}";').message == 'only "stdgates.inc" can be included'


def test_hint_names_the_missing_include() -> None:
    assert "stdgates.inc" in rejection("qubit q; sx q;").message


@pytest.mark.parametrize("text", ["", " \n", "// nothing\n", "\x01\x02 hello", "}", "9" * 5000 + ";", "/* open"])
def test_text_that_is_no_program_is_rejected(text: str) -> None:
    assert isinstance(rejection(text), ProgramInvalid)


@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_unstorable_character_has_a_place(character: str) -> None:
    error = rejection(f"qubit q;\nqubit {character}")
    assert isinstance(error, ProgramInvalid)
    assert (error.line, error.column) == (2, 7)


TOO_LARGE = {
    "a thousand million qubits": "qubit[1000000000] q;",
    "a thousand million bits": "bit[1000000000] c;",
    "many small registers": "".join(f"qubit[1000] q{i};" for i in range(5)),
    "an overflowing product": "qubit[100000 * 100000] q;",
    "a physical qubit far out": "x $999999999;",
    "a physical qubit of many digits": "x $" + "9" * 5000 + ";",
    "a loop of a thousand million turns": "qubit q; for int i in [0:1000000000] { x q; }",
    "an empty loop of a thousand million turns": "for int i in [0:1000000000] { }",
}


@pytest.mark.parametrize("body", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_too_much_is_rejected_before_it_is_made(body: str) -> None:
    error = rejection(HEADER + body)
    assert isinstance(error, ProgramTooLarge)
    assert error.line == 2


UNENDING = {
    "a counted loop of a thousand million turns": "int n = 0; while (n < 1000000000) { n += 1; }",
    "a loop that never ends": "qubit q; while (true) { x q; }",
    "a loop that never ends and does nothing": "int n = 1; while (n == 1) { }",
    "an array of a thousand million numbers": "array[int[8], 1000, 1000, 1000] a;",
    "bits of a subroutine": "def f() { bit[1000000000] c; } f();",
    "doubling subroutines": "def f0(qubit q) { x q; } "
    + " ".join(f"def f{i}(qubit q) {{ f{i - 1}(q); f{i - 1}(q); }}" for i in range(1, 40))
    + " qubit q; f39(q);",
    "a number of ten measured bits": "qubit[10] q; bit[10] c; c = measure q; uint[10] n = uint[10](c); "
    "for int i in [0:999] { n += 1; }",
    "matrices of powers": "int n; qubit[6] q; " + "pow(0.5) @ U(1, 2, 3) q[0]; " * 600,
    "loops in loops": "int n = 0; " + "for int i in [0:99] { " * 5 + "n += 1;" + " }" * 5,
}


@pytest.mark.parametrize("body", UNENDING.values(), ids=UNENDING.keys())
def test_unrolling_ends_at_its_budget(body: str) -> None:
    error = rejection(HEADER + body, ExecutionLimits(max_operations=2000))
    assert isinstance(error, ProgramTooLarge)
    assert error.line == 2


def test_recursion_is_rejected() -> None:
    error = rejection("def f(int n) -> int { return f(n + 1); } int n = f(0);")
    assert isinstance(error, ProgramUnsupported)
    assert "calls nest more than 64 deep" in error.message


def test_expressions_of_gates_cost_something() -> None:
    body = f"gate g(t) a {{ rx({'t+' * 200}t) a; }} gate outer(t) a {{ g(t) a; }} "
    body += "qubit[100] q; bit c; c = measure q[0]; if (c) { outer(1) q; }"
    load_program(HEADER + body, ExecutionLimits(max_operations=10_000))
    error = rejection(HEADER + body, ExecutionLimits(max_operations=5_000))
    assert isinstance(error, ProgramTooLarge)
    assert "parts of expressions" in error.message


def test_powers_cost_what_their_matrices_cost() -> None:
    gate = "gate g a, b, c, d, e, f { h a; cx a, b; cx c, d; cx e, f; } qubit[6] q; "
    power = "pow(0.5) @ g q[0], q[1], q[2], q[3], q[4], q[5]; "
    error = rejection(HEADER + gate + power * 3, ExecutionLimits(max_operations=2 * 4**6 + 10))
    assert isinstance(error, ProgramTooLarge)
    assert error.line == 2


@pytest.mark.parametrize("parameter", ["", "(t)"])
def test_doubling_gates_are_counted_not_expanded(parameter: str) -> None:
    lines = [f"gate g0{parameter} a {{ x a; }}"]
    lines += [f"gate g{i}{parameter} a {{ g{i - 1}{parameter} a; g{i - 1}{parameter} a; }}" for i in range(1, 61)]
    call = parameter.replace("t", "0.1")
    error = rejection(HEADER + "\n".join(lines) + f"\nqubit q; g60{call} q;")
    assert isinstance(error, ProgramTooLarge)
    assert (error.line, error.column) == (63, 10)


NESTED = {
    "parentheses": "qubit q; rx(" + "(" * 100_000 + "1" + ")" * 100_000 + ") q;",
    "signs": "qubit q; rx(" + "-" * 2000 + "1) q;",
    "sums": "qubit q; rx(" + "+".join(["1"] * 2000) + ") q;",
    "ifs without braces": "qubit q; bit c; " + "if (c) " * 300 + "x q;",
    "gates of gates": "".join(f"gate g{i} a {{ {'x' if i == 0 else f'g{i - 1}'} a; }}" for i in range(500))
    + "qubit q; g499 q;",
}


@pytest.mark.parametrize("body", NESTED.values(), ids=NESTED.keys())
def test_deep_nesting_is_rejected(body: str) -> None:
    assert isinstance(rejection(HEADER + body), ProgramUnsupported)


def test_unterminated_comments_are_scanned_once() -> None:
    rejection("/*" * 500_000)


def test_brackets_in_comments_and_strings_do_not_nest() -> None:
    load_program("// " + "(" * 100 + "\n/* " + "[" * 100 + " */ qubit q; bit c; c = measure q;", ExecutionLimits())


def test_messages_hold_no_paths_and_no_python() -> None:
    bodies = [mistake[0] for mistake in MISTAKES.values()] + [lacking[0] for lacking in LACKING.values()]
    for body in bodies:
        message = rejection(HEADER + body).message
        assert not any(
            word in message for word in ("site-packages", ".py", "Traceback", "object at", "Error", "Scope.")
        )


def test_carriage_return_ends_a_comment() -> None:
    error = rejection("qubit q; // \r U(" + "(" * 100 + "1" + ")" * 100 + ", 0, 0) q;")
    assert str(error) == "brackets nest more than 64 deep"


def test_doubling_gates_without_effect_are_rejected_at_once() -> None:
    doubling = "".join(f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 61))
    error = rejection(f"gate g0 a {{}} {doubling} qubit q; bit c; g60 q; c = measure q;")
    assert isinstance(error, ProgramTooLarge)


def test_range_that_leaves_its_register_is_rejected() -> None:
    error = rejection("qubit[2] q; bit[2] c; ctrl @ U(0, 0, 0) q[0:2], q[0:2]; c = measure q;")
    assert str(error) == "the range [0:2] is out of range: 'q' has 2 qubits, q[0] to q[1]"
