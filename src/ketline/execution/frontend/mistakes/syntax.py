"""Finds the syntax mistakes of a text, and repairs the text so that the rest can be parsed. Used by `finder.py`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.mistakes.broken import Broken, identifiers
from ketline.execution.frontend.mistakes.characters import complaint, plain
from ketline.execution.frontend.mistakes.layout import Layout, Piece
from ketline.execution.frontend.mistakes.oracle import is_program
from ketline.execution.frontend.mistakes.rules import explain, explain_foreign
from ketline.execution.frontend.mistakes.tokens import Source, Token
from ketline.execution.frontend.mistakes.words import BEGINNINGS, KEYWORDS, OLD_TYPES, TYPES

_MAX_SPLITS_TRIED = 12
_MAX_TOKENS_SEARCHED = 500
_MAX_QUOTATION_CHARACTERS = 60
_ENDS_A_STATEMENT = frozenset({"name", "number", "string"})
# Statements of this common form are valid, and need no parser.
_NAME = rf"(?!(?:{'|'.join(sorted(KEYWORDS))})\b)[A-Za-z_]\w*+"
_OPERAND = rf"{_NAME} ?(?:\[ ?\d++ ?\])?+"
_PLAIN = re.compile(
    rf"(?:{_NAME} ?(?:\( ?-?(?:pi|\d++(?:\.\d++)?)(?: ?/ ?\d++)? ?\))?+"
    rf" ?{_OPERAND}(?: ?, ?{_OPERAND})*+ ?;|(?:qubit|bit) ?(?:\[ ?\d++ ?\])?+ {_NAME} ?;"
    rf"|{_OPERAND} ?= ?measure {_OPERAND} ?;)",
    re.ASCII,
)


class _Enough(Exception):
    pass


@dataclass(slots=True)
class Repaired:
    """A text after repairs: invalid statements are blank, and the names in them are `unknown`.

    `included` says that an `include` is among them. `insertions` are the offsets in the original text before which one
    character was inserted.
    """

    text: str
    insertions: Sequence[int]
    unknown: set[str]
    mistakes: list[ProgramInvalid]
    included: bool = False

    def original(self, offset: int) -> int:
        """Convert an offset in the repaired text to the original text."""
        for inserted in self.insertions:
            if inserted >= offset:
                break
            offset -= 1
        return offset


def repair(text: str, gates: frozenset[str], most: int) -> Repaired:
    """Find syntax mistakes, `most` at most, and repair the text; `gates` are the names of the standard gates."""
    checker = _SyntaxChecker(text, gates, most)
    try:
        checker.run()
    except _Enough:
        checker.blank(checker.reached, len(text))
    return checker.repaired()


@dataclass(slots=True)
class _SyntaxChecker:
    original: str
    gates: frozenset[str]
    most: int
    reached: int = 0
    mistakes: list[ProgramInvalid] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    source: Source = field(init=False)
    names: frozenset[str] = field(init=False)
    _characters: list[str] = field(init=False)
    _insertions: list[int] = field(default_factory=list)
    _wrong_characters: list[int] = field(default_factory=list)
    _reported_to: int = -1
    _included: bool = False
    _doubtful_to: int = 0  # what stands before it may be the rest of a statement that was cut in two

    def run(self) -> None:
        self._replace_characters()
        self.names = frozenset(_declared(self.source.tokens))
        self.gates |= frozenset(_after(self.source.tokens, {"gate", "def"}))
        Layout(self.source, self._visit, self._stray, self._unclosed).walk()
        self._report_characters([offset for offset in self._wrong_characters if offset > self._reported_to], 0)

    def repaired(self) -> Repaired:
        self._insertions.sort()
        parts, before = [], 0
        for offset in self._insertions:
            parts.append("".join(self._characters[before:offset]))
            before = offset
        text = ";".join([*parts, "".join(self._characters[before:])])
        return Repaired(text, self._insertions, self.unknown, self.mistakes, self._included)

    def blank(self, start: int, end: int) -> None:
        for at in range(start, end):
            if self._characters[at] not in "\r\n":
                self._characters[at] = " "

    def _replace_characters(self) -> None:
        """Report characters that are not allowed, and replace them by those that were probably meant."""
        self.source = Source(self.original)
        self._characters = list(self.original)
        for token in self.source.tokens:
            if token.kind not in ("bad", "unclosed"):
                continue
            self._wrong_characters.append(token.start)
            meant = plain(token.text) if token.kind == "bad" else None
            line_end = self.original.find("\n", token.start)
            if token.text == "#":
                self.blank(token.start, len(self.original) if line_end < 0 else line_end)
            else:
                self._characters[token.start] = meant if meant and len(meant) == 1 else " "
        if self._wrong_characters:
            self.source = Source("".join(self._characters))

    def _report(self, mistake: ProgramInvalid) -> None:
        self.mistakes.append(mistake)
        if len(self.mistakes) >= self.most:
            raise _Enough

    def _visit(self, piece: Piece) -> int:
        self.reached = piece.tokens[-1].end
        if piece.tokens[0].start < self._doubtful_to:
            self._give_up(piece)
            return len(piece.tokens)
        wrong = self._wrong_characters_of(piece)
        if self._is_right(piece):
            if any(self._changes_meaning(offset) for offset in wrong):
                self._give_up(piece)
            return self._report_characters(wrong, len(piece.tokens))
        broken = Broken(self.source, piece.tokens, piece.probe, self.names)
        found = explain_foreign(broken)
        if not wrong and found is None and not piece.is_head and (length := self._missing_semicolon(piece)):
            return length
        self._give_up(piece)
        if wrong:
            return self._report_characters(wrong, len(piece.tokens))
        found = found or explain(broken)
        self._report(self.source.invalid(found.offset, found.message))
        return len(piece.tokens)

    def _changes_meaning(self, offset: int) -> bool:
        """Whether the replacement of a character may change the structure of the text: a sign, or a ';' in a line."""
        meant = self._characters[offset]
        if meant != ";":
            return meant in "-*/=<>!.,:()[]{}"
        line_end = self.source.text.find("\n", offset)
        rest = self.source.text[offset + 1 : len(self.original) if line_end < 0 else line_end]
        self._doubtful_to = offset + 1 + len(rest)
        return bool(rest.strip())

    def _is_right(self, piece: Piece) -> bool:
        first = piece.tokens[0]
        if first.text == "OPENQASM" and first != self.source.tokens[0]:
            return False
        return bool(_PLAIN.fullmatch(" ".join(piece.probe.split()))) or is_program(piece.probe)

    def _wrong_characters_of(self, piece: Piece) -> list[int]:
        """The invalid characters in a piece, or between it and the previous one."""
        end = piece.tokens[-1].end
        wrong = [offset for offset in self._wrong_characters if self._reported_to < offset < end]
        self._reported_to = max(self._reported_to, end - 1)
        return wrong

    def _report_characters(self, wrong: list[int], length: int) -> int:
        """Report one mistake for a statement, even if both of its quotation marks are wrong."""
        if wrong:
            self._report(self.source.invalid(wrong[0], complaint(self.original[wrong[0]])))
        return length

    def _missing_semicolon(self, piece: Piece) -> int:
        """Insert a missing ';', and return the number of tokens before it; 0 if none is missing."""
        for length in self._ends_of_statements(piece.tokens):
            tokens = piece.tokens[:length]
            if not is_program(self.source.slice(tokens) + ";"):
                continue
            if self._characters[tokens[-1].start] == tokens[-1].text[0]:  # not in a block that is made blank
                self._insertions.append(tokens[-1].end)
            wrong = self._wrong_characters_behind(tokens[-1])
            if not wrong:  # a ';' may stand behind them
                message = f"';' is missing at the end of {self._quoted(tokens)}"
                self._report(self.source.invalid(tokens[-1].end, message))
            return self._report_characters(wrong, length)
        return 0

    def _wrong_characters_behind(self, token: Token) -> list[int]:
        """The invalid characters after a piece in the same line, before the next token."""
        following = next((one.start for one in self.source.tokens if one.start >= token.end), len(self.original))
        line_end = self.original.find("\n", token.end)
        end = min(following, len(self.original) if line_end < 0 else line_end)
        wrong = [offset for offset in self._wrong_characters if token.end <= offset < end]
        self._reported_to = max([self._reported_to, *wrong])
        return wrong

    def _quoted(self, tokens: list[Token]) -> str:
        text = " ".join(self.source.slice(tokens).split())
        return f"'{text}'" if len(text) <= _MAX_QUOTATION_CHARACTERS else "this statement"

    def _ends_of_statements(self, tokens: list[Token]) -> list[int]:
        """Places where a statement may end without ';': ends of lines, then before words that begin a statement."""
        depth, lines, words = 0, list[int](), list[int]()
        for at, token in enumerate(tokens[:_MAX_TOKENS_SEARCHED]):
            if at and not depth and _may_end(tokens, at) and self._begins_a_statement(tokens, at, token):
                (lines if self.source.begins_a_line(token) else words).append(at)
            depth += (token.text in "([{") - (token.text in ")]}")
        last = [len(tokens)] if tokens[-1].text != ";" and not depth and _may_end(tokens, len(tokens)) else []
        return [*lines, *words, *last][:_MAX_SPLITS_TRIED]

    def _begins_a_statement(self, tokens: list[Token], at: int, token: Token) -> bool:
        if token.kind != "name":
            return False
        if token.text in BEGINNINGS or token.text == "measure":
            return token.text != "measure" or self.source.begins_a_line(token)
        if token.text in self.names:
            return _is_assignment(tokens, at)
        return token.text not in KEYWORDS and (token.text in self.gates or self.source.begins_a_line(token))

    def _give_up(self, piece: Piece) -> None:
        first, last = piece.tokens[0], piece.tokens[-1]
        self.unknown.update(identifiers(piece.tokens))
        self._included |= first.text.lower().startswith("incl")
        self.blank(first.start, last.end)
        if not piece.is_head and last.end - first.start > 1:
            self._characters[first.start : first.start + 2] = "{}"  # the branch of an 'if' must have a statement
        if first.text in ("gate", "def", "switch", "case") and piece.body:
            # The names in it belong to what is not understood.
            self.blank(piece.body[0].start, piece.body[-1].end)
        if first.text == "if":
            self._blank_else(piece)

    def _blank_else(self, piece: Piece) -> None:
        """Blank an `else` after a block whose `if` was blanked."""
        if not piece.body:
            return
        following = next((token for token in self.source.tokens if token.start >= piece.body[-1].end), None)
        if following is not None and following.text == "else":
            self.blank(following.start, following.end)

    def _stray(self, token: Token) -> None:
        self.reached = token.end
        self.blank(token.start, token.end)
        self._report(self.source.invalid(token.start, "this '}' closes nothing: remove it, or write the '{' it ends"))

    def _unclosed(self, token: Token) -> None:
        self.blank(token.start, token.end)
        self._report(self.source.invalid(token.start, "this '{' is never closed: write a '}' where its block ends"))


def _may_end(tokens: list[Token], length: int) -> bool:
    """Whether a statement may end with the last of these tokens."""
    last = tokens[length - 1]
    if last.text in (")", "]", "}"):
        return True
    if last.text in ("break", "continue", "return", "end", "barrier"):
        return True
    # A name alone is the beginning of a call, not a statement.
    return last.kind in _ENDS_A_STATEMENT and last.text not in KEYWORDS - {"true", "false"} and length > 1


def _is_assignment(tokens: list[Token], at: int) -> bool:
    depth = 0
    for token in tokens[at + 1 : at + 40]:
        depth += (token.text == "[") - (token.text == "]")
        if not depth and token.text not in ("]",):
            return token.text.endswith("=") and token.text != "=="
    return False


def _declared(tokens: list[Token]) -> list[str]:
    """The names of registers and variables, including invalid declarations."""
    names = []
    for at, token in enumerate(tokens):
        if token.text not in TYPES | OLD_TYPES:
            continue
        following, depth = at + 1, 0
        while following < min(len(tokens), at + 12):
            text = tokens[following].text
            depth += (text in "([") - (text in ")]")
            if not depth and tokens[following].kind == "name" and text not in KEYWORDS:
                names.append(text)
            if not depth and text not in (")", "]"):
                break
            following += 1
    return names


def _after(tokens: list[Token], words: set[str]) -> list[str]:
    return [name.text for word, name in pairwise(tokens) if word.text in words]
