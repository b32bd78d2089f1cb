"""Rules for mistakes in calls of gates and measurements; `rules.py` lists them in order.

Each rule returns the mistake and its place in a broken statement, or None if it does not apply.
"""

from ketline.execution.frontend.mistakes.broken import END, PAIRS, Broken, Found
from ketline.execution.frontend.mistakes.words import FORMS, KEYWORDS, MODIFIERS


def measurement(broken: Broken) -> Found | None:
    if "measure" not in broken.texts:
        return None
    at = broken.texts.index("measure")
    if broken.text(at + 1) == "(":
        inside = broken.quoted(at + 2, broken.matching(at + 1) - 1)
        return broken.before(at + 1, f"'measure' has no parentheses: write 'measure {inside}'")
    if broken.text(at + 1) in (";", "->", ""):
        return broken.behind(at, f"the qubit is missing: a measurement is written like {FORMS['measure']}")
    qubit, end = broken.operand(at + 1)
    if at:
        if broken.token(at - 1).kind == "name" or broken.text(at - 1) == "]":
            return broken.behind(at - 1, f"'=' is missing: write '{broken.quoted(0, at)} = measure {qubit};'")
        return None
    if broken.texts[end : end + 2] in (["=", ">"], ["-", ">"]):
        return broken.before(end, "the arrow of a measurement is written '->'")
    if broken.text(end) in ("->", "="):
        target = end + 1
        if broken.text(target) in (";", ""):
            return broken.behind(end, f"the bit is missing: write 'c[0] = measure {qubit};'")
    else:
        target = end + (broken.token(end).kind != "name" or broken.text(end) in ("to", "into"))
    if broken.token(target).kind != "name" or broken.text(end) == "->":
        return None
    bit, _ = broken.operand(target)
    place = broken.before(end, "") if broken.token(end).kind != "name" else broken.behind(end - 1, "")
    message = f"a measurement is written '{bit} = measure {qubit};' or 'measure {qubit} -> {bit};'"
    return Found(place.offset, message)


def concatenation(broken: Broken) -> Found | None:
    """`x a ++ b;`"""
    if "++" not in broken.texts or "let" in broken.texts:
        return None
    at = broken.texts.index("++")
    first, _ = broken.operand(_begin_of_operand(broken, at))
    second, _ = broken.operand(at + 1)
    message = f"'++' is no part of an operand: name what it joins first, as in 'let joined = {first} ++ {second};'"
    return broken.before(at, message)


def _begin_of_operand(broken: Broken, end: int) -> int:
    at, depth = end - 1, 0
    while at > 0 and (depth or broken.text(at) == "]"):
        depth += (broken.text(at) == "]") - (broken.text(at) == "[")
        at -= 1
    return at


def modifier(broken: Broken) -> Found | None:
    for at, token in enumerate(broken.tokens):
        if token.kind == "directive" and at:
            name = token.text[1:].split()[0]
            return broken.before(at, f"a space must follow the '@': write '@ {name}'")
    depth = 0
    for at, text in enumerate(broken.texts):
        depth += (text in PAIRS) - (text in PAIRS.values())
        if text == "pow" and depth:
            return broken.before(at, "'pow' cannot be read as a function in this program: write '**', as in '2 ** 3'")
        if text not in MODIFIERS:
            continue
        end = broken.matching(at + 1) if broken.text(at + 1) == "(" else at + 1
        if text == "pow" and end == at + 1:
            return broken.behind(at, f"the exponent is missing: write {FORMS['pow']}")
        if broken.text(end) != "@":
            modifier = broken.quoted(at, end)
            return broken.behind(end - 1, f"'@' is missing: write '{modifier} @ {broken.text(end)}'")
    return None


def call(broken: Broken) -> Found | None:
    """A call of a gate."""
    begin = _position_of_gate(broken)
    if broken.token(begin).kind != "name" or broken.text(begin) in KEYWORDS or "=" in broken.texts:
        return None
    gate, at = broken.text(begin), begin + 1
    if broken.text(at) == ",":
        return broken.before(at, f"no ',' follows the name of a gate: write '{gate} {broken.quoted(at + 1)};'")
    if broken.text(at) == "(":
        at = broken.matching(at)
        if broken.text(at) == ",":
            return broken.before(at, "no ',' follows the parameters of a gate: remove it")
    elif found := _bare_parameter(broken, gate, at):
        return found
    return _operands(broken, at)


def _position_of_gate(broken: Broken) -> int:
    at = 0
    while broken.text(at) in MODIFIERS:
        at += 1
        if broken.text(at) == "(":
            at = broken.matching(at)
        at += broken.text(at) == "@"
    return at


def _bare_parameter(broken: Broken, gate: str, at: int) -> Found | None:
    """`rx pi/2 q[0];`"""
    if broken.token(at).kind != "number" and broken.text(at) not in ("pi", "tau", "euler", "π", "τ", "-"):
        return None
    end = at + 1
    while end < len(broken.tokens) and not (
        broken.text(end) in broken.names
        or (broken.token(end).kind == "name" and broken.token(end - 1).kind in ("number", "name"))
    ):
        end += 1
    operands = broken.quoted(end + (broken.text(end) == ",")) or "q[0]"
    parameters = broken.quoted(at, end).rstrip(", ")
    return broken.before(at, f"parameters stand in parentheses: write '{gate}({parameters}) {operands};'")


def _operands(broken: Broken, at: int) -> Found | None:
    while at < len(broken.tokens):
        token = broken.token(at)
        if token.text in (",", ";"):
            return broken.before(at, f"an operand is missing before this '{token.text}'")
        if token.kind != "name":
            return None
        operand, end = broken.operand(at)
        following = broken.token(end)
        if following.text == "(":
            inside = broken.quoted(end + 1, broken.matching(end) - 1)
            return broken.before(end, f"an index is written in square brackets: write '{token.text}[{inside}]'")
        if following.text == ";" or following is END:
            return None
        if following.text == ",":
            at = end + 1
            continue
        if following.kind == "name" and following.text not in KEYWORDS:
            other, _ = broken.operand(end)
            return broken.behind(end - 1, f"',' is missing between '{operand}' and '{other}'")
        if following.kind == "number":
            return broken.before(end, f"an index is written in square brackets: write '{operand}[{following.text}]'")
        return None
    return None


def brackets(broken: Broken) -> Found | None:
    opened: list[int] = []
    for at, text in enumerate(broken.texts):
        if text in PAIRS:
            opened.append(at)
        elif text in PAIRS.values():
            if not opened:
                return broken.before(at, f"'{text}' closes nothing: remove it, or write what opens it")
            wanted = PAIRS[broken.texts[opened.pop()]]
            if text != wanted:
                return broken.before(at, f"'{wanted}' is missing before '{text}'")
    if not opened:
        return None
    at = opened[-1]
    wanted = PAIRS[broken.texts[at]]
    last = len(broken.tokens) - 1 - (broken.texts[-1] == ";")
    # The parenthesised arguments end where the next operand begins.
    for place in range(at + 2, last + 1):
        if broken.text(at) == "[" and broken.text(place) in (",", "="):
            last = place - 1
            break
        if broken.text(place) in broken.names and broken.token(place - 1).kind in ("number", "name"):
            last = place - 1
            break
    return broken.behind(last, f"'{wanted}' is missing for the '{broken.texts[at]}' behind '{broken.text(at - 1)}'")
