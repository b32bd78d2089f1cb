"""Reads a program and lowers it to a circuit for the simulators; for the child process only.

Three front ends read OpenQASM 3: the scanner reads flat programs, and declines all others and all mistakes. The
importer, behind the reference parser, reads most of the rest. The unroller interprets programs with classical values,
which the importer does not support. `mistakes` explains what is wrong with a program that none of them can read.
OpenQASM 2 and QPY have readers of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

from ketline.domain.device_run import Placement
from ketline.domain.errors import (
    ExecutionFailed,
    GradientInvalid,
    InputMissing,
    ProgramInvalid,
    ProgramUnsupported,
)
from ketline.domain.spec import InputValue, ProgramFormat, format_by_header
from ketline.domain.task import ProgramWarning, WarningCode
from ketline.execution.circuit.dual import Dual
from ketline.execution.circuit.final_state import FinalState
from ketline.execution.circuit.located import LocatedQubits
from ketline.execution.circuit.lowering import Lowered, keeps_steps, lower, lower_observed, lower_state
from ketline.execution.circuit.named_places import PLACE, without_places
from ketline.execution.circuit.observables import Support
from ketline.execution.circuit.operations import count_with_blocks
from ketline.execution.circuit.plain import PlainCircuit, plain_of
from ketline.execution.frontend import openqasm2, qpy
from ketline.execution.frontend.braket import Dialect, apply_pragmas, check_dialect, dialect_of, with_all_measured
from ketline.execution.frontend.diagnosis import fix_identifier_spans, parser_errors
from ketline.execution.frontend.grammar import parse
from ketline.execution.frontend.importer.convert import ProgramConverter
from ketline.execution.frontend.input_angles import lowered_with_inputs
from ketline.execution.frontend.mistakes import find_mistakes, raise_first, with_error
from ketline.execution.frontend.phases import phase_warnings
from ketline.execution.frontend.places import DeclaredNames, PlacedOperations, place_of
from ketline.execution.frontend.pragmas import remove_directives
from ketline.execution.frontend.scanner import Scanned, scan
from ketline.execution.frontend.text import Position, check_text, with_bit_parameters
from ketline.execution.frontend.unroller import unroll
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.unroller.values import atom, is_computed
from ketline.execution.limits import ExecutionLimits

Values = Mapping[str, InputValue]
# The values that are computed from the final state in place of counts: observables, or outputs; None for counts.
Observed = Support | FinalState | None
QPY = "qpy"
OPENQASM2 = "openqasm2"
_MOST_NAMED = 8
# Some editors write it before a text; it is not part of the program.
_BYTE_ORDER_MARK = "\ufeff"
_DELAY = "delay"
_LOST_TIMES = "QPY does not keep the unit of a delay: on a device give it in 'dt', or send OpenQASM 3"


class _SyntaxTree(NamedTuple):
    """A program's syntax tree, without pragmas and annotations, and the warnings about them."""

    text: str
    root: Any
    warnings: tuple[ProgramWarning, ...]
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class ParsedProgram:
    """The circuit that a front end reads from a program, and the widths of the groups of its bitstrings, in order.

    `names` are the declared names of the groups, None for a group of several single bits. `warnings` are about the
    text. `outcome` converts an outcome of the circuit's bits, bit k at position k, into one of the program's bits.
    `parameters` are names that need values, see `with_inputs`. `genuine` distinguishes Qiskit's own operations from
    others of the same names, if the circuit may have such. `values` are the bits of the groups, in order, each known or
    `Measured` on the circuit's bits; None if they are the circuit's bits in order. `places` has the statements that
    wrote the circuit's operations, where the front end records them. `declared` has the names of the text that the
    circuit and the groups do not have. `measures_all`: by the program's dialect all qubits are measured at the end,
    which the circuit does not have yet. `angles` have derivatives; parameters of the circuit stand for them.
    `checked_bits` of the circuit, by index, are those by which `outcome` knows that a program has no result. With
    `computes_bits`, `outcome` may compute a bit instead of copying one.
    """

    plain: PlainCircuit
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    front_end: str
    outcome: Callable[[int], int] | None = None
    warnings: Sequence[ProgramWarning] = ()
    parameters: frozenset[str] = frozenset()
    genuine: Callable[[Any], bool] | None = None
    values: Sequence[Any] | None = None
    places: Sequence[PlacedOperations] = ()
    declared: DeclaredNames = field(default_factory=DeclaredNames)
    measures_all: bool = False
    angles: Mapping[str, Dual] = field(default_factory=dict)
    checked_bits: frozenset[int] = frozenset()
    computes_bits: bool = False

    @property
    def circuit(self) -> Any:
        """Qiskit's circuit, which is made when it is first read."""
        return self.plain.circuit


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program ready to be simulated; fields that `ParsedProgram` has too have the same meaning.

    `parameters` are the names that need values before it can run, see `with_inputs`; `kept_qubits` are the indices of
    its qubits among the `declared_qubits`. With `has_phase` the circuit has its global phase, which outputs show.
    `placement` says where a program was placed that was transpiled for a device, and `located` where its qubits are in
    the circuit; `kept_qubits` are then None for those of the device that have none of the program's at the end, and
    those of `lowered` are the device's. With `is_observed` it was read for observables, and `dephased` are the declared
    qubits that are measured last of all, by measurements that were left out. Programs are compared by identity, so that
    caches can use them as keys.
    """

    lowered: Lowered
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    front_end: str
    declared_qubits: int
    outcome: Callable[[int], int] | None = None
    parameters: frozenset[str] = frozenset()
    kept_qubits: Sequence[int | None] = ()
    warnings: Sequence[ProgramWarning] = ()
    has_phase: bool = False
    placement: Placement | None = None
    is_observed: bool = False
    dephased: frozenset[int] = frozenset()
    checked_bits: frozenset[int] = frozenset()
    located: LocatedQubits | None = None
    computes_bits: bool = False

    def positions(self, place: str | None = None) -> Mapping[int, int]:
        """The circuit's qubit for each of the declared ones that it has, at a named place or at the end."""
        if self.located is None:
            return {qubit: number for number, qubit in enumerate(self.kept_qubits) if qubit is not None}
        numbers = {physical: number for number, physical in enumerate(self.lowered.kept_qubits)}
        qubits = self.located.qubits[place]
        return {qubit: numbers[physical] for qubit, physical in enumerate(qubits) if physical in numbers}

    def device_qubit(self, qubit: int) -> int:
        """The number by which errors know a declared qubit at the end: on a device, that of the device's."""
        return qubit if self.located is None else self.located.qubits[None][qubit]

    def declared_of(self, qubits: Iterable[int]) -> frozenset[int]:
        """The declared qubits of those of the lowered circuit, given by its `kept_qubits`."""
        if self.located is None:
            return frozenset(qubits)
        return frozenset(qubit for qubit in self.located.declared(list(qubits)) if qubit is not None)


