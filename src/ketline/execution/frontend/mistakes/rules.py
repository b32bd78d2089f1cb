"""Explains a statement that the grammar rejects: one rule for each common mistake, tried in order.

`syntax.py` calls it.
"""

from collections.abc import Callable

from ketline.execution.frontend.mistakes.broken import MAX_QUOTATION_CHARACTERS, Broken, Found
from ketline.execution.frontend.mistakes.declarations import declaration, include, misspelt_type, misspelt_word, version
from ketline.execution.frontend.mistakes.foreign import (
    alone,
    assignment,
    colon,
    ending,
    number_and_name,
    python_statement,
    python_words,
)
from ketline.execution.frontend.mistakes.heads import condition, gate_definition, loop, no_block, subroutine
from ketline.execution.frontend.mistakes.operations import brackets, call, concatenation, measurement, modifier
from ketline.execution.frontend.mistakes.oracle import offending
from ketline.execution.frontend.mistakes.words import A_GATE_CALL, FORMS

Rule = Callable[[Broken], Found | None]


def explain(broken: Broken) -> Found:
    """The mistake in an invalid statement."""
    for rule in _RULES:
        found = rule(broken)
        if found is not None:
            return found
    return _unexpected(broken)


def explain_foreign(broken: Broken) -> Found | None:
    """The mistake if the text is a statement of Python, which ends without a semicolon."""
    return python_statement(broken)


def _unexpected(broken: Broken) -> Found:
    """The mistake at the token where the reference parser stopped."""
    stop_offset = offending(broken.probe)
    form = FORMS.get(broken.first, A_GATE_CALL if broken.token(0).kind == "name" else None)
    hint = "" if form is None else f": {_quoted_kind(broken)} is written like {form}"
    offset = broken.tokens[0].start + (stop_offset or 0)
    at = next((at for at, token in enumerate(broken.tokens) if token.end > offset), None)
    if at is None or stop_offset is None:
        return broken.behind(len(broken.tokens) - 1, f"this statement is not complete{hint}")
    if not at:
        return broken.before(0, f"a statement cannot begin with '{broken.text(0)[:MAX_QUOTATION_CHARACTERS]}'")
    found, previous = (broken.text(one)[:MAX_QUOTATION_CHARACTERS] for one in (at, at - 1))
    return broken.before(at, f"'{found}' cannot follow '{previous}' here{hint}")


def _quoted_kind(broken: Broken) -> str:
    return f"'{broken.first}'" if broken.first in FORMS else "a gate call"


_RULES: tuple[Rule, ...] = (
    alone,
    include,
    version,
    python_statement,
    loop,
    condition,
    python_words,
    gate_definition,
    subroutine,
    no_block,
    colon,
    declaration,
    misspelt_type,
    assignment,
    number_and_name,
    concatenation,
    modifier,
    measurement,
    brackets,
    ending,
    misspelt_word,
    call,
)
