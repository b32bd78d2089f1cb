"""Reads a circuit from a QPY file, for the child process only: a file can cause any use of memory or time.

The names of operations in a file are not trusted: an operation that has the name of one of Aer's, but is not Qiskit's
own operation of that name, is replaced by its definition.
"""

import io
import math
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from qiskit import qpy
from qiskit.circuit import (
    BoxOp,
    CircuitInstruction,
    ControlFlowOp,
    Delay,
    Gate,
    Operation,
    QuantumCircuit,
    Store,
    SwitchCaseOp,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import UnitaryGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info.operators.predicates import is_unitary_matrix

from ketline.domain.circuits.qpy import decoded
from ketline.domain.errors import (
    ExecutionFailed,
    OutputsInvalid,
    ProgramInvalid,
    ProgramTooLarge,
    ProgramUnsupported,
    QpyInvalid,
    QpyVersionUnsupported,
)
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.circuit.derivatives.binding import StepTemplate
from ketline.execution.circuit.dynamic import is_dynamic, lower_dynamic
from ketline.execution.circuit.named_places import NamedPlace
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.synthesis import incomplete
from ketline.execution.limits import ExecutionLimits

_OWN_MODULES = (
    "qiskit.circuit.library.",
    "qiskit.circuit.barrier",
    "qiskit.circuit.delay",
    "qiskit.circuit.measure",
    "qiskit.circuit.reset",
    "qiskit.circuit.controlflow.",
    "qiskit.circuit.store",
)


_SAVE_PREFIX = "save_"
# The unit of delays whose unit is not known; no file has it.
_LOST_UNIT = "ps"
_NOT_FINITE = "the inputs give an angle that is not a finite number"
_CONSTRUCTOR = re.compile(r"(\w{1,60})\.__init__\(\) (?:missing|takes) ")

# From the measured bits of a circuit, bit k at position k, to the outcome of its program.
OutcomeConversion = Callable[[int], int]


def read_circuit(text: str, limits: ExecutionLimits) -> Any:
    """The circuit of a QPY file, in base64; its parameters have no values yet.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it contains no circuit that can run.
    """
    try:
        data = decoded(text)
    except QpyVersionUnsupported as error:
        raise ProgramUnsupported(f"the program {error}") from error
    except QpyInvalid as error:
        raise ProgramInvalid(f"the program {error}") from error
    with library_errors_as_invalid("the QPY file cannot be read"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as that a newer Qiskit wrote the file
        with _incomplete_gates_as_unsupported():
            (circuit,) = qpy.load(io.BytesIO(data))
        if not isinstance(circuit, QuantumCircuit):
            raise ProgramInvalid("the QPY file does not hold a circuit")
        _check_size(circuit, limits)
        return _with_places(_with_readable_delays(circuit))


def has_lost_times(circuit: Any) -> bool:
    """Whether a circuit that `read_circuit` gave has a delay whose unit is not known: one in `dt` is."""
    return any(
        (instruction.name == "delay" and instruction.operation.unit == _LOST_UNIT and instruction.operation.duration)
        or (instruction.is_control_flow() and any(map(has_lost_times, instruction.operation.blocks)))
        for instruction in circuit.data
    )


def _with_readable_delays(circuit: Any) -> Any:
    """The circuit with delays that can be read: files have the number without its unit, which Qiskit takes for `dt`.

    It then rejects parts of one. Whole numbers are in `dt` indeed, as delays in other units have floating-point ones.
    """
    for number, instruction in enumerate(circuit.data):
        if instruction.name == "delay" and not isinstance(instruction.params[0], (int, expr.Expr)):
            delay = Delay(instruction.params[0], unit=_LOST_UNIT)
            circuit.data[number] = CircuitInstruction(delay, instruction.qubits, instruction.clbits)
        elif instruction.is_control_flow():
            blocks = [_with_readable_delays(block) for block in instruction.operation.blocks]
            circuit.data[number] = instruction.replace(operation=instruction.operation.replace_blocks(blocks))
    return circuit


def _with_places(circuit: Any) -> Any:
    """The circuit with a named place for each of Aer's `save_*` instructions, which files store without their class.

    Raises:
        OutputsInvalid: one is inside of a branch or a loop.
    """
    if not any(map(_saves, circuit.data)):
        _reject_saves_in_blocks(circuit)
        return circuit
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        if _saves(instruction):
            result.append(NamedPlace(instruction.label or instruction.name), [], copy=False)
        else:
            result.append(instruction, copy=False)
    _reject_saves_in_blocks(result)
    return result


def _reject_saves_in_blocks(circuit: Any) -> None:
    for instruction in circuit.data:
        if not instruction.is_control_flow():
            continue
        for block in instruction.operation.blocks:
            if (found := next(filter(_saves, block.data), None)) is not None:
                raise OutputsInvalid(
                    f"'{found.name}' is inside of '{instruction.name}': a place must be where every shot passes once, "
                    "outside of branches and loops"
                )
            _reject_saves_in_blocks(block)


def _saves(instruction: Any) -> bool:
    if not instruction.name.startswith(_SAVE_PREFIX):
        return False
    return not isinstance(instruction.operation, Gate) and instruction.operation.definition is None


@contextmanager
def library_errors_as_invalid(what: str) -> Iterator[None]:
    """Convert Qiskit's errors on damaged files into ours, with only their class, because messages may contain paths.

    Raises:
        ProgramInvalid: Qiskit raised an error.
    """
    try:
        yield
    except (ExecutionFailed, MemoryError):
        raise
    except Exception as error:
        raise ProgramInvalid(f"{what} ({type(error).__name__})") from error
    except BaseException as error:
        # Rust's panics are not subclasses of `Exception`.
        if type(error).__name__ != "PanicException":
            raise
        raise ProgramInvalid(f"{what} (it is damaged)") from None


@contextmanager
def _incomplete_gates_as_unsupported() -> Iterator[None]:
    """Convert the error for a gate of Qiskit's library that its reader cannot rebuild.

    Raises:
        ProgramUnsupported: there is such a gate; the message names it.
    """
    try:
        yield
    except (TypeError, AttributeError, QiskitError) as error:
        if (name := _unconstructible(error)) is None:
            raise
        raise incomplete(name) from error


def _unconstructible(error: BaseException) -> str | None:
    """The name of the class of the operation whose constructor raised an error."""
    if called := _CONSTRUCTOR.match(str(error)):
        return called[1]
    frames = traceback.walk_tb(error.__traceback__)
    constructed = [frame.f_locals.get("self") for frame, _ in frames if frame.f_code.co_name == "__init__"]
    return next((type(one).__name__ for one in constructed if isinstance(one, Operation)), None)


def bind_inputs(circuit: Any, parameters: frozenset[str], inputs: Mapping[str, InputValue]) -> Any:
    """A circuit with values for its parameters; `parameters` are those of the circuit before it was reduced.

    Raises:
        ProgramInvalid: a parameter has no value, a value is not a number, or a name is not a parameter.
    """
    numbers = numbers_of(parameters, inputs)
    if not circuit.parameters:
        return circuit
    values = {parameter: numbers[parameter.name] for parameter in circuit.parameters}
    with library_errors_as_invalid("the inputs do not give angles"):
        assigned = circuit.assign_parameters(values)
    if not all(map(_has_finite_parameters, assigned.data)):
        raise ProgramInvalid(_NOT_FINITE)
    return assigned


def bind_steps(template: StepTemplate, parameters: frozenset[str], inputs: Mapping[str, InputValue]) -> Sequence[Step]:
    """As `bind_inputs`, for the steps of a circuit.

    Raises:
        ProgramInvalid: as there.
    """
    numbers = numbers_of(parameters, inputs)
    with library_errors_as_invalid("the inputs do not give angles"):
        values = template.values(numbers)
    if not all(map(math.isfinite, values)):
        raise ProgramInvalid(_NOT_FINITE)
    return template.steps(values)


def numbers_of(parameters: frozenset[str], inputs: Mapping[str, InputValue]) -> Mapping[str, float]:
    """The values of parameters, by name.

    Raises:
        ProgramInvalid: the names differ, or a value is not a number.
    """
    if missing := sorted(parameters - inputs.keys()):
        raise ProgramInvalid(f"parameter '{missing[0]}' has no value: give it in 'inputs'")
    if unknown := sorted(inputs.keys() - parameters):
        raise ProgramInvalid(f"the circuit has no parameter '{unknown[0]}', which 'inputs' gives a value for")
    numbers: dict[str, float] = {}
    for name, value in inputs.items():
        if isinstance(value, (bool, str, Mapping)):
            raise ProgramInvalid(f"parameter '{name}' takes a number")
        numbers[name] = float(value)
    return numbers


def is_genuine(operation: Any) -> bool:
    """Whether an operation is Qiskit's own operation of its name.

    Raises:
        ProgramInvalid: it is, but its parameters are not finite, or its matrix is not unitary.
    """
    if not getattr(operation, "base_class", type(operation)).__module__.startswith(_OWN_MODULES):
        return False
    if isinstance(operation, UnitaryGate) and not is_unitary_matrix(operation.params[0]):
        raise ProgramInvalid("the matrix of a unitary gate is not unitary")
    if not all(map(_is_finite, operation.params)):
        raise ProgramInvalid(f"'{operation.name}' has an angle that is not a finite number")
    return True


def lower_classical(circuit: Any, limits: ExecutionLimits) -> tuple[Any, OutcomeConversion | None, frozenset[int]]:
    """Lower a circuit's classical operations to those that Aer evaluates correctly, and return the outcome of its bits.

    It raises `ProgramInvalid` where one of the bits that are returned last is set.

    Raises:
        ProgramUnsupported, ProgramTooLarge, ProgramInvalid: it cannot be lowered.
    """
    if not is_dynamic(circuit):
        return circuit, None, frozenset()
    with library_errors_as_invalid("the circuit cannot be rewritten for the simulators"):
        dynamic = lower_dynamic(circuit, limits)
    own: int = (1 << circuit.num_clbits) - 1
    forbidden = dynamic.forbidden

    def outcome(measured: int) -> int:
        for place, what in forbidden.items():
            if measured >> place & 1:
                raise ProgramInvalid(f"in some shots a classical expression {what}")
        return measured & own

    changes = dynamic.circuit.num_clbits > circuit.num_clbits
    return dynamic.circuit, outcome if changes else None, frozenset(forbidden)


def is_drawn_as_written(circuit: Any) -> bool:
    """Whether a drawing can show a circuit's classical operations unchanged, without `lower_classical`."""
    return not circuit.num_vars and all(_is_drawn_as_written(instruction.operation) for instruction in circuit.data)


def _is_drawn_as_written(operation: Any) -> bool:
    if isinstance(operation, (SwitchCaseOp, Store)):
        return False
    if not isinstance(operation, ControlFlowOp):
        return isinstance(operation, Gate) or _is_flat(getattr(operation, "definition", None))
    inside = all(map(is_drawn_as_written, operation.blocks))
    if isinstance(operation, BoxOp):
        return inside and not is_dynamic(operation.blocks[0])
    return inside


def _is_flat(definition: Any) -> bool:
    return definition is None or not is_dynamic(definition)


class BitGroups(NamedTuple):
    """The groups of bitstrings: widths, names, and the conversion from a circuit's bits; as in `ParsedProgram`.

    `bits` are the bits of the groups, in order, by their index in the circuit.
    """

    widths: tuple[int, ...]
    names: tuple[str | None, ...]
    outcome: OutcomeConversion | None
    bits: Sequence[int]


def bit_groups(circuit: Any) -> BitGroups:
    """Each register is a group, in the order of declaration; bits without a register are the first group."""
    loose = [bit for bit in circuit.clbits if not circuit.find_bit(bit).registers]
    groups = ([(None, loose)] if loose else []) + [(creg.name, list(creg)) for creg in circuit.cregs if len(creg)]
    shown = [circuit.find_bit(bit).index for _, group in groups for bit in group]
    widths, names = tuple(len(group) for _, group in groups), tuple(name for name, _ in groups)
    if shown == list(range(circuit.num_clbits)):
        return BitGroups(widths, names, None, shown)
    places = list(enumerate(shown))
    return BitGroups(widths, names, lambda outcome: sum((outcome >> bit & 1) << place for place, bit in places), shown)


def _check_size(circuit: Any, limits: ExecutionLimits) -> None:
    for what, number, most in (
        ("qubits", circuit.num_qubits, limits.max_qubits),
        ("bits", circuit.num_clbits, limits.max_bits),
        ("operations", len(circuit.data), limits.max_operations),
    ):
        if number > most:
            raise ProgramTooLarge(f"the circuit has {number} {what}; the limit is {most}")


def _has_finite_parameters(instruction: Any) -> bool:
    return all(map(_is_finite, instruction.params))


def _is_finite(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return math.isfinite(value)
    return not isinstance(value, np.ndarray) or bool(np.isfinite(value).all())


def parameter_names(circuit: Any) -> frozenset[str]:
    """The names of a circuit's parameters."""
    return frozenset(parameter.name for parameter in circuit.parameters)