def load_program(
    text: str,
    limits: ExecutionLimits,
    inputs: Values | None = None,
    form: ProgramFormat | None = None,
    observed: Observed = None,
    *,
    noisy: bool = False,
) -> Program:
    """Read and lower a program within the limits.

    `inputs` are the values of the program's `input` declarations; the parameters of QPY get theirs by `with_inputs`.
    Without `form`, the program's header decides the format.
    With `observed`, the final state of its qubits is computed instead of counts. With `noisy` its gates stay as they
    are written, so that errors can follow them.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot run; with line and column where known.
        ObservablesInvalid, OutputsInvalid: the program has no such state.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            parsed = _read_qpy(text, limits)
        case ProgramFormat.OPENQASM2:
            parsed = _read_openqasm2(text, limits, inputs)
            if observed is None:
                openqasm2.require_measurement(parsed.circuit)
        case _:
            # Programs whose angles are computed for given inputs have no noise.
            with_inputs = _scanned_with_inputs(text, limits, observed) if inputs and not noisy else None
            program = with_inputs(inputs) if with_inputs and inputs else None
            if program is not None:
                return program
            parsed = _read_text(text, limits, inputs, recognise=not noisy)
            return _lowered(parsed, limits, observed, noisy=noisy)
    with qpy.library_errors_as_invalid("the circuit cannot be rewritten for the simulators"):
        return _lowered(parsed, limits, observed, noisy=noisy)


def program_reader(
    text: str, limits: ExecutionLimits, observed: Observed = None, *, noisy: bool = False
) -> Callable[[Values], Program]:
    """Parse an OpenQASM 3 program once, and return a function that loads it for given values of its inputs.

    Raises:
        ProgramInvalid, ProgramTooLarge: it cannot be parsed; the function raises the other errors of `load_program`.
    """
    with_inputs = None if noisy else _scanned_with_inputs(text, limits, observed)
    if with_inputs is None:
        return _unrolling_reader(text, limits, observed, noisy=noisy)
    unrolling = cache(lambda: _unrolling_reader(text, limits, observed))
    return lambda inputs: with_inputs(inputs) or unrolling()(inputs)


def _unrolling_reader(
    text: str, limits: ExecutionLimits, observed: Observed, *, noisy: bool = False
) -> Callable[[Values], Program]:
    syntax = _syntax_for_inputs(text, limits)
    return lambda inputs: _lowered(_unrolled(syntax, limits, inputs), limits, observed, noisy=noisy)


def _syntax_for_inputs(text: str, limits: ExecutionLimits) -> _SyntaxTree:
    """The syntax tree of a program whose inputs are given later."""
    syntax = _parse(text.removeprefix(_BYTE_ORDER_MARK), limits, None)
    _check_what_never_runs(syntax, None)
    return syntax


def _scanned_with_inputs(
    text: str, limits: ExecutionLimits, observed: Observed
) -> Callable[[Values], Program | None] | None:
    """A function that gives the program for values of its inputs, if these are only angles of a flat program.

    It returns None for values that are not valid.

    Raises:
        ProgramTooLarge: the program has more operations than the limit.
    """
    found = scanned_with_functions(text, limits, observed)
    if found is None:
        return None
    program, scanned = found
    lowered_for = lowered_with_inputs(program.lowered, scanned.plain, scanned.inputs)

    def with_inputs(inputs: Values) -> Program | None:
        lowered = lowered_for(inputs)
        return None if lowered is None else replace(program, lowered=lowered)

    return with_inputs


def scanned_with_functions(text: str, limits: ExecutionLimits, observed: Observed) -> tuple[Program, Scanned] | None:
    """A flat program with functions of its inputs as angles; None if inputs are something else in it.

    Raises:
        ProgramTooLarge: the program has more operations than the limit.
    """
    if isinstance(observed, FinalState):
        return None  # its global phase may depend on the inputs
    scanned = scan(text.removeprefix(_BYTE_ORDER_MARK), limits, takes_inputs=True)
    if scanned is None or not scanned.inputs or scanned.dialect.recognised:
        return None
    steps = scanned.plain.steps
    written = [bit for step in steps for bit in step[2]]
    # The unroller keeps earlier outcomes of a bit in bits of their own, so the same seed would give other counts.
    if len(set(written)) < len(written) or not keeps_steps(steps):
        return None
    try:
        return _lowered(_parsed_of(scanned), limits, observed), scanned
    except ExecutionFailed:
        return None  # the unroller raises it in the order of its work


def unrolled_with_angles(
    text: str, limits: ExecutionLimits, observed: Observed, *, noisy: bool = False
) -> Callable[[Values, DifferentiatedInputs], tuple[Program, Mapping[str, Dual]]]:
    """Parse an OpenQASM 3 program once, and return a function that unrolls it for values of its inputs.

    Angles that depend on differentiated inputs are parameters of the circuit, and are returned by their names. `noisy`
    as for `load_program`.

    Raises:
        ProgramInvalid, ProgramTooLarge: it cannot be parsed; the function raises the other errors of `load_program`,
            and GradientInvalid.
    """
    syntax = _parse(text.removeprefix(_BYTE_ORDER_MARK), limits, None)
    _check_what_never_runs(syntax, None)

    def read(inputs: Values, differentiated: DifferentiatedInputs) -> tuple[Program, Mapping[str, Dual]]:
        parsed = _unrolled(syntax, limits, inputs, differentiated)
        with qpy.library_errors_as_invalid("the circuit cannot be rewritten for the simulators"):
            return _lowered(parsed, limits, observed, noisy=noisy), parsed.angles

    return read


def _lowered(parsed: ParsedProgram, limits: ExecutionLimits, observed: Observed, *, noisy: bool = False) -> Program:
    if observed is None:
        parsed = _measured(parsed, limits)
    plain, genuine = parsed.plain, parsed.genuine
    dephased: frozenset[int] = frozenset()
    warnings = parsed.warnings
    if observed is None:
        by_name = parsed.front_end != QPY
        lowered = lower(plain, limits.max_operations, genuine, one_name_each=by_name, noisy=noisy)
    elif isinstance(observed, Support):
        observed.require_fit(plain.num_qubits)
        lowered, dephased = lower_observed(
            plain, limits.max_operations, observed.qubits, genuine, bits=parsed.checked_bits, noisy=noisy
        )
        warnings = (*warnings, *_dephasing_warnings(dephased & observed.flipped))
    else:
        bits = parsed.checked_bits
        lowered = lower_state(plain, limits.max_operations, observed, genuine, bits=bits, noisy=noisy)
    return Program(
        lowered,
        parsed.groups,
        parsed.names,
        parsed.front_end,
        plain.num_qubits,
        parsed.outcome,
        parsed.parameters,
        lowered.kept_qubits if observed else (),
        warnings,
        has_phase=isinstance(observed, FinalState),
        is_observed=isinstance(observed, Support),
        dephased=dephased,
        checked_bits=parsed.checked_bits,
        computes_bits=parsed.computes_bits,
    )


def on_device(
    parsed: ParsedProgram,
    lowered: Lowered,
    located: LocatedQubits,
    placement: Placement,
    observed: Observed,
    dephased: frozenset[int],
) -> Program:
    """A program that was transpiled for a device and lowered; `dephased` are the device's qubits."""
    measured = frozenset(qubit for qubit in located.declared(list(dephased)) if qubit is not None)
    warnings = _dephasing_warnings(measured & observed.flipped) if isinstance(observed, Support) else ()
    return Program(
        lowered,
        parsed.groups,
        parsed.names,
        parsed.front_end,
        parsed.plain.num_qubits,
        parsed.outcome,
        kept_qubits=located.declared(lowered.kept_qubits),
        warnings=(*parsed.warnings, *warnings),
        has_phase=isinstance(observed, FinalState),
        placement=placement,
        is_observed=isinstance(observed, Support),
        dephased=measured,
        checked_bits=parsed.checked_bits,
        located=located,
        computes_bits=parsed.computes_bits,
    )


