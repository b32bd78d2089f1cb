"""Splits a text into statements and heads of blocks, even if it is not a valid program. Used by `syntax.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ketline.execution.frontend.mistakes.tokens import Source, Token

BLOCKS = frozenset({"if", "while", "for", "switch", "gate", "def", "box", "case"})
_CALIBRATIONS = frozenset({"cal", "defcal"})
_OPENING = {"(": ")", "[": "]", "{": "}"}
_SEPARATORS = frozenset({":", "then", "do"})  # of other languages, before a block
_BEFORE_A_SET = frozenset({"=", ",", "{", "(", "in", "++", "["})


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement, or the head of a block, with its tokens; `probe` is a program if and only if the piece is valid.

    `body` are the tokens of the block after a head.
    """

    tokens: list[Token]
    probe: str
    is_head: bool = False
    body: Sequence[Token] = ()


class Layout:
    """Goes through a text once. `visit` gets each piece, and returns how many of its tokens are processed: the others
    are visited again. `stray` and `unclosed` get braces without a partner, `bodiless` a head that no block follows.
    """

    def __init__(
        self,
        source: Source,
        visit: Callable[[Piece], int],
        stray: Callable[[Token], None],
        unclosed: Callable[[Token], None],
    ) -> None:
        self._source = source
        self._tokens = source.tokens
        self._visit = visit
        self._stray = stray
        self._unclosed = unclosed
        self._at = 0

    def walk(self) -> None:
        while self._at < len(self._tokens):
            self._statements()
            if self._at < len(self._tokens):  # a '}' that closes nothing
                self._stray(self._tokens[self._at])
                self._at += 1

    def _text(self, at: int) -> str:
        return self._tokens[at].text if at < len(self._tokens) else ""

    def _statements(self) -> None:
        while self._at < len(self._tokens) and self._text(self._at) != "}":
            self._statement()

    def _statement(self) -> None:
        word = self._text(self._at)
        if word == "{":
            self._block()
        elif self._tokens[self._at].kind == "directive":
            self._at += 1
        elif word == "default" and self._text(self._at + 1) == "{":
            self._at += 1
            self._block()
        elif word in BLOCKS:
            self._head(word)
        elif word in _CALIBRATIONS:
            self._calibration()
        else:
            self._simple()

    def _block(self) -> None:
        opening = self._tokens[self._at]
        self._at += 1
        self._statements()
        if self._at < len(self._tokens):
            self._at += 1
        else:
            self._unclosed(opening)

    def _body(self) -> None:
        if self._text(self._at) in _SEPARATORS:
            self._at += self._visit(Piece([self._tokens[self._at]], self._text(self._at), is_head=True))
        if self._at < len(self._tokens) and self._text(self._at) != "}":
            self._statement()

    def _head(self, word: str) -> None:
        end = self._end_of_head(word)
        tokens = self._tokens[self._at : end]
        text = self._source.slice(tokens)
        has_block = self._text(end) == "{"
        probe = {
            "switch": f"{text} {{ case 0 {{}} }}",
            "case": f"switch (0) {{ {text} {{}} }}",
        }.get(word, f"{text} {{}}")
        body = self._tokens[end : self._balanced(end)] if has_block else ()
        self._at += self._visit(
            Piece(tokens, probe if has_block or word in ("if", "while", "for") else text, True, body)
        )
        if self._at == end and (has_block or word in ("if", "while", "for")):
            self._body()
            if word == "if" and self._text(self._at) == "else":
                self._at += 1
                self._body()

    def _end_of_head(self, word: str) -> int:
        at = self._at + 1
        if word in ("if", "while", "switch") and self._text(at) == "(":
            return self._balanced(at)
        if word == "for":
            return self._end_of_for(at)
        while at < len(self._tokens) and self._text(at) not in ("{", "}", ";"):
            if self._text(at) in ("(", "["):
                at = self._balanced(at)
            elif word in ("if", "while") and self._source.begins_a_line(self._tokens[at]):
                return at
            else:
                at += 1
        return at + (self._text(at) == ";")

    def _end_of_for(self, at: int) -> int:
        if self._text(at) == "(":
            return self._balanced(at, across_statements=True)
        first = self._source.line_of(self._tokens[at - 1].start)
        while at < len(self._tokens) and self._text(at) not in ("{", "}", ";", "in"):
            at += 1
        if self._text(at) != "in":
            return at
        at += 1
        if self._text(at) in ("{", "["):
            return self._balanced(at)
        while at < len(self._tokens) and self._text(at) not in ("{", "}", ";"):
            if self._source.line_of(self._tokens[at].start) > first:
                break
            at = self._balanced(at) if self._text(at) in ("(", "[") else at + 1
        return at

    def _balanced(self, at: int, *, across_statements: bool = False) -> int:
        """The position after the bracket that closes the one at a position, or the end of the statement."""
        opening = self._text(at)
        closing = [_OPENING[opening]]
        at += 1
        while at < len(self._tokens) and closing:
            text = self._text(at)
            if text == closing[-1]:
                closing.pop()
            elif text in _OPENING and (opening == "{" or text != "{"):
                closing.append(_OPENING[text])
            elif opening != "{" and (text in "{}" or (text == ";" and not across_statements)):
                return at
            elif text == "}" and opening == "{" and "}" in closing:
                while closing.pop() != "}":
                    pass
            at += 1
        return at

    def _calibration(self) -> None:
        while self._at < len(self._tokens) and self._text(self._at) not in ("{", ";"):
            self._at += 1
        self._at = self._balanced(self._at) if self._text(self._at) == "{" else self._at + 1

    def _simple(self) -> None:
        at, braces = self._at, 0
        while at < len(self._tokens):
            text = self._text(at)
            if text == ";":
                at += 1
                break
            if text == "{" and not (braces or (at > self._at and self._text(at - 1) in _BEFORE_A_SET)):
                break
            if text == "}" and not braces:
                break
            braces += (text == "{") - (text == "}")
            at += 1
        tokens = self._tokens[self._at : max(at, self._at + 1)]
        self._at += self._visit(Piece(tokens, self._source.slice(tokens)))
