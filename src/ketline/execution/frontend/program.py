"""Reads a program and lowers it to a circuit for the simulators; for the child process only.

Three front ends read OpenQASM 3: the scanner reads flat programs, and declines all others and all mistakes. The
importer, behind the reference parser, reads most of the rest. The unroller interprets programs with classical values,
which the importer does not support. `mistakes` explains what is wrong with a program that none of them can read.
OpenQASM 2 and QPY have readers of their own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ketline.domain.errors import InputMissing, ProgramInvalid, ProgramUnsupported
from ketline.domain.spec import InputValue, ProgramFormat, format_by_header
from ketline.domain.task import ProgramWarning
from ketline.execution.circuit.lowering import Lowered, lower, lower_observed
from ketline.execution.circuit.observables import Support
from ketline.execution.frontend import openqasm2, qpy
from ketline.execution.frontend.diagnosis import fix_identifier_spans, parser_errors
from ketline.execution.frontend.grammar import parse
from ketline.execution.frontend.importer.convert import ProgramConverter
from ketline.execution.frontend.mistakes import find_mistakes, raise_first, with_error
from ketline.execution.frontend.phases import phase_warnings
from ketline.execution.frontend.pragmas import remove_directives
from ketline.execution.frontend.scanner import scan
from ketline.execution.frontend.text import check_text, with_bit_parameters
from ketline.execution.frontend.unroller import unroll
from ketline.execution.limits import ExecutionLimits

Values = Mapping[str, InputValue]
QPY = "qpy"
OPENQASM2 = "openqasm2"
# Some editors write it before a text; it is not part of the program.
_BYTE_ORDER_MARK = "\ufeff"


class _SyntaxTree(NamedTuple):
    """A program's syntax tree, without pragmas and annotations, and the warnings about them."""

    text: str
    root: Any
    warnings: tuple[ProgramWarning, ...]


@dataclass(frozen=True, slots=True)
class ParsedProgram:
    """The circuit that a front end reads from a program, and the widths of the groups of its bitstrings, in order.

    `names` are the declared names of the groups, None for a group of several single bits. `warnings` are about the
    text. `outcome` converts an outcome of the circuit's bits, bit k at position k, into one of the program's bits.
    `parameters` are names that need values, see `with_inputs`. `genuine` distinguishes Qiskit's own operations from
    others of the same names, if the circuit may have such.
    """

    circuit: Any
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    front_end: str
    outcome: Callable[[int], int] | None = None
    warnings: Sequence[ProgramWarning] = ()
    parameters: frozenset[str] = frozenset()
    genuine: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program ready to be simulated; fields that `ParsedProgram` has too have the same meaning.

    `parameters` are the names that need values before it can run, see `with_inputs`; `kept_qubits` are the indices of
    its qubits among the `declared_qubits`. Programs are compared by identity, so that caches can use them as keys.
    """

    lowered: Lowered
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    front_end: str
    declared_qubits: int
    outcome: Callable[[int], int] | None = None
    parameters: frozenset[str] = frozenset()
    kept_qubits: Sequence[int] = ()
    warnings: Sequence[ProgramWarning] = ()


def load_program(
    text: str,
    limits: ExecutionLimits,
    inputs: Values | None = None,
    form: ProgramFormat | None = None,
    observed: Support | None = None,
) -> Program:
    """Read and lower a program within the limits.

    `inputs` are the values of the program's `input` declarations; the parameters of QPY get theirs by `with_inputs`.
    Without `form`, the program's header decides the format.
    With `observed`, the final state of these qubits is computed instead of counts.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot run; with line and column where known.
        ObservablesInvalid: the program has no such state.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            parsed = _read_qpy(text, limits)
        case ProgramFormat.OPENQASM2:
            parsed = _read_openqasm2(text, limits, inputs)
            if observed is None:
                openqasm2.require_measurement(parsed.circuit)
        case _:
            return _lowered(_read_text(text, limits, inputs), limits, observed)
    with qpy.library_errors_as_invalid("the circuit cannot be taken apart"):
        return _lowered(parsed, limits, observed)


def program_reader(text: str, limits: ExecutionLimits, observed: Support | None = None) -> Callable[[Values], Program]:
    """Parse an OpenQASM 3 program once, and return a function that loads it for given values of its inputs.

    Raises:
        ProgramInvalid, ProgramTooLarge: it cannot be parsed; the function raises the other errors of `load_program`.
    """
    syntax = _parse(text.removeprefix(_BYTE_ORDER_MARK), limits, None)
    _check_what_never_runs(syntax, None)
    return lambda inputs: _lowered(_unrolled(syntax, limits, inputs), limits, observed)


def _lowered(parsed: ParsedProgram, limits: ExecutionLimits, observed: Support | None) -> Program:
    circuit, genuine = parsed.circuit, parsed.genuine
    if observed is None:
        lowered = lower(circuit, limits.max_operations, genuine)
    else:
        observed.require_fit(circuit.num_qubits)
        lowered = lower_observed(circuit, limits.max_operations, observed.qubits, genuine)
    return Program(
        lowered,
        parsed.groups,
        parsed.names,
        parsed.front_end,
        circuit.num_qubits,
        parsed.outcome,
        parsed.parameters,
        [circuit.find_bit(qubit).index for qubit in lowered.circuit.qubits] if observed else (),
        parsed.warnings,
    )


