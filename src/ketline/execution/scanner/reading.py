"""The scanner's one door."""

from qiskit.circuit import QuantumCircuit

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.limits import ExecutionLimits
from ketline.execution.scanner.lexicon import Declined, start_of_statement
from ketline.execution.scanner.statements import ProgramScanner
from ketline.execution.text import position_of

# Brackets nest at most this deeply in what the scanner reads: 16 parentheses, one bracket, two braces.
_DEEPEST_NESTING = 19


def scan(text: str, limits: ExecutionLimits) -> tuple[QuantumCircuit, tuple[int, ...]] | None:
    """The circuit and the groups of a flat program, as the importer gives them; None for every other text.

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
    return circuit, tuple(scanner.registers.groups)
