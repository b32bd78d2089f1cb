"""Unrolls a parsed program into a circuit; `program.py` calls it after the other front ends."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.frontend.places import DeclaredNames, PlacedOperations
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.unroller.expressions import bits_of_number
from ketline.execution.frontend.unroller.gates import LibraryGate
from ketline.execution.frontend.unroller.kinds import BIT
from ketline.execution.frontend.unroller.memory import Variable
from ketline.execution.frontend.unroller.quantum import members
from ketline.execution.frontend.unroller.statements import Interpreter
from ketline.execution.frontend.unroller.values import Measured, atom, evaluate_at
from ketline.execution.limits import ExecutionLimits


class Unrolled(NamedTuple):
    """A circuit, the groups of its bitstrings, and the conversion of the circuit's outcomes into them.

    `groups` are the widths, `names` as in `ParsedProgram`. The circuit has a bit for each measurement. `outcome`
    converts Aer's number for these bits, bit k at position k, into the number of the program's own bits; None if both
    are equal. `values` are the program's bits, in order, each known or `Measured`. `angles` are those with derivatives,
    by the names of the parameters that stand for them.
    """

    circuit: Any
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    outcome: Callable[[int], int] | None
    values: Sequence[Any]
    places: Sequence[PlacedOperations]
    declared: DeclaredNames
    angles: Mapping[str, Dual] = {}


def unroll(
    program: Any,
    limits: ExecutionLimits,
    inputs: Mapping[str, InputValue],
    gates: Mapping[str, LibraryGate] | None = None,
    differentiated: DifferentiatedInputs | None = None,
    *,
    timed: bool = False,
) -> Unrolled:
    """Evaluate the classical part of a parsed program, and return its circuit.

    `gates` are those of its dialect, which its calls may name. Angles that depend on `differentiated` inputs are
    parameters of the circuit. With `timed` it has delays and barriers, which have no effect on an ideal simulation.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot be unrolled; with the place of the mistake.
        GradientInvalid: something else than an angle depends on a differentiated input.
    """
    interpreter = Interpreter(limits, inputs, gates or {}, differentiated, timed=timed)
    interpreter.run(program)
    variables = interpreter.variables
    unknown = sorted(inputs.keys() - variables.bound)
    if unknown:
        raise ProgramInvalid(f"the program has no input '{unknown[0][:40]}'")
    shown = [
        [variable for variable in group if not variables.outputs or variable in variables.outputs]
        for group in variables.groups
    ]
    shown = [group for group in shown if group]
    bits = [[bit for variable in group for bit in _bits_of(variable)] for group in shown]
    if not bits:
        shown = [[variable] for variable in variables.numbers if isinstance(variable.value, Measured)]
        bits = [list(_bits_of(variable)) for (variable,) in shown]
    circuit = interpreter.writer.circuit
    if not bits and circuit.num_clbits:
        raise ProgramUnsupported(
            "no bits are declared, so there are no counts: declare bits and measure into them, "
            "for instance 'bit[2] c; c = measure q;'"
        )
    values = [bit for group in bits for bit in group]
    names = tuple(group[0].name if len(group) == 1 else None for group in shown)
    outcome = _outcome(values, circuit.num_clbits)
    declared = DeclaredNames(variables.qubit_names, _single_bits(shown, bits))
    widths = tuple(map(len, bits))
    return Unrolled(circuit, widths, names, outcome, values, interpreter.places, declared, interpreter.angles)


def _single_bits(groups: Sequence[Sequence[Variable]], bits: Sequence[Sequence[Any]]) -> dict[int, str]:
    """The names of single bits, by their position among the bits of the groups."""
    names: dict[int, str] = {}
    start = 0
    for group, values in zip(groups, bits, strict=True):
        if all(variable.kind == BIT for variable in group):
            names |= {start + index: variable.name or "" for index, variable in enumerate(group)}
        start += len(values)
    return names


def _bits_of(variable: Any) -> tuple[Any, ...]:
    kind = variable.kind
    return members(variable.value) if kind.name in ("bit", "bool") else bits_of_number(variable.value, kind)


def _outcome(values: list[Any], width: int) -> Callable[[int], int] | None:
    if values == [atom(position) for position in range(width)]:
        return None

    def outcome(measured: int) -> int:
        return sum(1 << index for index, value in enumerate(values) if evaluate_at(value, measured))

    return outcome
