"""Reads programs for gradients: steps whose angles have derivatives by the inputs; for the child process only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.errors import GradientInvalid, ProgramInvalid
from ketline.execution.circuit.derivatives.slopes import SlopedSteps, StepFormulas, expression_formula
from ketline.execution.circuit.observables.aer_instructions import Support
from ketline.execution.frontend import qpy
from ketline.execution.frontend.input_angles import number_of
from ketline.execution.frontend.parsed_program import Values
from ketline.execution.frontend.program import Program, load_program, scanned_with_functions, unrolled_with_angles
from ketline.execution.frontend.scanner import Declined, differentiated
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.limits import ExecutionLimits


class SlopedProgram(NamedTuple):
    """A program whose final state is observed, its steps, and the variables of each input that is differentiated.

    The variables of an array are its elements, row by row. Angles of `program` itself may be expressions.
    """

    program: Program
    sloped: SlopedSteps
    variables: Mapping[str, Sequence[int]]


SlopedReader = Callable[[Values], SlopedProgram]


def sloped_reader(
    text: str,
    limits: ExecutionLimits,
    observed: Support,
    names: Sequence[str] | None,
    form: ProgramFormat | None = None,
    *,
    noisy: bool = False,
) -> SlopedReader:
    """Parse a program, and return a function that reads it for values of its inputs, differentiating by these names.

    Without names these are all inputs of types `float` and `angle`, or all parameters of a QPY circuit. `noisy` as for
    `load_program`.

    Raises:
        As `load_program`.
        GradientInvalid: the program has no such inputs, or one decides more than angles; also from the function.
    """
    match form or format_by_header(text):
        case ProgramFormat.QPY:
            return _circuit_reader(text, limits, observed, names, noisy=noisy)
        case ProgramFormat.OPENQASM2:
            raise GradientInvalid("OpenQASM 2 has no inputs to take a gradient by: use OpenQASM 3, or QPY")
        case _:
            return _text_reader(text, limits, observed, names, noisy=noisy)


def _circuit_reader(
    text: str, limits: ExecutionLimits, observed: Support, names: Sequence[str] | None, *, noisy: bool
) -> SlopedReader:
    program = load_program(text, limits, form=ProgramFormat.QPY, observed=observed, noisy=noisy)
    formulas = StepFormulas(program.lowered.steps, expression_formula)

    def read(inputs: Values) -> SlopedProgram:
        chosen = DifferentiatedInputs(names)
        given = qpy.numbers_of(program.parameters, inputs)
        numbers = {name: chosen.dual(name, given[name]) for name in sorted(given)}
        chosen.require_found()
        return SlopedProgram(program, formulas.at(numbers), chosen.variables)

    return read


def _text_reader(
    text: str, limits: ExecutionLimits, observed: Support, names: Sequence[str] | None, *, noisy: bool
) -> SlopedReader:
    flat = None if noisy else _flat_reader(text, limits, observed, names)
    unrolled: list[Any] = []

    def read(inputs: Values) -> SlopedProgram:
        if flat is not None and (found := flat(inputs)) is not None:
            return found
        if not unrolled:
            unrolled.append(unrolled_with_angles(text, limits, observed, noisy=noisy))
        chosen = DifferentiatedInputs(names)
        program, angles = unrolled[0](inputs, chosen)
        chosen.require_found()
        return SlopedProgram(
            program, StepFormulas(program.lowered.steps, expression_formula).at(angles), chosen.variables
        )

    return read


def _flat_reader(
    text: str, limits: ExecutionLimits, observed: Support, names: Sequence[str] | None
) -> Callable[[Values], SlopedProgram | None] | None:
    """For a program that the scanner reads; the function gives None where the unroller has to say what is wrong."""
    scanned = scanned_with_functions(text, limits, observed)
    if scanned is None:
        return None
    program, types = scanned[0], scanned[1].inputs
    formulas = StepFormulas(program.lowered.steps, lambda value: lambda numbers: differentiated(value, numbers))
    # Gates that no observable depends on must have valid angles too.
    written = StepFormulas(scanned[1].plain.steps, lambda value: lambda numbers: differentiated(value, numbers))

    def read(inputs: Values) -> SlopedProgram | None:
        if inputs.keys() != types.keys():
            return None
        chosen = DifferentiatedInputs(names)
        try:
            numbers = {name: chosen.dual(name, number_of(name, inputs[name], types[name])) for name in types}
            sloped = formulas.at(numbers)
            if len(scanned[1].plain.steps) != len(program.lowered.steps):
                written.at(numbers)
        except (ProgramInvalid, Declined):
            return None
        chosen.require_found()
        return SlopedProgram(program, sloped, chosen.variables)

    return read
