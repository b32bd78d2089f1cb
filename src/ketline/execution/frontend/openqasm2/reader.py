"""Reads an OpenQASM 2 text with Qiskit's reader, with the program's own definitions, and without opening files.

`execution/frontend/program.py` calls it.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from qiskit import qasm2
from qiskit.qasm2 import QASM2ParseError

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramUnsupported
from ketline.execution.frontend.mistakes import raise_first
from ketline.execution.frontend.openqasm2.checker import find_mistakes
from ketline.execution.frontend.openqasm2.conditions import with_plain_conditions
from ketline.execution.frontend.openqasm2.gates import has_finite_angles, instructions, takes_parameters
from ketline.execution.frontend.openqasm2.outline import Outline
from ketline.execution.frontend.openqasm2.outliner import outline_of
from ketline.execution.frontend.openqasm2.source import with_other_names, without_comments, without_known_declarations
from ketline.execution.frontend.openqasm2.statements import statements
from ketline.execution.frontend.qpy import library_errors_as_invalid
from ketline.execution.frontend.text import Position, check_text, position_of
from ketline.execution.limits import ExecutionLimits

_PLACE = re.compile(r"<input>:(\d+),(\d+): (.*)['\"]", re.DOTALL)
_UNREADABLE = "the program is not valid OpenQASM 2"


class Circuit(NamedTuple):
    """A program's circuit; with `defines_gates` its gates may have the names of other gates of Qiskit."""

    circuit: Any
    defines_gates: bool


def read_circuit(text: str, limits: ExecutionLimits) -> Circuit:
    """Read the circuit of a program; no file is opened, whatever it includes.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot be read; the first mistake has the others.
    """
    check_text(text, limits, "2")
    program = without_comments(text)
    outline = outline_of(program, limits)
    _check_what_is_not_checked(program, outline)
    with _explained(program):
        circuit = _parsed(with_other_names(without_known_declarations(program), outline.gates), outline)
    if not all(has_finite_angles(instruction.params) for instruction in circuit.data):
        raise_first(find_mistakes(program), error := ProgramInvalid("an angle is not a finite number"))
        raise error
    if outline.has_conditions:
        circuit = with_plain_conditions(circuit, outline)
    return Circuit(circuit, bool(outline.gates))


def place_of_operation(text: str, operation: int, limits: ExecutionLimits) -> Position | None:
    """The place of the statement that wrote an operation of a readable program's circuit, by its index.

    Qiskit's reader reports no places, so beginnings of the text are read, by bisection.
    """
    program = without_comments(text)
    whole = [one for one in statements(program) if not one.inside and one.word not in ("OPENQASM", "include")]
    low, high = 0, len(whole) - 1
    while low < high:
        middle = (low + high) // 2
        written = len(read_circuit(text[: whole[middle + 1].offset], limits).circuit.data)
        low, high = (low, middle) if written > operation else (middle + 1, high)
    return position_of(text, whole[low].offset) if whole else None


def reject_inputs(inputs: object) -> None:
    """Reject values of inputs, which a program of this version cannot declare.

    Raises:
        ProgramInvalid: there are values.
    """
    if inputs:
        raise ProgramInvalid(
            "an OpenQASM 2 program has no inputs: leave 'inputs' out, or write the program in OpenQASM 3 with "
            "declarations such as 'input float theta;'"
        )


def require_measurement(circuit: Any) -> None:
    """Reject a circuit that gives no counts.

    Raises:
        ProgramUnsupported: it measures nothing.
    """
    if "measure" not in circuit.count_ops() and not any(_measures(one.operation) for one in circuit.data):
        raise ProgramUnsupported(
            "nothing is measured, so there are no counts: declare bits and measure into them, "
            "for instance 'creg c[2]; measure q -> c;'"
        )


def _measures(operation: Any) -> bool:
    blocks = getattr(operation, "blocks", ())
    return operation.name == "measure" or any(_measures(one.operation) for block in blocks for one in block.data)


def _check_what_is_not_checked(program: str, outline: Outline) -> None:
    """Find mistakes that Qiskit's reader accepts or crashes on: a call without parameters, an index of 20 digits."""
    if outline.has_long_index or any(takes_parameters(name, outline.gates) for name in outline.called_bare):
        mistakes = find_mistakes(program)
        if mistakes:
            raise_first(mistakes, mistakes[0])


def _parsed(program: str, outline: Outline) -> Any:
    with library_errors_as_invalid("the program cannot be read"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return qasm2.loads(
                program,
                include_path=(),  # it would look into the directory of this process
                custom_instructions=instructions(outline.declared),
                custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
            )
        except QASM2ParseError as error:
            raise _translated(error) from error


def _translated(error: QASM2ParseError) -> ProgramInvalid:
    """Our error for one of Qiskit's reader that the checker does not explain."""
    found = _PLACE.search(str(error))
    if found is None:
        return ProgramInvalid(_UNREADABLE)
    line, column, message = found.groups()
    return ProgramInvalid(f"{_UNREADABLE}: {message}", line=int(line), column=int(column) + 1)


@contextmanager
def _explained(program: str) -> Iterator[None]:
    try:
        yield
    except ExecutionFailed as error:
        raise_first(find_mistakes(program), error)
        raise
