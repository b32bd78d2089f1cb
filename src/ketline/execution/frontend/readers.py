"""Reads programs of each format with the first front end that can."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.results.result import ProgramWarning, WarningCode
from ketline.execution.circuit.named_places import PLACE, without_places
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend import openqasm2, qpy
from ketline.execution.frontend.braket import with_all_measured
from ketline.execution.frontend.parsed_program import BYTE_ORDER_MARK, OPENQASM2, QPY, ParsedProgram, Values
from ketline.execution.frontend.places import DeclaredNames, place_of
from ketline.execution.frontend.scanner import Scanned, scan
from ketline.execution.frontend.syntax_tree import dialect_warnings, read_with_parser
from ketline.execution.frontend.text import Position
from ketline.execution.frontend.unroller.values import atom
from ketline.execution.limits import ExecutionLimits

_DELAY = "delay"


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
            parsed = read_qpy(text, limits, as_written=True)
            parsed = replace(parsed, plain=plain_of(qpy.bind_inputs(parsed.circuit, parsed.parameters, inputs or {})))
        case ProgramFormat.OPENQASM2:
            return read_openqasm2(text, limits, inputs)
        case _:
            parsed = with_implied_measurement(read_text(text, limits, inputs), limits)
    return _without_places(parsed)


def _without_places(parsed: ParsedProgram) -> ParsedProgram:
    """The program without named places, which neither drawings nor other languages have."""
    if all(step[0] != PLACE for step in parsed.plain.steps):
        return parsed
    return replace(parsed, plain=plain_of(without_places(parsed.circuit)))


def read_as_written(
    text: str,
    limits: ExecutionLimits,
    inputs: Values | None = None,
    form: ProgramFormat | None = None,
) -> ParsedProgram:
    """As `read_program`, but the classical operations of QPY are those of the file.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: no front end can read it.
    """
    if (form or format_by_header(text)) is not ProgramFormat.QPY:
        return read_program(text, limits, inputs, form)
    circuit = without_places(qpy.read_circuit(text, limits))
    groups = qpy.bit_groups(circuit)
    circuit = qpy.bind_inputs(circuit, qpy.parameter_names(circuit), inputs or {})
    return ParsedProgram(
        plain_of(circuit),
        groups.widths,
        groups.names,
        QPY,
        groups.outcome,
        genuine=qpy.is_genuine,
        values=_values_of(groups),
    )


def place_of_operation(parsed: ParsedProgram, operation: int, text: str, limits: ExecutionLimits) -> Position | None:
    """The place of the statement that wrote an operation of a program's circuit, by its index; None if not known.

    `text` is the program. Not all front ends record places: a text may be read again.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    match parsed.front_end:
        case "scanner":
            return place_of(read_with_parser(text, limits, {}).places, operation)
        case "openqasm2":
            return openqasm2.place_of_operation(text, operation, limits)
    return place_of(parsed.places, operation)


def read_qpy(text: str, limits: ExecutionLimits, *, as_written: bool = False) -> ParsedProgram:
    """Read QPY; with `as_written`, the circuit is not lowered if a drawing can show it as it is."""
    circuit = qpy.read_circuit(text, limits)
    groups, parameters = qpy.bit_groups(circuit), qpy.parameter_names(circuit)
    checked: frozenset[int] = frozenset()
    if as_written and qpy.is_drawn_as_written(circuit):
        outcome = groups.outcome
    else:
        circuit, own_outcome, checked = qpy.lower_classical(circuit, limits)
        outcome = _composed(own_outcome, groups.outcome)
    return ParsedProgram(
        plain_of(circuit),
        groups.widths,
        groups.names,
        QPY,
        outcome,
        parameters=parameters,
        genuine=qpy.is_genuine,
        checked_bits=checked,
        computes_bits=outcome is not groups.outcome,
    )


def read_openqasm2(text: str, limits: ExecutionLimits, inputs: Values | None) -> ParsedProgram:
    openqasm2.reject_inputs(inputs)
    circuit, defines_gates = openqasm2.read_circuit(text.removeprefix(BYTE_ORDER_MARK), limits)
    groups = qpy.bit_groups(circuit)
    genuine = openqasm2.is_genuine if defines_gates else None
    return ParsedProgram(
        plain_of(circuit),
        groups.widths,
        groups.names,
        OPENQASM2,
        groups.outcome,
        genuine=genuine,
        values=_values_of(groups),
    )


def _values_of(groups: qpy.BitGroups) -> Sequence[Any] | None:
    return None if groups.outcome is None else list(map(atom, groups.bits))


def _composed(first: Callable[[int], int] | None, then: Callable[[int], int] | None) -> Callable[[int], int] | None:
    if first is None or then is None:
        return first or then
    return lambda measured: then(first(measured))


def read_text(
    text: str, limits: ExecutionLimits, inputs: Values | None, *, recognise: bool = True, timed: bool = False
) -> ParsedProgram:
    """Read OpenQASM 3; `timed` as for `unroll`. The scanner leaves delays out."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    scans = not inputs and not (timed and _DELAY in text)
    parsed = read_with_scanner(text, limits, recognise=recognise) if scans else None
    return parsed or read_with_parser(text, limits, inputs or {}, timed=timed)


def read_with_scanner(text: str, limits: ExecutionLimits, *, recognise: bool = True) -> ParsedProgram | None:
    scanned = scan(text, limits, recognise=recognise)
    return None if scanned is None else parsed_of_scanned(scanned)


def parsed_of_scanned(scanned: Scanned) -> ParsedProgram:
    return ParsedProgram(
        scanned.plain,
        scanned.groups,
        scanned.names,
        "scanner",
        warnings=dialect_warnings(scanned.dialect),
        declared=scanned.declared,
        measures_all=scanned.dialect.measures_all,
    )


def with_implied_measurement(parsed: ParsedProgram, limits: ExecutionLimits) -> ParsedProgram:
    """A program with a measurement of all qubits at the end, if its dialect has one."""
    if not parsed.measures_all:
        return parsed
    names = set(parsed.declared.qubits.values())
    circuit = with_all_measured(parsed.circuit, limits, names)
    message = "the program has no measurement: all qubits are measured at the end, as by Amazon Braket"
    warning = ProgramWarning(code=WarningCode.BRAKET_DIALECT, message=message)
    return replace(
        parsed,
        plain=plain_of(circuit),
        groups=(circuit.num_clbits,),
        names=(circuit.cregs[0].name,),
        outcome=None,
        values=None,
        warnings=(*parsed.warnings, warning),
        declared=DeclaredNames(parsed.declared.qubits),
        measures_all=False,
    )
