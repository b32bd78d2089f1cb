"""The scanner's one door."""

from typing import NamedTuple

from qiskit.circuit import QuantumCircuit

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.frontend.scanner.lexicon import Declined, start_of_statement
from ketline.execution.frontend.scanner.statements import ProgramScanner
from ketline.execution.frontend.text import position_of
from ketline.execution.limits import ExecutionLimits

# Brackets nest at most this deeply in what the scanner reads: 16 parentheses, one bracket, two braces.
_DEEPEST_NESTING = 19


class Scanned(NamedTuple):
    """A circuit, and the widths and names of the groups of its counts keys, as `ProgramConverter` has them."""

    circuit: QuantumCircuit
    groups: tuple[int, ...]
    names: tuple[str | None, ...]


def scan(text: str, limits: ExecutionLimits) -> Scanned | None:
    """What a flat program says, as the importer reads it; None for every other text.

    It takes time linear in the text and in the operations it comes to, and needs no check of the text before it.

    Raises:
        ProgramTooLarge: it comes to more operations than the limit.
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
