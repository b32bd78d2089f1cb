"""What the scanner reads, what it leaves to the importer, and that neither takes long."""

import time
from contextlib import suppress

import pytest
from openqasm3._antlr._4_13.qasm3Lexer import qasm3Lexer

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.frontend.scanner import scan
from ketline.execution.frontend.scanner.lexicon import KEYWORDS
from ketline.execution.limits import ExecutionLimits
from tests.difference.compare import compare

STANDARD = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = STANDARD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
REGISTERS = STANDARD + "qubit[4] q; qubit[4] r; qubit a; bit[4] c; bit b; "

READ = {
    "no header": 'include "stdgates.inc"; qubit q; x q;',
    "version 3.1": "OPENQASM 3.1; qubit q; U(0, 0, 0) q;",
    "comments everywhere": "/* a */ OPENQASM 3 /* b */; // c\r"
    + BELL[14:].replace(" ", " /* // */ ").replace("include /* // */ ", "include "),
    "old declarations": STANDARD + "qreg q[2]; creg c[2]; qreg a; creg b; x q; measure q -> c; measure a -> b;",
    "every standard gate": REGISTERS
    + "p(1) a; x a; y a; z a; h a; s a; sdg a; t a; tdg a; sx a; rx(1) a; ry(1) a; rz(1) a; cx q, r; cy q, r; cz q, r; "
    "cp(1) q, r; crx(1) q, r; cry(1) q, r; crz(1) q, r; ch q, r; swap q, r; ccx q, r, a; cswap q, r, a; "
    "cu(1, 2, 3, 4) q, r; CX q, r; phase(1) a; cphase(1) q, r; id a; u1(1) a; u2(1, 2) a; u3(1, 2, 3) a; U(1, 2, 3) a;",
    "broadcasting": REGISTERS + "x q; cx q, r; cx a, q; cx q[0:1], r[{2, 0}]; cx q[0:0], a;",
    "slices": REGISTERS
    + "x q[:]; x q[1:]; x q[:2]; x q[-2:-1]; x q[3:-1:0]; x q[0:2:3]; x q[-1]; x q[{0, -1}]; x q[2-1];",
    "measurements": REGISTERS + "c = measure q; c[1:2] = measure q[{3, 0}]; b = measure q[0]; measure q -> c; "
    "bit[4] d = measure r; bit e = measure a; measure q[-1] -> c[-1];",
    "no effect": REGISTERS + "barrier q; barrier q[0], a, r[1:2]; reset q; reset a; delay[10ns] q; delay[1.5µs] q, a; "
    "delay[2dt];",
    "phases": STANDARD + "gate g(t) a { gphase(t); x a; } qubit[2] q; gphase(7); gphase(-pi); g(2) q; g(2) q;",
    "definitions": STANDARD + "gate e a {} gate f(t, u) a, b { rx(t / 2 + u) a; e b; id b; cx b, a; barrier a; } "
    "gate g() a, b { f(1, pi) b, a; } qubit[2] q; g q[0], q[1]; g() q[1], q[0]; e q;",
    "definition named like an operation of Aer": "gate kraus a { U(1, 2, 3) a; } qubit q; kraus q;",
    "parameter named like a gate or a constant": STANDARD + "gate g(t, pi) h { rx(t * pi) h; } qubit q; g(2, 3) q;",
    "names with letters of other alphabets": STANDARD + "qubit[2] θ; bit[2] été; x θ; été = measure θ;",
    "single bits in groups": "qubit[2] q; bit a; bit[2] c; bit b; U(0, 0, 0) q; bit d; a = measure q[0];",
    "integer division": STANDARD + "qubit q; rx(3 / 2) q; rx(-4 / 2) q; rx(3 / 2.0) q; rx(-pi / 4) q;",
    "nothing but a declaration": "qubit q;",
    "branches on bits": REGISTERS + "if (b) x a; if (!b) { y a; z a; } if (~c[1]) { } if(c[-1]==1){x a;}"
    "if (c[0] == true) x a; if (c[0] != 1) x a; if (false == c[0]) x a; if (b) { measure a -> b; reset a; barrier q; }",
    "branches on registers": REGISTERS + 'if (c == 3) x a; if (c == "0101") x a; if (7 + 1 == c) { c = measure q; }'
    "bit[1] d; if (d == 1) x a; if (d[0]) x a;",
    "alternatives": REGISTERS + "if (b) x a; else y a; if (b) { x a; } else { y a; cx q, r; } if (b) {} else { z a; }"
    "if (b) { x a; } else {} if (c == 1) x a; else if (c == 2) y a; else { z a; }",
    "alternative of the inner branch": REGISTERS
    + "if (b) if (c[0]) x a; else y a; if (b) if (c[0]) x a; else y a; else z a;",
    "nested branches": REGISTERS
    + "if (b) { x a; if (c == 5) { if (c[0]) { h a; } y a; } else { gphase(1); } z a; } h a;",
    "definitions among branches": REGISTERS + "gate g(t) x { rx(t) x; gphase(t); } if (b) { g(1) a; }"
    "gate e x { } if (b) { e a; } else { g(2) a; g(2) q; } gate f x { g(1) x; } f a;",
    "comments among branches": REGISTERS + "if /* ; */ (b) // {\n { x a; /* } */ } /* else */ else /* if */ { y a; }",
    "physical qubits in branches": STANDARD + "bit c; h $1; c = measure $1; if (c) { x $3; } else { cx $0, $1; } z $4;",
    "an end without a semicolon": REGISTERS + "if (b) { if (c[0]) { x a; } else { y a; } }",
    "names that begin like branches": STANDARD
    + "gate iff a { x a; } qubit else_; bit ifb; iff else_; if (ifb) iff else_;",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ.keys())