def _dephasing_warnings(qubits: frozenset[int]) -> tuple[ProgramWarning, ...]:
    """The warnings about qubits that are measured last, and on which an observable has X or Y."""
    if not qubits:
        return ()
    names = ", ".join(map(str, sorted(qubits)[:_MOST_NAMED]))
    message = (
        f"X and Y have the value 0 on qubits that are measured, here {names}: "
        "leave the measurements at the end out for the values in the state before them"
    )
    return (ProgramWarning(code=WarningCode.OBSERVABLE_MEASURED, message=message),)


def with_inputs(program: Program, inputs: Values) -> Program:
    """The program with values for its parameters.

    Raises:
        ProgramInvalid: the names differ from the parameters, or the values are not angles.
    """
    if not program.parameters and not inputs:
        return program  # the same object, so that caches find it
    lowered = program.lowered
    if program.has_phase or lowered.template is None:
        circuit = qpy.bind_inputs(lowered.circuit, program.parameters, inputs)
        bound = Lowered(plain_of(circuit), lowered.operations, kept_qubits=lowered.kept_qubits)
    else:
        bound = lowered.with_steps(qpy.bind_steps(lowered.template, program.parameters, inputs))
    return replace(program, lowered=bound, parameters=frozenset())


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
            parsed = replace(parsed, plain=plain_of(qpy.bind_inputs(parsed.circuit, parsed.parameters, inputs or {})))
        case ProgramFormat.OPENQASM2:
            return _read_openqasm2(text, limits, inputs)
        case _:
            parsed = _measured(_read_text(text, limits, inputs), limits)
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


