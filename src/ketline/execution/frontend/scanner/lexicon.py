"""The patterns and keywords of flat programs, and the removal of comments.

Every pattern that is applied to hostile text is possessive or bounded, so it takes linear time.
Source: the lexer of the OpenQASM 3 reference grammar, `qasm3Lexer.g4`.
"""

import re


class Declined(Exception):
    """The scanner leaves this program to the next front end; there is no reason in it."""


# A comment becomes a form feed: a blank for all patterns except where the grammar allows no comment.
BLANK = r"[ \t\r\n\f]"
BLANKS = " \t\r\n\f"
# The grammar allows more letters; the scanner declines programs that use them.
IDENTIFIER = r"[A-Za-z_À-ÖØ-öø-ÿΑ-ΡΣ-Ωα-ωℇ][A-Za-z0-9_À-ÖØ-öø-ÿΑ-ΡΣ-Ωα-ωℇ]*+"
INTEGER = r"[0-9]++"
FLOAT = r"(?:[0-9]++\.[0-9]*+(?:[eE][-+]?[0-9]++)?|\.[0-9]++(?:[eE][-+]?[0-9]++)?|[0-9]++[eE][-+]?[0-9]++)"

KEYWORDS = frozenset(
    [
        "OPENQASM",
        "include",
        "defcalgrammar",
        "def",
        "cal",
        "defcal",
        "gate",
        "extern",
        "box",
        "let",
        "break",
        "continue",
        "if",
        "else",
        "end",
        "return",
        "for",
        "while",
        "in",
        "switch",
        "case",
        "default",
        "pragma",
        "input",
        "output",
        "const",
        "readonly",
        "mutable",
        "qreg",
        "qubit",
        "creg",
        "bool",
        "bit",
        "int",
        "uint",
        "float",
        "angle",
        "complex",
        "array",
        "void",
        "duration",
        "stretch",
        "gphase",
        "inv",
        "pow",
        "ctrl",
        "negctrl",
        "durationof",
        "delay",
        "reset",
        "measure",
        "barrier",
        "true",
        "false",
        "im",
    ]
)

# A call of a gate, or a statement that starts like one: name, arguments in parentheses, and the rest.
STATEMENT = re.compile(rf"{BLANK}*+({IDENTIFIER}){BLANK}*+(?:\((.*)\){BLANK}*+)?([^()]*+)", re.DOTALL)

_COMMENT = re.compile(r"//[^\r\n]*+|/\*(?:.*?\*/|(?P<unfinished>.*))", re.DOTALL)
_COMMENT_OR_END = re.compile(rf"{_COMMENT.pattern}|(?P<end>;)", re.DOTALL)
# The end of a gate's definition is not a statement, nor are the beginnings and ends of blocks.
_BEFORE_A_STATEMENT = re.compile(r"(?:[ \t\r\n}]|//[^\r\n]*+|/\*.*?\*/|(?:if|else)\b[^{};]*+\{)*+", re.DOTALL)
_UNSTORABLE = re.compile("[\x00\f\ud800-\udfff]")


def without_comments(text: str) -> str:
    """The text with each comment replaced by a form feed.

    Raises:
        Declined: a comment does not end, or the text contains a character that is not allowed.
    """
    if "\f" in text or "\0" in text or (not text.isascii() and _UNSTORABLE.search(text)):
        raise Declined
    return _COMMENT.sub(_blank, text) if "//" in text or "/*" in text else text


def start_of_statement(text: str, number: int) -> int:
    """The offset of the statement that follows this number of semicolons outside comments."""
    ends = [token.end() for token in _COMMENT_OR_END.finditer(text) if token["end"]]
    before = _BEFORE_A_STATEMENT.match(text, ends[number - 1] if number else 0)
    assert before is not None  # it may be empty
    return before.end()


def _blank(comment: re.Match[str]) -> str:
    if comment.lastgroup is not None:
        raise Declined
    return "\f"
