"""Readers of circuits as they are written, with delays and with angles that are open: for devices and for gradients."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.errors import (
    GradientInvalid,
    ProgramUnsupported,
)
from ketline.execution.circuit.operations import count_with_blocks
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend import qpy
from ketline.execution.frontend.parsed_program import ParsedProgram, Values
from ketline.execution.frontend.readers import read_openqasm2, read_qpy, read_text, with_implied_measurement
from ketline.execution.frontend.syntax_tree import syntax_for_inputs, unroll_tree
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.limits import ExecutionLimits

_LOST_TIMES = "QPY does not keep the unit of a delay: on a device give it in 'dt', or send OpenQASM 3"


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
            parsed = read_qpy(text, limits)
            if qpy.has_lost_times(parsed.circuit):
                raise ProgramUnsupported(_LOST_TIMES)
            return lambda values: _bound(parsed, values)
        case ProgramFormat.OPENQASM2:
            read = cache(lambda: _with_known_times(read_openqasm2(text, limits, None)))
            return lambda values: read() if not values else read_openqasm2(text, limits, values)
        case _:
            syntax = cache(lambda: syntax_for_inputs(text, limits))

            def with_inputs(values: Values) -> ParsedProgram:
                if values:
                    parsed = unroll_tree(syntax(), limits, values, timed=True)
                else:
                    parsed = read_text(text, limits, {}, recognise=False, timed=True)
                return with_implied_measurement(parsed, limits) if measured else parsed

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
            parsed = read_qpy(text, limits)
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
            syntax = syntax_for_inputs(text, limits)

            def unrolled(inputs: Values, differentiated: DifferentiatedInputs) -> OpenProgram:
                parsed = unroll_tree(syntax, limits, inputs, differentiated, timed=True)
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
