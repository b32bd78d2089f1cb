"""Names invisible characters and lookalikes, and the characters to write in their place.

The checks of syntax and of names call it.
"""

import unicodedata

# Letters of other alphabets that cannot be distinguished from Latin ones by eye.
_LOOKALIKES = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοи",
        "ABESIJKMHOPCTYXaesijopcyxhdqwABEZHIKMNOPTYXou",
        strict=True,
    )
)
_SIGNS = {
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "‹": "'", "›": "'",
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "×": "*", "÷": "/", "·": "*", "∗": "*", "→": "->", "←": "=",
    "；": ";", "，": ",", "：": ":", "。": ".", "、": ",", "∶": ":", "≠": "!=", "≤": "<=", "≥": ">=",
}  # fmt: skip
_COMMON = {
    "#": "'#' means nothing here: comments begin with '//'",
    "`": "'`' is no part of OpenQASM: remove it",
    "\\": "'\\' is no part of OpenQASM: a statement may go on in the next line as it is",
    "°": "'°' is no unit of OpenQASM: angles are in radians, so write '90 * pi / 180' for 90 degrees",
    "'": "this quotation mark has no partner in its line: write a second one",
    '"': "this quotation mark has no partner in its line: write a second one",
}


def described(character: str) -> str:
    """A character's code point and Unicode name."""
    name = unicodedata.name(character, "") or "a character without a name"
    return f"U+{ord(character):04X} {name}"


def is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Me", "Co", "Cn")


def plain(character: str) -> str | None:
    """The replacement of a character: empty if it must be deleted, None if there is no known one."""
    if character in _SIGNS:
        return _SIGNS[character]
    category = unicodedata.category(character)
    if category.startswith("Z"):
        return " "
    if is_invisible(character):
        return ""
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded.isascii() and folded != character else None


def complaint(character: str) -> str:
    """The message for a character that is not allowed at its place."""
    if character in _COMMON:
        return _COMMON[character]
    replacement = plain(character)
    if is_invisible(character):
        do = "type a plain space instead" if replacement == " " else "delete it"
        return f"there is an invisible character here, {described(character)}: {do}"
    if replacement:
        return f"'{character}' is {described(character)}: type {_quoted(replacement)} instead"
    if character.isascii():
        return f"'{character}' is no part of OpenQASM here: remove it"
    return f"'{character}' ({described(character)}) is no part of OpenQASM here: remove it"


def folded(name: str) -> str:
    """A name with lookalike letters replaced by Latin ones."""
    return unicodedata.normalize("NFKC", "".join(_LOOKALIKES.get(letter, letter) for letter in name))


def foreign_letter(name: str) -> str | None:
    """The first lookalike letter of a name."""
    return next((letter for letter in name if folded(letter) != letter), None)


def _quoted(text: str) -> str:
    return f"'{text}'" if text != "'" else '"\'"'
