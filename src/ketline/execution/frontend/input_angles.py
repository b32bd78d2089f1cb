"""Gives the circuits of a program for values of its inputs, if only angles depend on these. Used by `program.py`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from ketline.domain.errors import ProgramInvalid
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.circuit.derivatives.binding import template_of
from ketline.execution.circuit.passes.light_cone import rebuilt
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import PlainCircuit
from ketline.execution.frontend.scanner import Declined
from ketline.execution.frontend.unroller.inputs import input_value
from ketline.execution.frontend.unroller.kinds import FLOAT, Kind, radians

_ANGLE = Kind("angle")

# The circuit for values of the inputs; None where another front end has to say what is wrong with them.
LoweredWithInputs = Callable[[Mapping[str, InputValue]], Lowered | None]


def lowered_with_inputs(lowered: Lowered, declared: PlainCircuit, types: Mapping[str, str]) -> LoweredWithInputs:
    """A function that gives a circuit for values of its inputs, of these types: `float` or `angle`.

    `lowered` is the circuit with functions of the inputs as parameters, `declared` what it was lowered from, whose
    circuit of Qiskit's has no operations.
    """
    template = template_of(lowered.steps)
    # Gates that lowering left out must have valid angles too.
    written = template if len(lowered.steps) == len(declared.steps) else template_of(declared.steps)
    assert template is not None  # the scanner writes gates of the standard library only
    assert written is not None

    def declarations() -> object:
        return rebuilt(declared.circuit, lowered.kept_qubits, ())

    plain = PlainCircuit(lowered.num_qubits, lowered.num_clbits, lambda: lowered.steps, declarations)
    pattern = replace(lowered, plain=plain)

    def with_inputs(inputs: Mapping[str, InputValue]) -> Lowered | None:
        if inputs.keys() != types.keys():
            return None
        try:
            numbers = {name: number_of(name, inputs[name], types[name]) for name in types}
            values = template.values(numbers)
            angles = values if written is template else written.values(numbers)
        except (ProgramInvalid, Declined):
            return None
        return pattern.with_steps(template.steps(values)) if all(map(math.isfinite, angles)) else None

    return with_inputs


def number_of(name: str, value: InputValue, type_name: str) -> float:
    """An input as a number, an angle in radians.

    Raises:
        ProgramInvalid: its value has another type.
    """
    if type_name == "float":
        return float(input_value(name, value, FLOAT))
    return float(radians(input_value(name, value, _ANGLE), _ANGLE))
