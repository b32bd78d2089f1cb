"""Reads OpenQASM 3 behind the reference parser, with the importer or the unroller."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ketline.domain.errors import (
    InputMissing,
    ProgramInvalid,
    ProgramUnsupported,
)
from ketline.domain.results.result import ProgramWarning, WarningCode
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.braket import Dialect, apply_pragmas, check_dialect, dialect_of
from ketline.execution.frontend.diagnosis import fix_identifier_spans, parser_errors
from ketline.execution.frontend.grammar import parse
from ketline.execution.frontend.importer.convert import ProgramConverter
from ketline.execution.frontend.mistakes import find_mistakes, raise_first, with_error
from ketline.execution.frontend.parsed_program import BYTE_ORDER_MARK, ParsedProgram, Values
from ketline.execution.frontend.phases import phase_warnings
from ketline.execution.frontend.pragmas import remove_directives
from ketline.execution.frontend.text import check_text, with_bit_parameters
from ketline.execution.frontend.unroller import unroll
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.unroller.values import is_computed
from ketline.execution.limits import ExecutionLimits


class _SyntaxTree(NamedTuple):
    """A program's syntax tree, without pragmas and annotations, and the warnings about them."""

    text: str
    root: Any
    warnings: tuple[ProgramWarning, ...]
    dialect: Dialect


def syntax_for_inputs(text: str, limits: ExecutionLimits) -> _SyntaxTree:
    """The syntax tree of a program whose inputs are given later."""
    syntax = parse_text(text.removeprefix(BYTE_ORDER_MARK), limits, None)
    check_what_never_runs(syntax, None)
    return syntax


def dialect_warnings(dialect: Dialect) -> tuple[ProgramWarning, ...]:
    if not dialect.recognised or dialect.certain:
        return ()
    message = "the program does not include stdgates.inc: its gates are those of Amazon Braket, which mean the same"
    return (ProgramWarning(code=WarningCode.BRAKET_DIALECT, message=message),)


def read_with_parser(text: str, limits: ExecutionLimits, inputs: Values, *, timed: bool = False) -> ParsedProgram:
    syntax = parse_text(text, limits, inputs)
    try:
        if not inputs and not syntax.dialect.gates:
            return import_tree(syntax, limits, timed=timed)
    except ProgramUnsupported:
        pass
    except ProgramInvalid as error:
        # If no mistake is found the program may be valid: the unroller supports more than the importer.
        raise_first(find_mistakes(text, syntax.root, inputs), error)
    parsed = unroll_tree(syntax, limits, inputs, timed=timed)
    check_what_never_runs(syntax, inputs)
    return parsed


def check_what_never_runs(syntax: _SyntaxTree, inputs: Values | None) -> None:
    """Reject undefined names, also in branches, loops and subroutines that never run."""
    if mistakes := find_mistakes(syntax.text, syntax.root, inputs):
        first, *others = mistakes
        first.others = tuple(others)
        raise first


def unroll_tree(
    syntax: _SyntaxTree,
    limits: ExecutionLimits,
    inputs: Values,
    differentiated: DifferentiatedInputs | None = None,
    *,
    timed: bool = False,
) -> ParsedProgram:
    with _explained(syntax.text, syntax.root, inputs):
        unrolled = unroll(syntax.root, limits, inputs, syntax.dialect.gates, differentiated, timed=timed)
    return ParsedProgram(
        plain_of(unrolled.circuit),
        unrolled.groups,
        unrolled.names,
        "unroller",
        unrolled.outcome,
        syntax.warnings,
        values=None if unrolled.outcome is None else unrolled.values,
        places=unrolled.places,
        declared=unrolled.declared,
        measures_all=syntax.dialect.measures_all,
        angles=unrolled.angles,
        computes_bits=any(map(is_computed, unrolled.values)),
    )


def parse_text(text: str, limits: ExecutionLimits, inputs: Values | None) -> _SyntaxTree:
    """Parse a text; `inputs` are None if their values are given later."""
    check_text(text, limits)
    text = with_bit_parameters(text)
    try:
        with parser_errors(text):
            tree = parse(text)
            fix_identifier_spans(tree, text)
    except ProgramInvalid as error:
        raise_first(find_mistakes(text, None, inputs), error)
        raise
    with _explained(text, tree, inputs):
        dialect = dialect_of(tree, pragmas=apply_pragmas(tree))
        check_dialect(tree, dialect)
        phases = () if dialect.recognised else phase_warnings(tree)
        warnings = _in_order(*remove_directives(tree), *phases, *dialect_warnings(dialect))
        return _SyntaxTree(text, tree, warnings, dialect)


def _in_order(*warnings: ProgramWarning) -> tuple[ProgramWarning, ...]:
    return tuple(sorted(warnings, key=lambda one: (one.line or 0, one.column or 0)))


@contextmanager
def _explained(text: str, tree: Any, inputs: Values | None) -> Iterator[None]:
    """Replace the error of a front end by all mistakes of the program, the first mistake first.

    Each front end stops at the first mistake in its own order of work.
    """
    try:
        yield
    except (ProgramInvalid, ProgramUnsupported, InputMissing) as error:
        raise_first(with_error(find_mistakes(text, tree, inputs), error), error)
        raise


def read_with_importer(text: str, limits: ExecutionLimits) -> ParsedProgram:
    return import_tree(parse_text(text, limits, {}), limits)


def import_tree(syntax: _SyntaxTree, limits: ExecutionLimits, *, timed: bool = False) -> ParsedProgram:
    converter = ProgramConverter(limits, timed=timed)
    circuit = converter.circuit_of(syntax.root)
    names = tuple(converter.group_names)
    return ParsedProgram(
        plain_of(circuit),
        tuple(converter.groups),
        names,
        "importer",
        warnings=syntax.warnings,
        places=converter.places,
        declared=converter.declared,
    )
