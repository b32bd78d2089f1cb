"""A cursor over the tokens of a program, which raises a mistake for an unexpected token; used by `checker.py`."""

from ketline.domain.errors import ExecutionFailed, ProgramInvalid
from ketline.execution.frontend.mistakes.report import shortened
from ketline.execution.frontend.openqasm2.tokens import Token, tokens_of
from ketline.execution.frontend.text import position_of

_MAX_QUOTE_CHARACTERS = 40


class Mistake(Exception):
    """A mistake in a statement; with `resumes` the next statement begins at the current token."""

    def __init__(
        self, offset: int, message: str, kind: type[ExecutionFailed] = ProgramInvalid, *, resumes: bool = False
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.kind = kind
        self.resumes = resumes


class Cursor:
    """A position among the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0
        self._statement = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    @property
    def before(self) -> Token:
        """The token before the current one."""
        return self._tokens[max(0, self._at - 1)]

    @property
    def opening(self) -> Token:
        """The first token of the text."""
        return self._tokens[0]

    @property
    def first(self) -> Token:
        """The first token of the statement."""
        return self._tokens[self._statement]

    @property
    def at_end(self) -> bool:
        return self.token.kind == "end"

    def ahead(self, number: int) -> Token:
        return self._tokens[min(self._at + number, len(self._tokens) - 1)]

    def begin(self) -> None:
        self._statement = self._at

    def next(self) -> Token:
        token = self.token
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def skips(self, text: str) -> bool:
        """Move past the current token if it has this text; return whether it did."""
        if self.token.text != text or self.token.kind not in ("sign", "name"):
            return False
        self.next()
        return True

    def expect(self, text: str, form: str) -> Token:
        """Move past a sign or word; `form` is the correct form of the statement, for the message.

        Raises:
            Mistake: there is another token.
        """
        if self.token.text != text:
            raise self.unexpected(f"'{text}' is missing", form)
        return self.next()

    def expect_kind(self, kind: str, what: str, form: str) -> Token:
        """Move past a token of this kind, and return it.

        Raises:
            Mistake: there is another token.
        """
        if self.token.kind != kind:
            raise self.unexpected(f"{what} is missing", form)
        if kind == "integer":
            self.check_digits()
        return self.next()

    def check_digits(self) -> None:
        """Reject an integer with leading zeros.

        Raises:
            Mistake: it has leading zeros.
        """
        text = self.token.text
        if len(text) > 1 and text.startswith("0") and self.token.kind == "integer":
            message = f"a whole number does not begin with 0: write '{_shortened(text.lstrip('0') or '0')}'"
            raise Mistake(self.token.start, message)

    def expect_semicolon(self) -> None:
        """Move past the semicolon that ends a statement.

        Raises:
            Mistake: there is no semicolon.
        """
        token = self.token
        if self.skips(";"):
            return
        if token.kind in ("name", "end") or token.text == "}":
            quoted = self._text[self.first.start : self.before.end]
            raise Mistake(self.before.end, f"';' is missing at the end of '{_shortened(quoted)}'", resumes=True)
        raise Mistake(token.start, f"'{_shortened(token.text)}' is not expected here: a statement ends with ';'")

    def unexpected(self, what: str, form: str) -> Mistake:
        """A mistake at the current token, or after the last token at the end of the text."""
        token = self.token
        if token.kind == "end":
            return Mistake(token.start, f"{what} at the end of the program: the statement is written {form}")
        return Mistake(token.start, f"{what} before '{_shortened(token.text)}': the statement is written {form}")

    def skip_statement(self) -> None:
        """Continue after the next ';', or before the next brace."""
        while not self.at_end and self.token.text not in (";", "{", "}"):
            self.next()
        self.skips(";")

    def error(self, mistake: Mistake) -> ExecutionFailed:
        line, column = position_of(self._text, mistake.offset)
        return mistake.kind(shortened(mistake.message), line=line, column=column)

    def line(self, offset: int) -> int:
        return position_of(self._text, offset).line


def _shortened(quoted: str) -> str:
    flat = " ".join(quoted.split())
    return flat if len(flat) <= _MAX_QUOTE_CHARACTERS else f"{flat[:_MAX_QUOTE_CHARACTERS]}…"