def with_inputs(program: Program, inputs: Values) -> Program:
    """The program with values for its parameters.

    Raises:
        ProgramInvalid: the names differ from the parameters, or the values are not angles.
    """
    if not program.parameters and not inputs:
        return program  # the same object, so that caches find it
    circuit = qpy.bound(program.lowered.circuit, program.parameters, inputs)
    return replace(program, lowered=Lowered(circuit, program.lowered.operations), parameters=frozenset())


def read_program(
    text: str,
    limits: ExecutionLimits,
    inputs: Values | None = None,
    form: ProgramFormat | None = None,
) -> ParsedProgram:
    """Read a program with the first front end that can; `inputs` as for `load_program`.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: no front end can read it.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            parsed = _read_qpy(text, limits, as_written=True)
            return replace(parsed, circuit=qpy.bound(parsed.circuit, parsed.parameters, inputs or {}))
        case ProgramFormat.OPENQASM2:
            return _read_openqasm2(text, limits, inputs)
        case _:
            return _read_text(text, limits, inputs)


def _read_qpy(text: str, limits: ExecutionLimits, *, as_written: bool = False) -> ParsedProgram:
    """Read QPY; with `as_written`, the circuit is not lowered if a drawing can show it as it is."""
    circuit = qpy.read_circuit(text, limits)
    groups, parameters = qpy.groups_of(circuit), qpy.names_of(circuit)
    if as_written and qpy.is_drawn_as_written(circuit):
        outcome = groups.outcome
    else:
        circuit, own_outcome = qpy.lowered(circuit, limits)
        outcome = _composed(own_outcome, groups.outcome)
    return ParsedProgram(
        circuit, groups.widths, groups.names, QPY, outcome, parameters=parameters, genuine=qpy.is_genuine
    )


def _read_openqasm2(text: str, limits: ExecutionLimits, inputs: Values | None) -> ParsedProgram:
    openqasm2.refuse_inputs(inputs)
    circuit, defines_gates = openqasm2.read_circuit(text.removeprefix(_BYTE_ORDER_MARK), limits)
    groups = qpy.groups_of(circuit)
    genuine = openqasm2.is_genuine if defines_gates else None
    return ParsedProgram(circuit, groups.widths, groups.names, OPENQASM2, groups.outcome, genuine=genuine)


def _composed(first: Callable[[int], int] | None, then: Callable[[int], int] | None) -> Callable[[int], int] | None:
    if first is None or then is None:
        return first or then
    return lambda measured: then(first(measured))


def _read_text(text: str, limits: ExecutionLimits, inputs: Values | None) -> ParsedProgram:
    text = text.removeprefix(_BYTE_ORDER_MARK)
    parsed = None if inputs else _read_with_scanner(text, limits)
    return parsed or _read_with_parser(text, limits, inputs or {})


def _read_with_scanner(text: str, limits: ExecutionLimits) -> ParsedProgram | None:
    scanned = scan(text, limits)
    return None if scanned is None else ParsedProgram(*scanned, "scanner")


def _read_with_parser(text: str, limits: ExecutionLimits, inputs: Values) -> ParsedProgram:
    syntax = _parse(text, limits, inputs)
    try:
        if not inputs:
            return _import(syntax, limits)
    except ProgramUnsupported:
        pass
    except ProgramInvalid as error:
        # If no mistake is found the program may be valid: the unroller supports more than the importer.
        raise_first(find_mistakes(text, syntax.root, inputs), error)
    parsed = _unrolled(syntax, limits, inputs)
    _check_what_never_runs(syntax, inputs)
    return parsed


def _check_what_never_runs(syntax: _SyntaxTree, inputs: Values | None) -> None:
    """Reject undefined names, also in branches, loops and subroutines that never run."""
    if mistakes := find_mistakes(syntax.text, syntax.root, inputs):
        first, *others = mistakes
        first.others = tuple(others)
        raise first


def _unrolled(syntax: _SyntaxTree, limits: ExecutionLimits, inputs: Values) -> ParsedProgram:
    with _explained(syntax.text, syntax.root, inputs):
        unrolled = unroll(syntax.root, limits, inputs)
    return ParsedProgram(
        unrolled.circuit, unrolled.groups, unrolled.names, "unroller", unrolled.outcome, syntax.warnings
    )


def _parse(text: str, limits: ExecutionLimits, inputs: Values | None) -> _SyntaxTree:
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
        return _SyntaxTree(text, tree, _in_order(*remove_directives(tree), *phase_warnings(tree)))


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


def _read_with_importer(text: str, limits: ExecutionLimits) -> ParsedProgram:
    return _import(_parse(text, limits, {}), limits)


def _import(syntax: _SyntaxTree, limits: ExecutionLimits) -> ParsedProgram:
    converter = ProgramConverter(limits)
    circuit = converter.circuit_of(syntax.root)
    names = tuple(converter.group_names)
    return ParsedProgram(circuit, tuple(converter.groups), names, "importer", warnings=syntax.warnings)
