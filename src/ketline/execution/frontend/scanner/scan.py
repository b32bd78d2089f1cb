"""Reads a flat program; `program.py` calls `scan` before the other front ends."""

from collections.abc import Mapping
from typing import NamedTuple

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.circuit.plain import PlainCircuit
from ketline.execution.frontend.braket import Dialect
from ketline.execution.frontend.braket.names import ONLY_BRAKET
from ketline.execution.frontend.places import DeclaredNames
from ketline.execution.frontend.scanner.branches import MAX_NESTED_BLOCKS
from ketline.execution.frontend.scanner.constants import constant_of
from ketline.execution.frontend.scanner.lexicon import Declined, start_of_statement
from ketline.execution.frontend.scanner.registers import escaped, short_operands
from ketline.execution.frontend.scanner.statements import ProgramScanner, barrier_of
from ketline.execution.frontend.scanner.syntax import short_statement
from ketline.execution.frontend.text import position_of
from ketline.execution.limits import ExecutionLimits

# The deepest nesting of brackets that the scanner reads: blocks, 16 parentheses, one bracket, two braces.
_MAX_NESTING_DEPTH = MAX_NESTED_BLOCKS + 19


class Scanned(NamedTuple):
    """A circuit, the widths and names of the groups of its bitstrings, as in `ProgramConverter`, and the dialect.

    `inputs` has the type of each input, `float` or `angle`. If there are any, parameters of the circuit's steps are
    functions of their values, and Qiskit's circuit has no operations.
    """

    plain: PlainCircuit
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    declared: DeclaredNames
    dialect: Dialect
    inputs: Mapping[str, str]


def clear_caches() -> None:
    """Drop all that is cached of earlier programs: the time of reading one would tell what they contained."""
    for cached in (short_statement, short_operands, constant_of, escaped, barrier_of):
        cached.cache_clear()


def scan(text: str, limits: ExecutionLimits, *, takes_inputs: bool = False, recognise: bool = True) -> Scanned | None:
    """Read a flat program into the circuit that the importer would give; None for every other text.

    One that declares inputs is read only with `takes_inputs`. With `recognise` False, gates that the program defines
    are always expanded. The time is linear in the text and in the resulting
    operations. The text need not be checked before.

    Raises:
        ProgramTooLarge: the program has more operations than the limit.
    """
    if limits.max_nesting < _MAX_NESTING_DEPTH:
        return None
    scanner = ProgramScanner(limits, takes_inputs=takes_inputs, recognise=recognise)
    try:
        plain = scanner.read(text)
    except Declined:
        return None
    except ProgramTooLarge as error:
        line, column = position_of(text, start_of_statement(text, scanner.statements_read))
        raise ProgramTooLarge(error.message, line=line, column=column) from error
    registers = scanner.registers
    return Scanned(
        plain,
        tuple(registers.groups),
        tuple(registers.group_names),
        registers.declared,
        _dialect(scanner, plain),
        scanner.inputs.types,
    )


def _dialect(scanner: ProgramScanner, plain: PlainCircuit) -> Dialect:
    certain = not scanner.braket_names.isdisjoint(ONLY_BRAKET)
    measures_all = certain and not any(step[0] == "measure" for step in plain.steps)
    return Dialect({}, bool(scanner.braket_names), certain, measures_all)