def test_reads_what_the_importer_reads(text: str) -> None:
    assert compare(text) == "both"


DECLINED = {
    "empty": "",
    "blank": " \n",
    "no semicolon": BELL[:-1],
    "empty statement": "qubit q;;",
    "OpenQASM 2": "OPENQASM 2.0; qreg q[1];",
    "header in the middle": "qubit q; OPENQASM 3.0;",
    "comment inside the header": "OPENQASM /* */ 3.0; qubit q;",
    "comment before a file's name": 'include /* */ "stdgates.inc"; qubit q;',
    "comment without end": BELL + "/*",
    "comment inside a name": BELL.replace("stdgates.inc", "std/**/gates.inc"),
    "another file": 'include "qelib1.inc"; qubit q;',
    "form feed": BELL.replace(" h", "\fh"),
    "NUL in a comment": BELL + "// \0",
    "surrogate in a comment": BELL + "// \ud800",
    "space that the language does not know": BELL.replace(" h", "\u00a0h"),
    "digit of another script": BELL.replace("q[0]", "q[٠]"),
    "keyword as a name": "qubit measure;",
    "constant as a name": "qubit pi;",
    "name twice": "qubit q; bit q;",
    "names that become one": "qubit[2] Q; qubit[2] esc_Q;",
    "name of a standard gate": STANDARD + "qubit h;",
    "standard gate without the include": "qubit q; sx q;",
    "includes twice": STANDARD + STANDARD[14:] + "qubit q;",
    "empty register": "qubit[0] q;",
    "index out of range": REGISTERS + "x q[4];",
    "range out of range": REGISTERS + "x q[2:4];",
    "empty range": REGISTERS + "x q[2:1];",
    "range with a step and no end": REGISTERS + "x q[0:2: ];",
    "range of colons only": REGISTERS + "x q[::];",
    "index of a single qubit": REGISTERS + "x a[0];",
    "two indices": REGISTERS + "x q[0:1][0];",
    "half an index": REGISTERS + "x q[0.5];",
    "same qubit twice": REGISTERS + "cx q[0], q[0];",
    "same qubit twice in a broadcast": REGISTERS + "cx q, q[0];",
    "different lengths": REGISTERS + "cx q, r[0:1];",
    "measured into too few": REGISTERS + "c[0:1] = measure q;",
    "measurement kept nowhere": REGISTERS + "measure q;",
    "too few parameters": REGISTERS + "rx a;",
    "too many parameters": REGISTERS + "rx(1, 2) a;",
    "a parenthesis without end": REGISTERS + "rx(1 a;",
    "a parenthesis without end and without argument": REGISTERS + "x( a;",
    "a trailing comma": REGISTERS + "rx(1,) a;",
    "an operator without operand": REGISTERS + "rx(1 +) a;",
    "numbers side by side": REGISTERS + "rx(2pi) a;",
    "a duration as an angle": REGISTERS + "rx(2ns) a;",
    "plus as a sign": REGISTERS + "rx(+1) a;",
    "increment": REGISTERS + "rx(1++2) a;",
    "infinite": REGISTERS + "rx(1e400) a;",
    "not a number": REGISTERS + "rx(nan) a;",
    "division by zero": REGISTERS + "rx(1/0) a;",
    "power too large": REGISTERS + "rx(9**9**9**9) a;",
    "complex power": REGISTERS + "rx((-1)**0.5) a;",
    "unknown function": REGISTERS + "rx(eval(1)) a;",
    "function of too many": REGISTERS + "rx(sin(1, 2)) a;",
    "deep parentheses": REGISTERS + "rx(" + "(" * 40 + "1" + ")" * 40 + ") a;",
    "many signs": REGISTERS + "rx(" + "-" * 40 + "1) a;",
    "physical qubit beside declared ones": STANDARD + "qubit q; x $0;",
    "declared qubit beside physical ones": STANDARD + "x $0; qubit q;",
    "physical qubit in a gate": STANDARD + "gate g a { x $0; }",
    "physical qubit with an index": STANDARD + "x $0[0];",
    "physical qubit far out": STANDARD + "x $4096;",
    "physical qubit with a zero in front": STANDARD + "x $01;",
    "modifier": REGISTERS + "ctrl @ x a, q[0];",
    "duration of a gate": REGISTERS + "x[10ns] a;",
    "branch on a truth": REGISTERS + "if (true) { x a; }",
    "branch on a register alone": REGISTERS + "if (c) { x a; }",
    "branch on other registers": REGISTERS + "if (c != 3) { x a; }",
    "branch on a part of a register": REGISTERS + "if (c[0:1] == 3) { x a; }",
    "branch on a part of one bit": REGISTERS + "if (c[0:0] == 1) { x a; }",
    "branch on two bits": REGISTERS + "if (b == c[0]) { x a; }",
    "branch on a qubit": REGISTERS + "if (a) { x a; }",
    "branch on a number too large": REGISTERS + "if (c == 16) { x a; }",
    "branch on a bit that is two": REGISTERS + "if (b == 2) { x a; }",
    "branch on a string too short": REGISTERS + 'if (c == "101") { x a; }',
    "branch on a negative number": REGISTERS + "if (c == -1) { x a; }",
    "branch on both logical operators": REGISTERS + "if (b && c[0] || c[1]) { x a; }",
    "branch on half a logical operator": REGISTERS + "if (b & c[0]) { x a; }",
    "branch on a logical operator without a right side": REGISTERS + "if (b && ) { x a; }",
    "branch on a logical operator of a register": REGISTERS + "if (b && c) { x a; }",
    "branch on a negated comparison": REGISTERS + "if (!b == 1 && c[0]) { x a; }",
    "branch on a long conjunction": REGISTERS + f"if ({' && '.join(['b'] * 65)}) {{ x a; }}",
    "branch on two comparisons": REGISTERS + "if (b == 1 == 1) { x a; }",
    "branch on a size": REGISTERS + "if (c < 3) { x a; }",
    "branch on nothing": REGISTERS + "if () { x a; }",
    "branch without a condition": REGISTERS + "if { x a; }",
    "branch without a body": REGISTERS + "if (b)",
    "branch with an empty statement": REGISTERS + "if (b);",
    "branch without an end": REGISTERS + "if (b) { x a;",
    "branch with a declaration": REGISTERS + "if (b) { bit z; } x a;",
    "branch with a gate's definition": REGISTERS + "if (b) { gate g a { x a; } } x a;",
    "branch with an include": 'bit b; if (b) { include "stdgates.inc"; }',
    "branch of many": REGISTERS + "if (b) { " * 17 + "x a; " + "} " * 17,
    "ten thousand branches and one": REGISTERS + "if (b) x a;" * 10_001,
    "end of no branch": REGISTERS + "x a; } x a;",
    "end of no branch at the end": REGISTERS + "x a; }",
    "end of a branch without braces": REGISTERS + "if (b) x a; } x a;",
    "else alone": REGISTERS + "else { x a; }",
    "else later": REGISTERS + "if (b) { x a; } y a; else { x a; }",
    "else twice": REGISTERS + "if (b) x a; else y a; else z a;",
    "else in the branch": REGISTERS + "if (b) { x a; else y a; }",
    "alias": REGISTERS + "let z = q[0:1];",
    "constant": "const int n = 2; qubit[n] q;",
    "annotation": "@foo bar\nqubit q;",
    "pragma": "pragma foo\nqubit q;",
    "gate of itself": "gate g a { g a; } qubit q;",
    "gate defined twice": "gate g a {} gate g a {} qubit q;",
    "gate that hides what it calls": STANDARD + "gate g x { x x; } qubit q;",
    "gate with an index": STANDARD + "gate g a { x a[0]; } qubit q;",
    "gate with a stranger": STANDARD + "qubit q; gate g a { x q; }",
    "gate with one qubit twice": STANDARD + "gate g a { cx a, a; } qubit q;",
    "gate with a measurement": "gate g a { measure a; } qubit q;",
    "gate without semicolon": STANDARD + "gate g a { x a } qubit q;",
    "gate without end": STANDARD + "qubit q; gate g a { x a;",
    "infinite only where a gate is called": STANDARD + "gate g(t) a { rx(1 / t) a; } qubit q; g(0) q;",
}


