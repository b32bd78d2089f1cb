"""Finds the mistakes of a program: first those of syntax, then those of names, sizes and operands in the rest.

`execution/frontend/program.py` calls it.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.execution.frontend.diagnosis import fix_identifier_spans, parser_errors
from ketline.execution.frontend.grammar import parse
from ketline.execution.frontend.mistakes.gatecalls import LIBRARY_NAMES
from ketline.execution.frontend.mistakes.report import Enough, Report
from ketline.execution.frontend.mistakes.semantics import check_names
from ketline.execution.frontend.mistakes.syntax import Repaired, repair
from ketline.execution.frontend.mistakes.tokens import Source

MAX_MISTAKES = 20
# Splitting a text takes about as long as parsing it; longer texts that cannot be parsed are not examined.
MAX_CHARACTERS = 1 << 16


def find_mistakes(text: str, tree: Any, inputs: Collection[str] | None) -> list[ExecutionFailed]:
    """The mistakes of a program in the order of its text, 20 at most; empty if none is found.

    `tree` is the parsed program, or None if it could not be parsed; `inputs` are the inputs that have values, None if
    that is not known. Consequences of other mistakes are left out. Time and memory are proportional to the text.
    """
    report = Report(MAX_MISTAKES)
    with suppress(RecursionError, Enough):
        if tree is not None:
            check_names(tree, inputs, report)
        elif len(text) <= MAX_CHARACTERS:
            return _sorted(_of_broken(text, inputs, report))
    return _sorted(report.mistakes)


def with_error(mistakes: list[ExecutionFailed], error: ExecutionFailed) -> list[ExecutionFailed]:
    """The mistakes together with the error of a front end, unless that is one of them."""
    known = {(mistake.line, mistake.column) for mistake in mistakes}
    if isinstance(error, ProgramUnsupported):
        is_known = (error.line, error.column) in known
    else:
        is_known = error.line in {line for line, _ in known}
    if error.line is None or is_known:
        return mistakes
    return _sorted([*mistakes, error])


def raise_first(mistakes: list[ExecutionFailed], cause: ExecutionFailed) -> None:
    """Raise the first mistake with the others in `others`; return if there are none."""
    if mistakes:
        first, *others = mistakes
        first.others = tuple(others)
        raise first from cause


def _of_broken(text: str, inputs: Collection[str] | None, report: Report) -> list[ExecutionFailed]:
    repaired = repair(text, LIBRARY_NAMES, MAX_MISTAKES)
    found: list[ExecutionFailed] = list(repaired.mistakes)
    with suppress(RecursionError, Enough):
        try:
            with parser_errors(repaired.text):
                tree = parse(repaired.text)
                fix_identifier_spans(tree, repaired.text)
        except ExecutionFailed as error:
            # The grammar accepts it, but the parser does not: 'break' outside a loop, for instance.
            return found + _at_original_places([error] if error.line is not None else [], repaired, text)
        check_names(tree, inputs, report, repaired.unknown, included=repaired.included)
    return found + _at_original_places(report.mistakes, repaired, text)


def _at_original_places(errors: list[ExecutionFailed], repaired: Repaired, text: str) -> list[ExecutionFailed]:
    """Mistakes of the repaired text at their places in the original."""
    if not repaired.insertions:
        return errors
    original, changed = Source(text), Source(repaired.text)
    moved = []
    for error in errors:
        line, column = error.line, error.column
        if line is not None and column is not None:
            line, column = original.position(repaired.original(changed.offset_of(line, column)))
        moved.append(type(error)(error.message, line=line, column=column))
    return moved


def _sorted(mistakes: list[ExecutionFailed]) -> list[ExecutionFailed]:
    return sorted(mistakes, key=lambda one: (one.line or 0, one.column or 0))[:MAX_MISTAKES]
