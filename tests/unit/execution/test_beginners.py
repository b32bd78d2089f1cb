"""Wrong programs of beginners: the message and the place that each gets, whatever else stands in the program."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ketline.domain.errors import ExecutionFailed
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits

INCLUDE = 'include "stdgates.inc";'
# What the scanner declines, or the importer too: other front ends read the program then.
UNRELATED = {
    "a variable": "int unrelated = 0;",
    "a loop": "int unrelated = 0; while (unrelated < 2) { unrelated += 1; }",
    "a subroutine": "def unrelated(int n) -> int { return n + 1; }",
    "an if": "bit unrelated; if (unrelated == 1) { }",
}
_ENTRY = re.compile(r"^== (?P<title>.*)\n(?P<program>(?:.*\n)+?)-- (?P<line>\d+):(?P<column>\d+) (?P<code>\w+)\n", re.M)
_MENDED = re.compile(r"\+\+ (\d+): ?(.*)")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong program, as lines, with what is said of it and the lines that mend it."""

    lines: list[str]
    said: tuple[str, int, int, str]
    mended: dict[int, str]


def _entries() -> dict[str, Wrong]:
    text = (Path(__file__).parent / "beginners.txt").read_text(encoding="utf-8")
    found = list(_ENTRY.finditer(text))
    ends = [entry.start() for entry in found[1:]] + [len(text)]
    entries = {}
    for entry, end in zip(found, ends, strict=True):
        message, *mended = text[entry.end() : end].strip().split("\n")
        lines = {int(one[1]): one[2] for one in map(_MENDED.fullmatch, mended) if one}
        assert len(lines) == len(mended), entry["title"]
        said = (entry["code"], int(entry["line"]), int(entry["column"]), message)
        entries[entry["title"]] = Wrong(entry["program"].rstrip("\n").split("\n"), said, lines)
    return entries


ENTRIES = _entries()


def said_of(lines: list[str]) -> tuple[str, int | None, int | None, str]:
    with pytest.raises(ExecutionFailed) as caught:
        load_program("\n".join(lines), ExecutionLimits())
    error = caught.value
    return error.code, error.line, error.column, error.message


@pytest.mark.parametrize("wrong", ENTRIES.values(), ids=ENTRIES.keys())
def test_mistake_is_told_at_its_place(wrong: Wrong) -> None:
    assert said_of(wrong.lines) == wrong.said


@pytest.mark.parametrize("wrong", ENTRIES.values(), ids=ENTRIES.keys())
def test_what_the_message_says_mends_the_program(wrong: Wrong) -> None:
    lines = [wrong.mended.get(number, line) for number, line in enumerate(wrong.lines, 1)]
    load_program("\n".join(lines), ExecutionLimits())


@pytest.mark.parametrize("unrelated", UNRELATED.values(), ids=UNRELATED.keys())
@pytest.mark.parametrize("wrong", ENTRIES.values(), ids=ENTRIES.keys())
def test_message_does_not_depend_on_what_else_the_program_has(wrong: Wrong, unrelated: str) -> None:
    assert said_of([*wrong.lines, unrelated]) == wrong.said
    if INCLUDE in wrong.lines:
        assert said_of([f"{line} {unrelated}" if line == INCLUDE else line for line in wrong.lines]) == wrong.said


def test_there_are_sixty_of_them() -> None:
    assert len(ENTRIES) >= 60
