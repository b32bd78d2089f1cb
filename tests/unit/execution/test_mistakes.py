"""All mistakes of a program are found together, and none that only follows from another."""

import time

import pytest

from ketline.domain.errors import ExecutionFailed
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\n'


def mistakes_of(text: str) -> list[tuple[int | None, int | None, str]]:
    with pytest.raises(ExecutionFailed) as caught:
        load_program(text, ExecutionLimits())
    return [(one.line, one.column, one.message) for one in (caught.value, *caught.value.others)]


def test_mistakes_of_syntax_and_of_names_are_found_together() -> None:
    text = (
        HEADER + "H q[0];\ncx q[0] q[1];\nint n = 1\nfor i in [0:1] { x q[i]; }\n"
        "c[5] = measure q[0];\nrx(theta) q[0];\nif (c = 1) { x q[2]; }\ngate g a { h b; }\ng q[0], q[1];\n"
    )
    assert mistakes_of(text) == [
        (5, 1, "gate 'H' is not defined: did you mean 'h'?"),
        (6, 8, "',' is missing between 'q[0]' and 'q[1]'"),
        (7, 10, "';' is missing at the end of 'int n = 1'"),
        (8, 5, "the type of the loop variable 'i' is missing: write 'for int i in [0:1]'"),
        (9, 1, "index 5 is out of range: 'c' has 2 bits, c[0] to c[1]"),
        (10, 4, "'theta' is not defined: declare it first, as in 'float theta = 0.5;'"),
        (11, 7, "'=' assigns a value: write '==' to compare"),
        (11, 16, "index 2 is out of range: 'q' has 2 qubits, q[0] to q[1]"),
        (12, 14, "'b' is not a qubit of gate 'g'"),
        (13, 9, "gate 'g' takes 1 qubit, not 2: call it for each of them, 'g q[0]; g q[1];'"),
    ]


FOLLOWING = {
    "calls of a gate whose definition is wrong": ("gate g a { h a }\ng q[0];\ng q[1];", (5, 15)),
    "calls of a gate whose head is wrong": ("gate g a b { cx a, b; }\ng q[0], q[1];", (5, 9)),
    "uses of a register whose declaration is wrong": ("qubit r[3];\nx r[0];\nx r[2];\nc[0] = measure r[1];", (5, 8)),
    "uses of a register that is not declared": ("x r[0];\nx r[1];\ncx r[0], r[1];", (5, 3)),
    "uses of a loop variable without a type": ("for i in [0:1] { x q[i]; rx(i * pi) q[i]; }", (5, 5)),
    "uses of a variable without ';'": ("int n = 1\nx q[n];", (5, 10)),
    "an else of an if that is wrong": ("if c == 1 { x q[0]; } else { y q[0]; }", (5, 4)),
    "the body of a loop that is wrong": ("while c { int k = 1; x q[k]; }", (5, 7)),
    "the second quotation mark": ("include “stdgates.inc”;", (5, 9)),
    "operands of a gate that is not defined": ("foo(1, 2) q[0], q[1];", (5, 1)),
    "a register of a misspelt type": ("qbit r;\nx r;", (5, 1)),
    "calls of a subroutine whose head is wrong": ("def f(p) { x p; }\nf(q[0]);", (5, 7)),
    "what stands behind a brace that is not closed": ("if (c == 1) { x q[0];\nx q[1];", (5, 13)),
}


@pytest.mark.parametrize(("body", "place"), FOLLOWING.values(), ids=FOLLOWING.keys())
def test_what_follows_from_a_mistake_is_not_told(body: str, place: tuple[int, int]) -> None:
    assert [found[:2] for found in mistakes_of(HEADER + body)] == [place]


def test_include_is_missed_once() -> None:
    (found,) = mistakes_of("qubit[2] q; bit c;\nh q[0];\ncx q[0], q[1];\nrz(0.5) q[1];\nc = measure q[0];")
    assert found[:2] == (2, 1)
    assert "stdgates.inc" in found[2]


def test_include_that_is_wrong_is_the_only_mistake() -> None:
    (found,) = mistakes_of("include stdgates.inc;\nqubit q; bit c;\nh q;\nc = measure q;")
    assert found[:2] == (1, 9)


def test_mistakes_end_at_twenty() -> None:
    found = mistakes_of(HEADER + "".join(f"foo{i} q;\n" for i in range(30)))
    assert [line for line, _, _ in found] == list(range(5, 25))
    assert len(mistakes_of(HEADER + "x q\n" * 30)) == 20


