"""Syntax highlighting of programs: lines of tokens with CSS classes, and the position of an error.

The page of a task and the preview of the form show programs by it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# The classes are those of Prism, which highlights the editor, so that one style sheet serves both.
_TOKEN = re.compile(
    r"""
    (?P<comment>/\*.*?(?:\*/|\Z)|//[^\n]*)
  | (?P<string>"[^"\n]*"|'[^'\n]*')
  | (?P<keyword>\b(?:OPENQASM|include|barrier|box|break|case|const|continue|ctrl|def|default|delay|else|end|for|gate
      |gphase|if|in|input|inv|let|measure|negctrl|opaque|output|pow|reset|return|switch|while)\b)
  | (?P<class_name>\b(?:angle|array|bit|bool|complex|creg|duration|float|int|qreg|qubit|stretch|uint)\b)
  | (?P<constant>\b(?:euler|pi|tau|true|false)\b|[π𝜏ℇ])
  | (?P<number>\b\d[\w.]*(?:(?<=[eE])[+-]\d+)?)
  | (?P<plain>\w+|[^\w"'/π𝜏ℇ]+|.|\n)
    """,
    re.VERBOSE | re.DOTALL,
)
MAX_LINES = 1000
MAX_CHARACTERS = 100_000
# Longer lines are truncated.
MAX_IN_A_LINE = 500
CONTEXT_LINES = 2


@dataclass(frozen=True, slots=True)
class Token:
    """Text and its CSS class; plain text has none."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a program; `caret` is the column, counted from 1, that an error points at."""

    number: int
    tokens: Sequence[Token]
    wrong: bool = False
    caret: int | None = None

    @property
    def indent(self) -> str:
        """White space as wide as the text before the caret."""
        before = "".join(token.text for token in self.tokens)[: (self.caret or 1) - 1]
        return "".join("\t" if character == "\t" else " " for character in before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Some lines of a program; `cut` is True if lines after them are left out."""

    lines: Sequence[Line]
    cut: bool = False


def listing(program: str, *, line: int | None = None, column: int | None = None, openqasm: bool = True) -> Listing:
    """The beginning of a program, up to `MAX_LINES`, with a caret at the given position; only OpenQASM is coloured."""
    text = _normalized(program)
    shown = _truncated(text[:MAX_CHARACTERS].split("\n", MAX_LINES)[:MAX_LINES])
    return Listing(
        lines=_lines(shown, first=1, wrong=line, column=column, openqasm=openqasm), cut=len(shown) < len(text)
    )


def excerpt(program: str, line: int, column: int | None = None) -> Listing:
    """One line of a program and the lines around it, with a caret at the given position."""
    text = _normalized(program).split("\n")
    first = max(1, line - CONTEXT_LINES)
    shown = text[first - 1 : line + CONTEXT_LINES]
    if line > len(text):
        return Listing(lines=())
    return Listing(lines=_lines(_truncated(shown), first=first, wrong=line, column=column))


def _truncated(lines: Sequence[str]) -> str:
    return "\n".join(line if len(line) <= MAX_IN_A_LINE else f"{line[:MAX_IN_A_LINE]} …" for line in lines)


def _lines(text: str, *, first: int, wrong: int | None, column: int | None, openqasm: bool = True) -> Sequence[Line]:
    tokens = _tokens(text) if openqasm else iter([Token(text)])
    return [
        Line(number=number, tokens=found, wrong=number == wrong, caret=column if number == wrong else None)
        for number, found in enumerate(_split(tokens), start=first)
    ]


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        kind = (found.lastgroup or "plain").replace("_", "-")
        yield Token(found[0], "" if kind == "plain" else kind)


def _split(tokens: Iterator[Token]) -> Iterator[Sequence[Token]]:
    """The tokens of each line; a token of several lines, such as a comment, is split."""
    line: list[Token] = []
    for token in tokens:
        head, *rest = token.text.split("\n")
        _append(line, Token(head, token.kind))
        for part in rest:
            yield line
            line = []
            _append(line, Token(part, token.kind))
    yield line


def _append(line: list[Token], token: Token) -> None:
    if line and line[-1].kind == token.kind:
        line[-1] = Token(line[-1].text + token.text, token.kind)
    elif token.text:
        line.append(token)


def _normalized(program: str) -> str:
    return program.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
