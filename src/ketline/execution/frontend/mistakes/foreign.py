"""Rules for mistakes from other languages: Python, C, and mathematical notation; `rules.py` lists them in order.

Each rule returns the mistake and its place in a broken statement, or None if it does not apply.
"""

from ketline.execution.frontend.mistakes.broken import Broken, Found
from ketline.execution.frontend.mistakes.words import A_GATE_CALL, KEYWORDS, PYTHON_OPERATORS, PYTHON_VALUES


def python_statement(broken: Broken) -> Found | None:
    word = broken.first
    if word in ("import", "from"):
        message = f"'{word}' is Python: remove this line; the standard gates come with 'include \"stdgates.inc\";'"
        return broken.before(0, message)
    if word == "print":
        return broken.before(0, "'print' is Python: results are shown by measuring into bits, as in 'c = measure q;'")
    if word in ("elif", "elseif"):
        return broken.before(0, f"'{word}' is written 'else if (...) {{ ... }}' here")
    if broken.token(0).kind == "name" and broken.text(1) == "." and broken.token(2).kind == "name":
        call = f"{broken.first}.{broken.text(2)}"
        return broken.before(0, f"'{call}' is how Python calls methods: a gate is called like {A_GATE_CALL}")
    return None


def python_words(broken: Broken) -> Found | None:
    for at, token in enumerate(broken.tokens):
        if at and token.text in PYTHON_OPERATORS:
            return broken.before(at, f"'{token.text}' is Python: write '{PYTHON_OPERATORS[token.text]}'")
        if token.text in PYTHON_VALUES:
            return broken.before(at, f"'{token.text}' is Python: write '{PYTHON_VALUES[token.text]}'")
    return None


def assignment(broken: Broken) -> Found | None:
    for at, text in enumerate(broken.texts):
        if text in ("==", "<-", ":") and at and broken.text(at + 1) in ("measure", "="):
            return broken.before(at, f"'{text}' is not how values are assigned: write '='")
    if broken.text(1) == "++" and broken.text(2) in (";", ""):
        return broken.before(1, f"there is no '++': write '{broken.first} += 1;'")
    if broken.texts[1:3] == ["-", "-"] and broken.text(3) in (";", ""):
        return broken.before(1, f"there is no '--': write '{broken.first} -= 1;'")
    return None


def number_and_name(broken: Broken) -> Found | None:
    """`2pi`, `90deg`: a product needs a multiplication sign."""
    for at, token in enumerate(broken.tokens[:-1]):
        name = broken.token(at + 1)
        if token.kind != "number" or name.kind != "name" or name.text in KEYWORDS or name.start != token.end:
            continue
        if name.text.lower() in ("deg", "degree", "degrees"):
            message = f"angles are in radians: write '{token.text} * pi / 180' for {token.text} degrees"
            return broken.before(at, message)
        if name.text.lower() in ("rad", "radians"):
            return broken.before(at + 1, f"angles are in radians anyway: write '{token.text}'")
        return broken.behind(at, f"'*' is missing: write '{token.text} * {name.text}'")
    return None


def ending(broken: Broken) -> Found | None:
    """A statement that ends with another sign than ';', or continues after a ','."""
    last = len(broken.tokens) - 1
    if broken.text(last) in (".", ",", ":"):
        return broken.before(last, f"a statement ends with ';', not with '{broken.text(last)}'")
    if broken.texts.count("=") > 1 and "," in broken.texts:
        at = broken.texts.index(",")
        return broken.before(at, "a statement ends with ';', not with ',': each assignment is a statement of its own")
    return None


def alone(broken: Broken) -> Found | None:
    if broken.texts == [";"]:
        return broken.before(0, "this ';' ends no statement: remove it (none follows a '}' either)")
    if broken.first == "else":
        return broken.before(0, "this 'else' has no 'if' before it: it follows the '}' of an 'if'")
    if broken.first in ("then", "do", ":"):
        return broken.before(0, f"no '{broken.first}' begins a block: a block is written in braces, '{{ ... }}'")
    return None


def colon(broken: Broken) -> Found | None:
    if broken.texts[-1] == ":" or (broken.text(-1) != ":" and ":" in broken.texts and broken.first in ("else", "if")):
        at = len(broken.texts) - 1 - broken.texts[::-1].index(":")
        return broken.before(at, "':' begins no block here: write the statements in braces, '{ ... }'")
    return None