@pytest.mark.parametrize("text", DECLINED.values(), ids=DECLINED.keys())
def test_declines(text: str) -> None:
    assert scan(text, ExecutionLimits()) is None


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        ("qubit[5] q;", ExecutionLimits(max_qubits=4)),
        ("qubit[4] q; qubit a;", ExecutionLimits(max_qubits=4)),
        ("bit[4] c; bit a;", ExecutionLimits(max_bits=4)),
        ("qubit q;", ExecutionLimits(max_nesting=8)),
    ],
)
def test_declines_over_the_limits(body: str, limits: ExecutionLimits) -> None:
    assert scan(STANDARD + body, ExecutionLimits()) is not None
    assert scan(STANDARD + body, limits) is None


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("qubit[3] q; x q; x q;", 18),
        ("qubit[3] q; id q; id q;", 19),
        ("qubit[3] q; bit[3] c; c = measure q; /* ; */ reset q;", 46),
        ("gate g a { x a; x a; } qubit[3] q; // h;\rg q;", 42),
        ("qubit[2] q; gate g a { x a; x a; x a; } g q;", 41),
    ],
)
def test_too_many_operations_are_rejected_at_once_and_in_place(body: str, column: int) -> None:
    assert scan(f"{STANDARD}\n{body}", ExecutionLimits(max_operations=6)) is not None
    with pytest.raises(ProgramTooLarge) as caught:
        scan(f"{STANDARD}\n{body}", ExecutionLimits(max_operations=5))
    assert (caught.value.line, caught.value.column) == (2, column)


