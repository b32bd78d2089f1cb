"""Rules for mistakes in the heads of blocks; `rules.py` lists them in order."""

from ketline.execution.frontend.mistakes.broken import Broken, Found
from ketline.execution.frontend.mistakes.declarations import keyword_as_name
from ketline.execution.frontend.mistakes.words import FORMS, KEYWORDS, OLD_TYPES, TYPES


def loop(broken: Broken) -> Found | None:
    if broken.first != "for":
        return None
    if broken.text(1) == "(":
        return broken.before(1, f"a 'for' loop has no parentheses: it is written like {FORMS['for']}")
    if broken.token(1).kind == "name" and broken.text(1) not in TYPES and broken.text(2) in ("in", "="):
        rest = _range_of(broken) or ("in [0:3]" if broken.text(2) == "=" else broken.quoted(2).rstrip(": "))
        message = (
            f"the type of the loop variable '{broken.text(1)}' is missing: write 'for int {broken.text(1)} {rest}'"
        )
        return broken.before(1, message)
    return _loop_set(broken)


def _range_of(broken: Broken) -> str:
    """The range that corresponds to `range(...)`."""
    if "range" not in broken.texts:
        return ""
    arguments = [token.text for token in broken.tokens[broken.texts.index("range") :] if token.kind == "number"]
    start, end = (arguments[0], arguments[1]) if len(arguments) > 1 else ("0", "".join(arguments))
    return f"in [{start}:{int(end) - 1}]" if end.isdecimal() and len(end) < 10 else "in [0:3]"


def _loop_set(broken: Broken) -> Found | None:
    if "in" not in broken.texts:
        at = next((at for at, text in enumerate(broken.texts) if text == "="), None)
        message = f"'in' is missing: a loop is written like {FORMS['for']}"
        return broken.before(at, message) if at else broken.behind(len(broken.tokens) - 1, message)
    at = broken.texts.index("in") + 1
    if broken.text(at) == "range":
        message = f"'range' is Python: write '{_range_of(broken)}', and both ends of the range belong to it"
        return broken.before(at, message)
    dots = next((place for place in range(at, len(broken.tokens)) if broken.text(place).startswith(".")), None)
    if dots is not None:
        return broken.before(dots, "a range is written with ':', as in '[0:3]'")
    if broken.text(at) == "[" and "," in broken.texts[at:]:
        return broken.before(at, "a set of values is written in braces, as in '{0, 1, 2}'; '[0:3]' is a range")
    if ":" in broken.texts[at:] and broken.text(at) != "[":
        values = broken.quoted(at).rstrip(": ")
        if ":" in values:
            return broken.before(at, f"a range is written in square brackets: write '[{values}]'")
    return None


def condition(broken: Broken) -> Found | None:
    if broken.first not in ("if", "while", "switch"):
        return None
    if broken.text(1) != "(":
        condition = broken.quoted(1).removesuffix("then").rstrip(": ")
        return broken.before(1, f"the condition is written in parentheses: write '{broken.first} ({condition})'")
    for at, text in enumerate(broken.texts):
        if text == "=":
            return broken.before(at, "'=' assigns a value: write '==' to compare")
        if text == "measure":
            return broken.before(
                at, f"a measurement cannot be a condition: write 'c = measure q;' first and then '{broken.first} (c)'"
            )
    return None


def gate_definition(broken: Broken) -> Found | None:
    if broken.first != "gate":
        return None
    name = broken.text(1)
    if broken.token(1).kind != "name" or name in KEYWORDS:
        return keyword_as_name(broken, 1) or broken.behind(0, f"the gate needs a name, as in {FORMS['gate']}")
    at = broken.matching(2) if broken.text(2) == "(" else 2
    if at >= len(broken.tokens):
        message = f"gate '{name}' names no qubits: write them behind its name, as in {FORMS['gate']}"
        return broken.behind(len(broken.tokens) - 1, message)
    for place in range(2, len(broken.tokens)):
        token = broken.token(place)
        if token.text in TYPES | OLD_TYPES:
            return broken.before(
                place, f"parameters and qubits of a gate have no types: write '{broken.text(place + 1)}'"
            )
        if token.text == "[":
            return broken.before(place, "the qubits of a gate have no sizes: name each of them, as in 'gate g a, b'")
        if place > at and token.kind == "name" and broken.token(place - 1).kind == "name":
            if token.text in FORMS or broken.source.begins_a_line(token) or broken.texts[-1] == ";":
                break
            return broken.behind(place - 1, f"',' is missing between '{broken.text(place - 1)}' and '{token.text}'")
    return None


def subroutine(broken: Broken) -> Found | None:
    if broken.first != "def" or broken.text(2) != "(":
        return None
    for at in range(3, len(broken.tokens)):
        if broken.text(at - 1) in ("(", ",") and broken.text(at + 1) in (",", ")") and broken.token(at).kind == "name":
            name = broken.text(at)
            return broken.before(at, f"the type of parameter '{name}' is missing: write 'qubit {name}' or 'int {name}'")
    return None


def no_block(broken: Broken) -> Found | None:
    """The head of a block that is not followed by a brace."""
    if broken.first not in ("gate", "def", "switch", "box", "case"):
        return None
    what = {"gate": "a gate", "def": "a subroutine"}.get(broken.first, f"'{broken.first}'")
    colon = next((at for at, text in enumerate(broken.texts) if text == ":"), None)
    message = f"the body of {what} is written in braces, as in {FORMS[broken.first]}"
    if colon is not None:
        return broken.before(colon, message)
    if broken.probe.endswith("}"):
        return None
    return broken.behind(_end_of_names(broken), f"'{{' is missing: {message}")


def _end_of_names(broken: Broken) -> int:
    """The last token of the valid part of a head."""
    at = 2
    while at < len(broken.tokens) and broken.text(at) in (",", "("):
        at = broken.matching(at) if broken.text(at) == "(" else at + 2
    if broken.first == "gate":
        while broken.text(at + 1) == ",":
            at += 2
        return min(at, len(broken.tokens) - 1)
    return max(0, min(at, len(broken.tokens)) - 1)
