"""From the text of a program to a circuit that the simulator takes; for the child process only.

Reading goes through tiers: the scanner reads flat programs, and declines all others and all mistakes; the reference
parser with the guarded importer reads the rest, and finds the place and the words for what is wrong; what the importer
does not know, classical values above all, is unrolled. OpenQASM 2 and QPY have readers of their own.
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
from ketline.execution.frontend.pragmas import set_aside
from ketline.execution.frontend.scanner import scan
from ketline.execution.frontend.text import check_text, with_bit_parameters
from ketline.execution.frontend.unroller import unroll
from ketline.execution.limits import ExecutionLimits

Values = Mapping[str, InputValue]
QPY_TIER = "qpy"
OPENQASM2_TIER = "openqasm2"
# Some editors write it before a text; it is no part of it.
_BYTE_ORDER_MARK = "\ufeff"


class _Parsed(NamedTuple):
    """A program's tree, without what was set aside, and the warnings about that."""

    text: str
    tree: Any
    warnings: tuple[ProgramWarning, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tier makes of a text: a circuit, and the widths of the groups of its counts keys, first declared first.

    `names` are the groups' as they were declared, None for several single bits. `warnings` are about the text.
    `outcome` turns an outcome of the circuit's bits, bit k of position k, into one of the program's bits.
    `parameters` are names that need values, see `with_inputs`. `genuine` tells Qiskit's own operations from others of
    the same names, where a circuit may have such.
    """

    circuit: Any
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    tier: str
    outcome: Callable[[int], int] | None = None
    warnings: Sequence[ProgramWarning] = ()
    parameters: frozenset[str] = frozenset()
    genuine: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program ready to be simulated; what it shares with `Reading` is as there, `declared_qubits` as it has them.

    `parameters` are the names that need values before it can be run, see `with_inputs`; `kept_qubits` are the indices
    of its qubits among the declared ones. It is equal to none but itself, so that what is known of it can be kept.
    """

    lowered: Lowered
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    tier: str
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
    """Read a program without letting it take more than the limits.

    `inputs` are the values of the names that the program declares as `input`; those of QPY get theirs by `with_inputs`.
    Without `form` the program's header says what it is written in.
    With `observed` its final state is wanted on these qubits, instead of counts.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot run; with line and column where known.
        ObservablesInvalid: it has no such state.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            reading = _read_qpy(text, limits)
        case ProgramFormat.OPENQASM2:
            reading = _read_openqasm2(text, limits, inputs)
            if observed is None:
                openqasm2.require_measurement(reading.circuit)
        case _:
            return _lowered(_read_text(text, limits, inputs), limits, observed)
    with qpy.mistakes_named("the circuit cannot be taken apart"):
        return _lowered(reading, limits, observed)


def program_reader(text: str, limits: ExecutionLimits, observed: Support | None = None) -> Callable[[Values], Program]:
    """Parses an OpenQASM 3 program, once, and gives what `load_program` would make of it for any values of its inputs.

    Raises:
        ProgramInvalid, ProgramTooLarge: it cannot be parsed; the rest is raised by what is returned.
    """
    parsed = _parse(text.removeprefix(_BYTE_ORDER_MARK), limits, None)
    _check_what_never_runs(parsed, None)
    return lambda inputs: _lowered(_unrolled(parsed, limits, inputs), limits, observed)


def _lowered(reading: Reading, limits: ExecutionLimits, observed: Support | None) -> Program:
    circuit, genuine = reading.circuit, reading.genuine
    if observed is None:
        lowered = lower(circuit, limits.max_operations, genuine)
    else:
        observed.require_fit(circuit.num_qubits)
        lowered = lower_observed(circuit, limits.max_operations, observed.qubits, genuine)
    return Program(
        lowered,
        reading.groups,
        reading.names,
        reading.tier,
        circuit.num_qubits,
        reading.outcome,
        reading.parameters,
        [circuit.find_bit(qubit).index for qubit in lowered.circuit.qubits] if observed else (),
        reading.warnings,
    )


def with_inputs(program: Program, inputs: Values) -> Program:
    """The program with values for its parameters.

    Raises:
        ProgramInvalid: they are not those that it has, or give no angles.
    """
    if not program.parameters and not inputs:
        return program  # what is known of it is kept for it
    circuit = qpy.bound(program.lowered.circuit, program.parameters, inputs)
    return replace(program, lowered=Lowered(circuit, program.lowered.operations), parameters=frozenset())


def read_program(
    text: str,
    limits: ExecutionLimits,
    inputs: Values | None = None,
    form: ProgramFormat | None = None,
) -> Reading:
    """What the first tier that can read a program makes of it; `inputs` as for `load_program`.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: none can.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            reading = _read_qpy(text, limits, as_written=True)
            return replace(reading, circuit=qpy.bound(reading.circuit, reading.parameters, inputs or {}))
        case ProgramFormat.OPENQASM2:
            return _read_openqasm2(text, limits, inputs)
        case _:
            return _read_text(text, limits, inputs)


def _read_qpy(text: str, limits: ExecutionLimits, *, as_written: bool = False) -> Reading:
    """With `as_written`, the circuit is that of the file if a drawing can show it."""
    circuit = qpy.read_circuit(text, limits)
    groups, parameters = qpy.groups_of(circuit), qpy.names_of(circuit)
    if as_written and qpy.is_drawn_as_written(circuit):
        outcome = groups.outcome
    else:
        circuit, own_outcome = qpy.lowered(circuit, limits)
        outcome = _composed(own_outcome, groups.outcome)
    return Reading(
        circuit, groups.widths, groups.names, QPY_TIER, outcome, parameters=parameters, genuine=qpy.is_genuine
    )


def _read_openqasm2(text: str, limits: ExecutionLimits, inputs: Values | None) -> Reading:
    openqasm2.refuse_inputs(inputs)
    circuit, defines_gates = openqasm2.read_circuit(text.removeprefix(_BYTE_ORDER_MARK), limits)
    groups = qpy.groups_of(circuit)
    genuine = openqasm2.is_genuine if defines_gates else None
    return Reading(circuit, groups.widths, groups.names, OPENQASM2_TIER, groups.outcome, genuine=genuine)


def _composed(first: Callable[[int], int] | None, then: Callable[[int], int] | None) -> Callable[[int], int] | None:
    if first is None or then is None:
        return first or then
    return lambda measured: then(first(measured))


def _read_text(text: str, limits: ExecutionLimits, inputs: Values | None) -> Reading:
    text = text.removeprefix(_BYTE_ORDER_MARK)
    reading = None if inputs else _read_with_scanner(text, limits)
    return reading or _read_with_parser(text, limits, inputs or {})


def _read_with_scanner(text: str, limits: ExecutionLimits) -> Reading | None:
    scanned = scan(text, limits)
    return None if scanned is None else Reading(*scanned, "scanner")


def _read_with_parser(text: str, limits: ExecutionLimits, inputs: Values) -> Reading:
    parsed = _parse(text, limits, inputs)
    try:
        if not inputs:
            return _import(parsed, limits)
    except ProgramUnsupported:
        pass
    except ProgramInvalid as error:
        # Where no mistake is found it may be right: the unroller knows more than the importer.
        raise_first(find_mistakes(text, parsed.tree, inputs), error)
    reading = _unrolled(parsed, limits, inputs)
    _check_what_never_runs(parsed, inputs)
    return reading


def _check_what_never_runs(parsed: _Parsed, inputs: Values | None) -> None:
    """Refuse undefined names in branches, loops and subroutines that no run of the program comes to."""
    if mistakes := find_mistakes(parsed.text, parsed.tree, inputs):
        first, *others = mistakes
        first.others = tuple(others)
        raise first


def _unrolled(parsed: _Parsed, limits: ExecutionLimits, inputs: Values) -> Reading:
    with _explained(parsed.text, parsed.tree, inputs):
        unrolled = unroll(parsed.tree, limits, inputs)
    return Reading(unrolled.circuit, unrolled.groups, unrolled.names, "unroller", unrolled.outcome, parsed.warnings)


def _parse(text: str, limits: ExecutionLimits, inputs: Values | None) -> _Parsed:
    """`inputs` are None where their values come later."""
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
        return _Parsed(text, tree, _in_order(*set_aside(tree), *phase_warnings(tree)))


def _in_order(*warnings: ProgramWarning) -> tuple[ProgramWarning, ...]:
    return tuple(sorted(warnings, key=lambda one: (one.line or 0, one.column or 0)))


@contextmanager
def _explained(text: str, tree: Any, inputs: Values | None) -> Iterator[None]:
    """Have a program that a tier refuses say all that is wrong with it, its first mistake first.

    A tier stops at the first mistake that it meets, and each tier at another one.
    """
    try:
        yield
    except (ProgramInvalid, ProgramUnsupported, InputMissing) as error:
        raise_first(with_error(find_mistakes(text, tree, inputs), error), error)
        raise


def _read_with_importer(text: str, limits: ExecutionLimits) -> Reading:
    return _import(_parse(text, limits, {}), limits)


def _import(parsed: _Parsed, limits: ExecutionLimits) -> Reading:
    converter = ProgramConverter(limits)
    circuit = converter.circuit_of(parsed.tree)
    names = tuple(converter.group_names)
    return Reading(circuit, tuple(converter.groups), names, "importer", warnings=parsed.warnings)
