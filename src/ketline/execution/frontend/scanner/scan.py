"""Reads a flat program; `program.py` calls `scan` before the other front ends."""

from typing import NamedTuple

from qiskit.circuit import QuantumCircuit

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.frontend.scanner.lexicon import Declined, start_of_statement
from ketline.execution.frontend.scanner.statements import ProgramScanner
from ketline.execution.frontend.text import position_of
from ketline.execution.limits import ExecutionLimits

# The deepest nesting of brackets that the scanner reads: 16 parentheses, one bracket, two braces.
_DEEPEST_NESTING = 19


class Scanned(NamedTuple):
    """A circuit, and the widths and names of the groups of its bitstrings, as in `ProgramConverter`."""

    circuit: QuantumCircuit
    groups: tuple[int, ...]
    names: tuple[str | None, ...]


def scan(text: str, limits: ExecutionLimits) -> Scanned | None:
    """Read a flat program into the circuit that the importer would give; None for every other text.

    The time is linear in the text and in the resulting operations. The text need not be checked before.

    Raises:
        ProgramTooLarge: the program has more operations than the limit.
    """
    if limits.max_nesting < _DEEPEST_NESTING:
        return None
    scanner = ProgramScanner(limits)
    try:
        circuit = scanner.read(text)
    except Declined:
        return None
    except ProgramTooLarge as error:
        line, column = position_of(text, start_of_statement(text, scanner.statements_read))
        raise ProgramTooLarge(error.message, line=line, column=column) from error
    return Scanned(circuit, tuple(scanner.registers.groups), tuple(scanner.registers.group_names))
