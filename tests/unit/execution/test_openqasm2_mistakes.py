"""Wrong programs in OpenQASM 2: the message and the place that each gets, and that nothing else comes of them."""

import re
from pathlib import Path
from random import Random

import pytest

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, ProgramInvalid
from ketline.execution.frontend.openqasm2.checker import find_mistakes
from ketline.execution.frontend.openqasm2.source import without_comments
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from tests.corpus.openqasm2 import openqasm2_programs

START = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3];\n'
LIMITS = ExecutionLimits()
_ENTRY = re.compile(
    r"^== (?P<title>.*)\n(?P<body>(?:.*\n)+?)-- (?P<line>\d+):(?P<column>\d+) (?P<code>\w+)\n(?P<message>.*)\n", re.M
)
_TEXT = (Path(__file__).parent / "openqasm2_mistakes.txt").read_text(encoding="utf-8")
ENTRIES = {entry["title"]: entry for entry in _ENTRY.finditer(_TEXT)}
_OF_PYTHON = re.compile(r"Error\b|Exception|NoneType|qiskit|site-packages|\.py\b")
_SIGNS = ["(", ")", "[", "]", "{", "}", ";", ",", "->", "==", "=", "-", "^", "/", "//", "/*", '"', "é", "$0", "1e9"]
_WORDS = ["gate", "opaque", "if", "measure", "qreg", "creg", "include", "barrier", "reset", "OPENQASM", "q", "pi", "U"]


def error_of(text: str) -> ExecutionFailed | None:
    try:
        load_program(text, LIMITS, form=ProgramFormat.OPENQASM2)
    except ExecutionFailed as error:
        return error
    return None


def rejection(text: str) -> ExecutionFailed:
    with pytest.raises(ExecutionFailed) as caught:
        load_program(text, LIMITS, form=ProgramFormat.OPENQASM2)
    return caught.value


def test_every_entry_is_read() -> None:
    assert len(ENTRIES) == _TEXT.count("\n== ") >= 80


@pytest.mark.parametrize("title", ENTRIES)
def test_mistake_is_told_at_its_place(title: str) -> None:
    entry = ENTRIES[title]
    error = rejection(START + entry["body"])
    told = (error.line, error.column, error.code, error.message)
    assert told == (int(entry["line"]), int(entry["column"]), entry["code"], entry["message"])


@pytest.mark.parametrize("title", ENTRIES)
def test_message_does_not_depend_on_the_line(title: str) -> None:
    entry = ENTRIES[title]
    error = rejection(f"{START}// more\n\n{entry['body']}")
    assert (error.line, error.column) == (int(entry["line"]) + 2, int(entry["column"]))


def test_all_mistakes_are_told_in_order() -> None:
    error = rejection(START + "foo q[0];\nh q[5];\nx q[0]\ncx q[0];\nmeasure q -> d;\nh q;")
    mistakes = [error, *error.others]
    assert [(one.line, one.column) for one in mistakes] == [(2, 1), (3, 3), (4, 7), (5, 1), (6, 14)]


def test_twenty_mistakes_are_told_at_most() -> None:
    assert len(rejection(START + "foo1 q;" + "cx q[0];" * 100).others) == 19


def test_name_that_is_not_defined_is_told_once() -> None:
    assert rejection(START + "foo q;\nfoo q;\nh r;\nx r;").others[1:] == ()


def test_gate_with_a_wrong_definition_is_not_told_again() -> None:
    assert rejection(START + "gate g a,a { h a; }\ng q[0],q[1];\ng q[1];").others == ()


def test_gate_with_a_mistake_inside_is_defined() -> None:
    error = rejection(START + "gate g a { foo a; h b; }\ng q[0];\ng q[0],q[1];")
    assert [(one.line, one.column) for one in (error, *error.others)] == [(2, 12), (2, 21), (4, 8)]


def test_long_names_are_shortened() -> None:
    assert len(rejection(START + f"{'a' * 5000} q[0];").message) < 500


def mutated(text: str, choices: Random) -> str:
    """The text with a few pieces taken out, doubled, moved or replaced."""
    pieces = re.findall(r"\w+|\s+|->|==|.", text)
    for _ in range(choices.randint(1, 4)):
        at = choices.randrange(len(pieces))
        match choices.randrange(4):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(at, choices.choice(_SIGNS + _WORDS))
            case 2:
                pieces[at] = choices.choice(pieces)
            case _:
                other = choices.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
    return "".join(pieces)


@pytest.mark.parametrize("name", openqasm2_programs())
def test_damaged_program_is_read_or_rejected_with_a_place(name: str) -> None:
    choices = Random(name)
    text = openqasm2_programs()[name]
    for _ in range(60):
        damaged = mutated(text, choices)
        error = error_of(damaged)
        if error is not None:
            assert not _OF_PYTHON.search(error.message), damaged
            assert error.line is not None or "measured" in error.message, (damaged, error.message)


@pytest.mark.parametrize("name", openqasm2_programs())
def test_nothing_is_wrong_with_a_right_program(name: str) -> None:

    assert find_mistakes(without_comments(openqasm2_programs()[name])) == []


def test_empty_program_is_rejected() -> None:
    assert isinstance(rejection(""), ProgramInvalid)
