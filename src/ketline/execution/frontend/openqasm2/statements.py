"""Splits an OpenQASM 2 program into statements without parsing them, for its outline and the limits on its cost."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ketline.domain.errors import ExecutionFailed
from ketline.execution.frontend.text import position_of

_STATEMENT = re.compile(r"([A-Za-z_]\w*)([^;{}]*)|}")
_CONDITION = re.compile(r"\s*\(\s*(?P<register>\w+)\s*==[^()]*\)\s*(?P<word>[A-Za-z_]\w*)(?P<rest>.*)", re.DOTALL)
DECLARATIONS = frozenset({"OPENQASM", "include", "qreg", "creg", "gate", "opaque"})


class Statement(NamedTuple):
    """A statement by its first word, one under an `if` by that behind the condition; inside of a gate or outside."""

    offset: int
    word: str
    rest: str
    inside: bool
    condition: str | None = None


def statements(text: str) -> Iterator[Statement]:
    inside = False
    for found in _STATEMENT.finditer(text):
        word, rest = found.groups()
        if word is None:
            inside = False
        elif word == "if" and (condition := _CONDITION.fullmatch(rest)):
            yield Statement(found.start(), condition["word"], condition["rest"], inside, condition["register"])
        else:
            yield Statement(found.start(), word, rest, inside)
            inside = inside or word == "gate"


def error_at(text: str, statement: Statement, kind: type[ExecutionFailed], message: str) -> ExecutionFailed:
    line, column = position_of(text, statement.offset)
    return kind(message, line=line, column=column)