def written_reader(
    text: str, limits: ExecutionLimits, form: ProgramFormat | None = None, *, measured: bool = True
) -> Callable[[Values], ParsedProgram]:
    """Parse a program once, and return a function that gives its circuit for values of its inputs, as it is written.

    No gates of the program are recognised as others, so that the same program is the same circuit wherever it is read.
    It has the program's delays and barriers, and if it is to be `measured` the measurements that its dialect implies.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: no front end can read it; or the function raises them.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            parsed = _read_qpy(text, limits)
            if qpy.has_lost_times(parsed.circuit):
                raise ProgramUnsupported(_LOST_TIMES)
            return lambda values: _bound(parsed, values)
        case ProgramFormat.OPENQASM2:
            read = cache(lambda: _with_known_times(_read_openqasm2(text, limits, None)))
            return lambda values: read() if not values else _read_openqasm2(text, limits, values)
        case _:
            syntax = cache(lambda: _syntax_for_inputs(text, limits))

            def with_inputs(values: Values) -> ParsedProgram:
                if values:
                    parsed = _unrolled(syntax(), limits, values, timed=True)
                else:
                    parsed = _read_text(text, limits, {}, recognise=False, timed=True)
                return _measured(parsed, limits) if measured else parsed

            return with_inputs


class OpenProgram(NamedTuple):
    """A program with angles that depend on inputs as parameters of its circuit, and the number of each by name.

    Numbers of differentiated inputs, and of what depends on them, are dual.
    """

    parsed: ParsedProgram
    numbers: Mapping[str, Any]


def open_reader(
    text: str, limits: ExecutionLimits, form: ProgramFormat | None = None
) -> Callable[[Values, DifferentiatedInputs], OpenProgram]:
    """As `written_reader`, of circuits with open angles.

    Raises:
        ProgramInvalid, ProgramTooLarge, GradientInvalid: the program cannot be read, or has no inputs; or the function
            raises them.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            parsed = _read_qpy(text, limits)
            if qpy.has_lost_times(parsed.circuit):
                raise ProgramUnsupported(_LOST_TIMES)

            def given(inputs: Values, differentiated: DifferentiatedInputs) -> OpenProgram:
                values = qpy.numbers_of(parsed.parameters, inputs)
                numbers = {name: differentiated.dual(name, values[name]) for name in sorted(values)}
                return OpenProgram(parsed, numbers)

            return given
        case ProgramFormat.OPENQASM2:
            raise GradientInvalid("OpenQASM 2 has no inputs to take a gradient by: use OpenQASM 3, or QPY")
        case _:
            syntax = _syntax_for_inputs(text, limits)

            def unrolled(inputs: Values, differentiated: DifferentiatedInputs) -> OpenProgram:
                parsed = _unrolled(syntax, limits, inputs, differentiated, timed=True)
                return OpenProgram(parsed, parsed.angles)

            return unrolled