def test_mistake_and_what_is_not_supported_are_told_together() -> None:
    found = mistakes_of(HEADER + "duration d = 1ns;\nH q[0];")
    assert [line for line, _, _ in found] == [5, 6]
    assert "duration" in found[0][2]


def test_places_behind_a_missing_semicolon_are_those_of_the_text() -> None:
    found = mistakes_of(HEADER + "x q[0] y q[1] z q[5];")
    assert [column for _, column, _ in found] == [7, 14, 17]


INVISIBLE = {
    "\u200b": "U+200B ZERO WIDTH SPACE",
    "\u00a0": "U+00A0 NO-BREAK SPACE",
    "\u00ad": "U+00AD SOFT HYPHEN",
    "\u202e": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "\u2066": "U+2066 LEFT-TO-RIGHT ISOLATE",
    "\u200e": "U+200E LEFT-TO-RIGHT MARK",
    "\ufeff": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "\u3000": "U+3000 IDEOGRAPHIC SPACE",
    "\u2028": "U+2028 LINE SEPARATOR",
    "\x0c": "U+000C",
    "“": "U+201C LEFT DOUBLE QUOTATION MARK",
    "’": "U+2019 RIGHT SINGLE QUOTATION MARK",
    "；": "U+FF1B FULLWIDTH SEMICOLON",
    "（": "U+FF08 FULLWIDTH LEFT PARENTHESIS",
    "，": "U+FF0C FULLWIDTH COMMA",
    "–": "U+2013 EN DASH",
    "×": "U+00D7 MULTIPLICATION SIGN",
}


@pytest.mark.parametrize("place", ["x {}q[0];", "x q[0]{};", "x q[0];{}\nx q[1];", "x q[0];\n{}", "cx q[0], {} q[1];"])
@pytest.mark.parametrize(("character", "name"), INVISIBLE.items())
def test_character_that_is_not_what_it_looks_like_is_named(character: str, name: str, place: str) -> None:
    text = HEADER + place.format(character)
    before = text[: text.index(character)].split("\n")
    (found,) = mistakes_of(text)
    assert found[:2] == (len(before), len(before[-1]) + 1)
    assert name in found[2]


LOOKALIKES = {
    "a Cyrillic letter in a gate": ("ѕ q[0];", "U+0455 CYRILLIC SMALL LETTER DZE"),
    "a Greek letter in a register": ("qubit Ab; x Αb;", "U+0391 GREEK CAPITAL LETTER ALPHA"),
    "a Cyrillic letter in a type": ("quЬit r;".replace("Ь", "b").replace("i", "і"), "U+0456 CYRILLIC"),
    "full-width letters": ("ｈ q[0];", "U+FF48 FULLWIDTH LATIN SMALL LETTER H"),
}


@pytest.mark.parametrize(("body", "name"), LOOKALIKES.values(), ids=LOOKALIKES.keys())
def test_letter_of_another_alphabet_is_named(body: str, name: str) -> None:
    (found,) = mistakes_of(HEADER + body)
    assert name in found[2]
    assert "Latin letters" in found[2]


MEANT = {
    "own gate": ("gate bell a, b { h a; cx a, b; }\nbel q[0], q[1];", "'bell'"),
    "own register": ("qubit[2] data;\nx dtaa[0];", "'data'"),
    "own variable": ("int count = 1;\nx q[cuont];", "'count'"),
    "constant": ("rx(Pi / 2) q[0];", "'pi'"),
    "function": ("rx(sine(0.5)) q[0];", "'sin'"),
    "gate without the include": ("", "'ccx'"),
}


@pytest.mark.parametrize(("body", "meant"), MEANT.values(), ids=MEANT.keys())
def test_name_that_was_meant_is_suggested(body: str, meant: str) -> None:
    text = HEADER + body if body else "qubit[2] q; bit c; ccxx q[0], q[1]; c = measure q[0];"
    (found,) = mistakes_of(text)
    assert f"did you mean {meant}" in found[2]


HOSTILE = {
    "missing semicolons": "x q\n" * 12_000,
    "open brackets": "x q[" * 12_000,
    "braces": "{ x q\n" * 60 + "}" * 60,
    "one statement": "x " + "q[0], " * 8_000,
    "bad characters": "x q[0]\u200b;\n" * 5_000,
    "quotation marks": '"' * 60_000,
    "names": "".join(f"a{i} " for i in range(9_000)),
    "ifs": "if c " * 10_000,
    "fors": "for i in " * 6_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_broken_texts_are_taken_apart_in_seconds(body: str) -> None:
    text = (HEADER + body)[: 1 << 16]
    began = time.process_time()
    assert len(mistakes_of(text)) <= 20
    assert time.process_time() - began < 20
