"""Reads a program and lowers it to a circuit for the simulators; for the child process only.

Three front ends read OpenQASM 3: the scanner reads flat programs, and declines all others and all mistakes. The
importer, behind the reference parser, reads most of the rest. The unroller interprets programs with classical values,
which the importer does not support. `mistakes` explains what is wrong with a program that none of them can read.
OpenQASM 2 and QPY have readers of their own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.devices.device_run import Placement
from ketline.domain.errors import (
    ExecutionFailed,
)
from ketline.domain.results.result import ProgramWarning, WarningCode
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.circuit.located import LocatedQubits
from ketline.execution.circuit.observables.aer_instructions import Support
from ketline.execution.circuit.observables.final_state import FinalState
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.lowering import keeps_steps, lower, lower_observed, lower_state
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend import openqasm2, qpy
from ketline.execution.frontend.input_angles import lowered_with_inputs
from ketline.execution.frontend.parsed_program import BYTE_ORDER_MARK, QPY, ParsedProgram, Values
from ketline.execution.frontend.readers import (
    parsed_of_scanned,
    read_openqasm2,
    read_qpy,
    read_text,
    with_implied_measurement,
)
from ketline.execution.frontend.scanner import Scanned, scan
from ketline.execution.frontend.syntax_tree import check_what_never_runs, parse_text, syntax_for_inputs, unroll_tree
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.limits import ExecutionLimits

# The values that are computed from the final state instead of counts: observables, or outputs; None for counts.
Observed = Support | FinalState | None
_MAX_NAMED = 8


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
            parsed = read_qpy(text, limits)
        case ProgramFormat.OPENQASM2:
            parsed = read_openqasm2(text, limits, inputs)
            if observed is None:
                openqasm2.require_measurement(parsed.circuit)
        case _:
            # Programs whose angles are computed for given inputs have no noise.
            with_inputs = _scanned_with_inputs(text, limits, observed) if inputs and not noisy else None
            program = with_inputs(inputs) if with_inputs and inputs else None
            if program is not None:
                return program
            parsed = read_text(text, limits, inputs, recognise=not noisy)
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
    syntax = syntax_for_inputs(text, limits)
    return lambda inputs: _lowered(unroll_tree(syntax, limits, inputs), limits, observed, noisy=noisy)


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
    scanned = scan(text.removeprefix(BYTE_ORDER_MARK), limits, takes_inputs=True)
    if scanned is None or not scanned.inputs or scanned.dialect.recognised:
        return None
    steps = scanned.plain.steps
    written = [bit for step in steps for bit in step[2]]
    # The unroller keeps earlier outcomes of a bit in bits of their own, so the same seed would give other counts.
    if len(set(written)) < len(written) or not keeps_steps(steps):
        return None
    try:
        return _lowered(parsed_of_scanned(scanned), limits, observed), scanned
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
    syntax = parse_text(text.removeprefix(BYTE_ORDER_MARK), limits, None)
    check_what_never_runs(syntax, None)

    def read(inputs: Values, differentiated: DifferentiatedInputs) -> tuple[Program, Mapping[str, Dual]]:
        parsed = unroll_tree(syntax, limits, inputs, differentiated)
        with qpy.library_errors_as_invalid("the circuit cannot be rewritten for the simulators"):
            return _lowered(parsed, limits, observed, noisy=noisy), parsed.angles

    return read


def _lowered(parsed: ParsedProgram, limits: ExecutionLimits, observed: Observed, *, noisy: bool = False) -> Program:
    if observed is None:
        parsed = with_implied_measurement(parsed, limits)
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
    names = ", ".join(map(str, sorted(qubits)[:_MAX_NAMED]))
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