def _with_known_times(parsed: ParsedProgram) -> ParsedProgram:
    """Reject delays of OpenQASM 2, whose unit the language leaves open.

    Raises:
        ProgramUnsupported: there is one.
    """
    if count_with_blocks(parsed.plain.steps)["delay"]:
        raise ProgramUnsupported(
            "'delay' in OpenQASM 2 has no unit of time: on a device write it in OpenQASM 3, as 'delay[100ns] q;'"
        )
    return parsed


def _bound(parsed: ParsedProgram, values: Values) -> ParsedProgram:
    circuit = qpy.bind_inputs(parsed.circuit, parsed.parameters, values)
    return replace(parsed, plain=plain_of(circuit), parameters=frozenset())


def place_of_operation(parsed: ParsedProgram, operation: int, text: str, limits: ExecutionLimits) -> Position | None:
    """The place of the statement that wrote an operation of a program's circuit, by its index; None if not known.

    `text` is the program. Not all front ends record places: a text may be read again.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    match parsed.front_end:
        case "scanner":
            return place_of(_read_with_parser(text, limits, {}).places, operation)
        case "openqasm2":
            return openqasm2.place_of_operation(text, operation, limits)
    return place_of(parsed.places, operation)


def _read_qpy(text: str, limits: ExecutionLimits, *, as_written: bool = False) -> ParsedProgram:
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


def _read_openqasm2(text: str, limits: ExecutionLimits, inputs: Values | None) -> ParsedProgram:
    openqasm2.refuse_inputs(inputs)
    circuit, defines_gates = openqasm2.read_circuit(text.removeprefix(_BYTE_ORDER_MARK), limits)
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


def _read_text(
    text: str, limits: ExecutionLimits, inputs: Values | None, *, recognise: bool = True, timed: bool = False
) -> ParsedProgram:
    """Read OpenQASM 3; `timed` as for `unroll`. The scanner leaves delays out."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    scans = not inputs and not (timed and _DELAY in text)
    parsed = _read_with_scanner(text, limits, recognise=recognise) if scans else None
    return parsed or _read_with_parser(text, limits, inputs or {}, timed=timed)


