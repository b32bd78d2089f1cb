"""A statement that the grammar rejects, as the rules read it, and the mistakes that they find.

`syntax.py` makes it; the rules are in `rules.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ketline.execution.frontend.mistakes.tokens import Source, Token
from ketline.execution.frontend.mistakes.words import KEYWORDS

MAX_QUOTATION_CHARACTERS = 60
PAIRS = {"(": ")", "[": "]", "{": "}"}
END = Token("end", "", 0, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake at an offset of the text."""

    offset: int
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An invalid statement or head of a block; `names` are the registers and variables of the program."""

    source: Source
    tokens: list[Token]
    probe: str
    names: frozenset[str]
    texts: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", [token.text for token in self.tokens])

    @property
    def first(self) -> str:
        return self.texts[0]

    def token(self, at: int) -> Token:
        return self.tokens[at] if 0 <= at < len(self.tokens) else END

    def text(self, at: int) -> str:
        return self.token(at).text

    def quoted(self, start: int, end: int | None = None) -> str:
        """The text of some tokens, shortened."""
        chosen = [token for token in self.tokens[start:end] if token.text != ";"]
        text = " ".join(self.source.slice(chosen).split())
        return text if len(text) <= MAX_QUOTATION_CHARACTERS else f"{text[:MAX_QUOTATION_CHARACTERS]} …"

    def before(self, at: int, message: str) -> Found:
        """A mistake at a token."""
        return Found(self.token(at).start, message)

    def behind(self, at: int, message: str) -> Found:
        """A mistake after a token: something is missing there."""
        return Found(self.token(at).end, message)

    def operand(self, at: int) -> tuple[str, int]:
        """The operand that begins at a token, and the position after it."""
        end = at + 1
        if self.text(end) == "[":
            end = self.matching(end)
        return self.quoted(at, end), end

    def matching(self, at: int) -> int:
        depth = 0
        for end in range(at, len(self.tokens)):
            depth += (self.texts[end] in PAIRS) - (self.texts[end] in PAIRS.values())
            if not depth:
                return end + 1
        return len(self.tokens)


def identifiers(tokens: list[Token]) -> Iterator[str]:
    """The names in the statement; nothing is known of them, because the statement is not understood."""
    yield from (token.text for token in tokens if token.kind == "name" and token.text not in KEYWORDS)
