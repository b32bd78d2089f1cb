"""Parses one statement of a flat program without regard to declarations, so that the result can be cached.

`statements.py` calls it.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ketline.execution.frontend.scanner.constants import Value, integer_of, values_of
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, FLOAT, IDENTIFIER, INTEGER, STATEMENT, Declined

# Cached, because programs have many short statements in common, such as 'h q[0]'.
_MAX_CACHED_CHARACTERS = 32
_MAX_CACHED = 4096

_INCLUDE = re.compile(rf'{BLANK}*+include[ \t\r\n]*+"stdgates\.inc"{BLANK}*+')
_DECLARATION = re.compile(
    rf"(?:\[([^\[\]]*+)\]{BLANK}*+)?({IDENTIFIER}){BLANK}*+(?:={BLANK}*+measure\b(.*+))?", re.DOTALL
)
_OLD_DECLARATION = re.compile(rf"({IDENTIFIER}){BLANK}*+(?:\[([^\[\]]*+)\]{BLANK}*+)?")
_ASSIGNMENT = re.compile(rf"([^=]++)={BLANK}*+measure\b(.*+)", re.DOTALL)
_DELAY = re.compile(rf"\[{BLANK}*+(?:{FLOAT}|{INTEGER})(?:dt|ns|us|µs|ms|s){BLANK}*+\](.*+)", re.DOTALL)

_INPUT = re.compile(
    rf"(?:float(?:{BLANK}*+\[{BLANK}*+64{BLANK}*+\]|{BLANK})|(angle){BLANK}){BLANK}*+({IDENTIFIER}){BLANK}*+"
)

# The name of an action of `ProgramScanner`, and its arguments.
Statement = tuple[str, tuple[Any, ...]]
# Reads the arguments of a gate, or of a global phase.
_Arguments = Callable[[str], tuple[Value, ...]]


def statement_of(piece: str, arguments_of: _Arguments | None = None) -> Statement:
    """Parse the text before a semicolon; arguments of gates are constants, or else read by `arguments_of`.

    Raises:
        Declined: it is not a statement of a flat program.
    """
    if arguments_of is not None:
        return _statement_of(piece, arguments_of)
    return short_statement(piece) if len(piece) <= _MAX_CACHED_CHARACTERS else _statement_of(piece)


def _statement_of(piece: str, arguments_of: _Arguments = values_of) -> Statement:
    name, arguments, rest = _match(STATEMENT, piece.rstrip(BLANKS))
    if name == "include":
        return _include(piece)
    if name == "gphase":
        return _phase(arguments_of(arguments or ""), rest)
    reader = _READERS.get(name)
    if reader is None and (arguments is not None or "=" not in rest):
        return "call", (name, arguments_of(arguments) if arguments else (), rest)
    if arguments is not None:
        raise Declined
    return _assignment(piece) if reader is None else reader(rest)


short_statement = lru_cache(_MAX_CACHED)(_statement_of)


def _include(piece: str) -> Statement:
    _match(_INCLUDE, piece)
    return "include", ()


def _phase(values: tuple[Value, ...], rest: str) -> Statement:
    if len(values) != 1 or rest.strip(BLANKS):
        raise Declined
    return "global phase", values


def _qubits(rest: str) -> Statement:
    size, name, measured = _match(_DECLARATION, rest)
    if measured is not None:
        raise Declined
    return "declare qubits", (name, _size(size))


def _bits(rest: str) -> Statement:
    size, name, measured = _match(_DECLARATION, rest)
    return "declare bits", (name, _size(size), measured and measured.strip(BLANKS))


def _old_qubits(rest: str) -> Statement:
    name, size = _match(_OLD_DECLARATION, rest)
    return "declare qubits", (name, _size(size))


def _old_bits(rest: str) -> Statement:
    name, size = _match(_OLD_DECLARATION, rest)
    return "declare bits", (name, _size(size), None)


def _input(rest: str) -> Statement:
    angle, name = _match(_INPUT, rest)
    return "declare input", (name, angle or "float")


def _size(text: str | None) -> int | None:
    return None if text is None else integer_of(text)


def _arrow(rest: str) -> Statement:
    measured, arrow, target = rest.partition("->")
    if not arrow:
        raise Declined
    return "measure", (measured.strip(BLANKS), target.strip(BLANKS))


def _assignment(piece: str) -> Statement:
    target, measured = _match(_ASSIGNMENT, piece)
    return "measure", (measured.strip(BLANKS), target.strip(BLANKS))


def _reset(rest: str) -> Statement:
    return "reset", (rest,)


def _barrier(rest: str) -> Statement:
    return "barrier", (rest,)


def _delay(rest: str) -> Statement:
    return "delay", _match(_DELAY, rest)


_READERS: dict[str, Callable[[str], Statement]] = {
    "barrier": _barrier,
    "bit": _bits,
    "creg": _old_bits,
    "delay": _delay,
    "input": _input,
    "measure": _arrow,
    "qreg": _old_qubits,
    "qubit": _qubits,
    "reset": _reset,
}


def _match(pattern: re.Pattern[str], text: str) -> tuple[Any, ...]:
    found = pattern.fullmatch(text)
    if found is None:
        raise Declined
    return found.groups()