@pytest.mark.parametrize(
    ("usual", "unusual"),
    [
        ("h q[0]", "h q [0]"),
        ("h q[0]", "h\t q[ 0 ]"),
        ("rx(-0.5) q[1]", "rx (-.5)q[01]"),
        ("rx(0.25) q[1]", "rx((0.25))q[1]"),
        ("cp(pi/4) q[2], q[0]", "cp(pi / 4)q[2],q [0]"),
        ("U(1, 2.5, pi) a", "U(1,(2.5),1*pi)a"),
        ("cx q[1], a", "cx/**/q[1],a"),
        ("c[2] = measure q[1]", "c[ 2]=measure q[1]"),
        ("b = measure a", "measure a -> b"),
        ("cx q, r", "cx q[0:3], r"),
    ],
)
def test_usual_statement_means_what_it_means_written_otherwise(usual: str, unusual: str) -> None:
    first, second = (scan(f"{REGISTERS}{text};", ExecutionLimits()) for text in (usual, unusual))
    assert first is not None
    assert second is not None
    assert list(first.plain.steps) == list(second.plain.steps) != []


@pytest.mark.parametrize(
    "statement", ["h q[4]", "h q[0], q[1]", "cx q[0], q[0]", "rx q[0]", "rx() q[0]", "rx(1.5, 2) q[0]", "h = measure a"]
)
def test_usual_statement_with_a_mistake_is_declined(statement: str) -> None:
    assert scan(f"{REGISTERS}{statement};", ExecutionLimits()) is None


