"""The tokens of a text that may be invalid: every character belongs to one, so that every mistake has a place.

The checks of syntax read them.
"""

import re
from bisect import bisect_right
from typing import NamedTuple

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.mistakes.report import shortened

# Every alternative is linear; a character that no other alternative matches is `bad`.
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]++|//[^\r\n]*+|/\*(?:.*?\*/|.*))
    | (?P<directive>(?:\#?pragma\b|@[^\W\d])[^\r\n]*+)
    | (?P<string>"[^"\r\n]*+"|'[^'\r\n]*+')
    | (?P<unclosed>"[^"\r\n]*+)
    | (?P<number>(?:0[xX][0-9a-fA-F_]++|0[bB][01_]++|0[oO][0-7_]++
        |(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9][0-9_]*+)(?:[eE][-+]?[0-9]++)?)(?:(?:dt|ns|us|[µμ]s|ms|s|im)\b)?)
    | (?P<name>\$[0-9]++|[^\W\d]\w*+)
    | (?P<sign>->|<-|\*\*=|<<=|>>=|\*\*|==|!=|<=|>=|&&|\|\||\+\+|<<|>>|[-+*/%&|^]=|[-+*/%&|^~!<>=@,:;.()\[\]{}])
    | (?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A token; `kind` is name, number, string, sign, directive, unclosed (a string) or bad, offsets are characters."""

    kind: str
    text: str
    start: int
    end: int


class Source:
    """A program's text with its tokens, without comments and blanks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self.tokens = [
            Token(found.lastgroup or "bad", found[0], found.start(), found.end())
            for found in _TOKEN.finditer(text)
            if found.lastgroup != "blank"
        ]

    def line_of(self, offset: int) -> int:
        return bisect_right(self._lines, offset)

    def invalid(self, offset: int, message: str) -> ProgramInvalid:
        """The mistake at an offset of the text."""
        line, column = self.position(offset)
        return ProgramInvalid(shortened(message), line=line, column=column)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset; both count from 1."""
        line = self.line_of(offset)
        return line, offset - self._lines[line - 1] + 1

    def offset_of(self, line: int, column: int) -> int:
        return self._lines[min(line, len(self._lines)) - 1] + column - 1

    def begins_a_line(self, token: Token) -> bool:
        return not self.text[self._lines[self.line_of(token.start) - 1] : token.start].strip()

    def slice(self, tokens: list[Token]) -> str:
        return self.text[tokens[0].start : tokens[-1].end] if tokens else ""