def _read_with_scanner(text: str, limits: ExecutionLimits, *, recognise: bool = True) -> ParsedProgram | None:
    scanned = scan(text, limits, recognise=recognise)
    return None if scanned is None else _parsed_of(scanned)


def _parsed_of(scanned: Scanned) -> ParsedProgram:
    return ParsedProgram(
        scanned.plain,
        scanned.groups,
        scanned.names,
        "scanner",
        warnings=_dialect_warnings(scanned.dialect),
        declared=scanned.declared,
        measures_all=scanned.dialect.measures_all,
    )


def _dialect_warnings(dialect: Dialect) -> tuple[ProgramWarning, ...]:
    if not dialect.recognised or dialect.certain:
        return ()
    message = "the program does not include stdgates.inc: its gates are those of Amazon Braket, which mean the same"
    return (ProgramWarning(code=WarningCode.BRAKET_DIALECT, message=message),)


def _measured(parsed: ParsedProgram, limits: ExecutionLimits) -> ParsedProgram:
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


def _read_with_parser(text: str, limits: ExecutionLimits, inputs: Values, *, timed: bool = False) -> ParsedProgram:
    syntax = _parse(text, limits, inputs)
    try:
        if not inputs and not syntax.dialect.gates:
            return _import(syntax, limits, timed=timed)
    except ProgramUnsupported:
        pass
    except ProgramInvalid as error:
        # If no mistake is found the program may be valid: the unroller supports more than the importer.
        raise_first(find_mistakes(text, syntax.root, inputs), error)
    parsed = _unrolled(syntax, limits, inputs, timed=timed)
    _check_what_never_runs(syntax, inputs)
    return parsed


def _check_what_never_runs(syntax: _SyntaxTree, inputs: Values | None) -> None:
    """Reject undefined names, also in branches, loops and subroutines that never run."""
    if mistakes := find_mistakes(syntax.text, syntax.root, inputs):
        first, *others = mistakes
        first.others = tuple(others)
        raise first


def _unrolled(
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
        dialect = dialect_of(tree, pragmas=apply_pragmas(tree))
        check_dialect(tree, dialect)
        phases = () if dialect.recognised else phase_warnings(tree)
        warnings = _in_order(*remove_directives(tree), *phases, *_dialect_warnings(dialect))
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


def _read_with_importer(text: str, limits: ExecutionLimits) -> ParsedProgram:
    return _import(_parse(text, limits, {}), limits)


def _import(syntax: _SyntaxTree, limits: ExecutionLimits, *, timed: bool = False) -> ParsedProgram:
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