DOUBLING = "".join(f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 61))
HOSTILE = {
    "a thousand million qubits": "qubit[1000000000] q;",
    "doubling gates": STANDARD + "gate g0 a { x a; }" + DOUBLING + "qubit q; g60 q;",
    "a megabyte of gates": STANDARD + "qubit q; " + "x q;" * 260_000,
    "parameters that nothing uses": STANDARD
    + f"gate g({','.join(f'a{i}' for i in range(9000))}) a {{ x a; }} gate h(t) a {{ g({'t,' * 8999}t) a; }} "
    + "qubit[4096] q; "
    + "".join(f"h({i}) q; " for i in range(61)),
    "sums of parameters": STANDARD
    + f"gate g(t) a {{ rx({'t+' * 20_000}t) a; }} qubit[4096] q; "
    + "".join(f"g({i}) q; " for i in range(61)),
    "many sums of parameters": STANDARD
    + f"gate g(t) a {{ u3({'t+' * 100}t, {'t*' * 100}t, {'-t+' * 50}t) a; }} qubit[4096] q; "
    + "".join(f"g({i}) q; " for i in range(61)),
    "doubling gates without effect": "gate g0 a {}" + DOUBLING + "qubit q; g20 q;",
    "comments never closed": "/*" * 500_000,
    "slashes": "/" * 1_000_000,
    "blanks": STANDARD + "qubit q; x(1)" + " " * 1_000_000 + "(",
    "parentheses": STANDARD + "qubit q; rx" + "(" * 500_000 + ")" * 500_000 + " q;",
    "closing parentheses": STANDARD + "qubit q; rx(" + ")" * 60_000 + "( q;",
    "set never closed": STANDARD + "qubit[2] q; x q[{0" + ",0" * 500_000 + "];",
    "sum": STANDARD + "qubit q; rx(1" + "+1" * 30_000 + ") q;",
    "powers": STANDARD + "qubit q; rx(2" + "**2" * 20_000 + ") q;",
    "powers of powers": STANDARD + "qubit q; rx(" + "9**9**9**9," * 5000 + "1) q;",
    "long float": STANDARD + "qubit q; rx(0." + "1" * 60_000 + ") q;",
    "long integer": STANDARD + "qubit[" + "1" * 1_000_000 + "] q;",
    "definitions without semicolons": "".join(f"gate g{i} a {{}}" for i in range(50_000)) + "qubit q;",
    "the word gate": "gate " * 200_000 + ";",
    "braces": "gate g a {" * 100_000 + ";",
    "wide barriers": "qubit[4096] q;" + "".join(f"barrier{' ' * (1 + i)}q;" for i in range(600)),
    "many slices": "qubit[4096] q;" + "".join(f"delay[1ns] q[0:{4095 - i}];" for i in range(2000)),
    "semicolons": ";" * 1_000_000,
    "equals signs": "a" + "=" * 1_000_000 + ";",
    "brackets": STANDARD + "qubit[2] q; x q" + "[" * 500_000 + ";",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_costs_little(text: str) -> None:
    started = time.process_time()
    with suppress(ProgramTooLarge):
        scan(text, ExecutionLimits())
    assert time.process_time() - started < 2


def test_keywords_are_those_of_the_grammar() -> None:
    words = {name.strip("'") for name in qasm3Lexer.literalNames}
    assert {word for word in words if word.isidentifier()} <= KEYWORDS


def test_same_call_after_other_statements_is_the_same() -> None:
    body = (
        "gate g(t) a { gphase(t); rx(t) a; } qubit[2] q; bit[2] c; g(1) q[0]; g(1) q[0]; qubit r; g(1) q[0]; x r; x r;"
    )
    assert compare(STANDARD + body) == "both"
