"""Rules for mistakes in declarations and at the beginning of a program; `rules.py` lists them in order."""

from ketline.execution.frontend.mistakes.broken import Broken, Found
from ketline.execution.frontend.mistakes.suggestions import suggestion
from ketline.execution.frontend.mistakes.words import FORMS, KEYWORDS, MODIFIERS, OLD_TYPES, TYPES


def include(broken: Broken) -> Found | None:
    if broken.first.lower() != "include" or broken.token(1).kind == "string":
        return None
    name = broken.quoted(1).replace('"', "").replace("'", "") or "stdgates.inc"
    return broken.before(1, f"the name of a file is written in quotation marks: write 'include \"{name}\";'")


def version(broken: Broken) -> Found | None:
    if broken.first.upper() != "OPENQASM":
        return None
    if broken.tokens[0].start != broken.source.tokens[0].start:
        return broken.before(0, "the version can only be the first statement of a program")
    if broken.first != "OPENQASM":
        return broken.before(0, f"'{broken.first}' is written in capitals: 'OPENQASM 3.0;'")
    return broken.before(1, "the version is written 'OPENQASM 3.0;'")


def declaration(broken: Broken) -> Found | None:
    at = 1 if broken.first in ("const", "input", "output") else 0
    word = broken.text(at)
    if at and broken.token(at).kind == "name" and word not in KEYWORDS:
        kind = {"input": "float", "output": "bit"}.get(broken.first, "int")
        message = f"the type of '{word}' is missing: write '{broken.first} {kind} {broken.quoted(at)};'"
        return broken.before(at, message)
    if word not in TYPES | OLD_TYPES:
        return None
    name_at, size = at + 1, ""
    if broken.text(name_at) in ("[", "("):
        end = broken.matching(name_at)
        size = broken.quoted(name_at + 1, end - 1)
        if word in OLD_TYPES or broken.text(name_at) == "(":
            modern = {"qreg": "qubit", "creg": "bit"}.get(word, word)
            message = f"'{word}' is not written so: write '{modern}[{size}] {broken.text(end) or 'q'};'"
            return broken.before(name_at, message)
        name_at = end
    return _declared_name(broken, word, name_at)


def _declared_name(broken: Broken, word: str, at: int) -> Found | None:
    token, name = broken.token(at), broken.text(at)
    if name in ("", ";", "="):
        return broken.behind(at - 1, f"the name is missing: a declaration is written like {FORMS.get(word, 'int n;')}")
    if token.kind == "number":
        return broken.before(at, f"a name cannot begin with a digit: '{broken.quoted(at)}'")
    if token.kind != "name":
        return None
    if found := keyword_as_name(broken, at):
        return found
    match broken.text(at + 1):
        case "[" | "(" as opening if word not in OLD_TYPES or opening == "(":
            size = broken.quoted(at + 2, broken.matching(at + 1) - 1)
            modern = {"qreg": "qubit", "creg": "bit"}.get(word, word)
            message = f"the size stands before the name, in square brackets: write '{modern}[{size}] {name};'"
            return broken.before(at + 1, message)
        case "," if broken.token(at + 2).kind == "name":
            kind = broken.quoted(0, at)
            message = f"a declaration has one name: write '{kind} {name}; {kind} {broken.text(at + 2)};'"
            return broken.before(at + 1, message)
        case "-" | ".":
            return broken.before(at + 1, "a name has only letters, digits and '_'")
        case ":":
            return broken.before(at + 1, f"a value is assigned by '=': write '{broken.quoted(0, at + 1)} = ...;'")
    return None


def keyword_as_name(broken: Broken, at: int) -> Found | None:
    name = broken.text(at)
    if name not in KEYWORDS:
        return None
    return broken.before(at, f"'{name}' is a word of the language and cannot be a name: choose another")


def misspelt_type(broken: Broken) -> Found | None:
    """`qbit[2] q;`: a word that is nearly a type, before a size and a name."""
    if broken.token(0).kind != "name" or broken.text(1) != "[" or broken.first in KEYWORDS | broken.names:
        return None
    end = broken.matching(1)
    meant = suggestion(broken.first, TYPES)
    if broken.token(end).kind == "name" and meant is not None:
        return broken.before(0, f"there is no type '{broken.first}': did you mean '{meant}{broken.quoted(1, end)}'?")
    return None


def misspelt_word(broken: Broken) -> Found | None:
    """`Include`, `GATE`, `inclde`: a word that is nearly the first word of a statement."""
    if broken.token(0).kind != "name" or broken.first in KEYWORDS | broken.names:
        return None
    meant = suggestion(broken.first, set(FORMS) - MODIFIERS)
    if meant is None:
        return None
    return broken.before(0, f"'{broken.first}' is not a statement: did you mean '{meant}', as in {FORMS[meant]}?")
