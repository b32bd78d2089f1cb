"""Splits an OpenQASM 2 text into tokens, each with its place, for the checks of `checker.py`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    | (?P<comment>/\*(?:.*?\*/|.*))
    | (?P<string>"[^"\r\n]*"?)
    | (?P<real>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    | (?P<integer>[0-9]+)
    | (?P<name>\w+)
    | (?P<sign>->|==|\S)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is string, real, integer, name, sign, comment (of OpenQASM 3) or end."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, followed by one of the kind end at the end of the last one."""
    tokens = list(_tokens(text))
    return [*tokens, Token("end", "", tokens[-1].end if tokens else 0)]


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "sign"
        if kind != "blank":
            yield Token(kind, found[0], found.start())
