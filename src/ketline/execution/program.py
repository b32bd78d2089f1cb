"""From the text of an OpenQASM 3 program to a circuit that the simulator takes; for the child process only.

Reading goes through tiers: the scanner reads flat programs, and declines all others and all mistakes; the reference
parser with the guarded importer reads the rest, and finds the place and the words for what is wrong; what the importer
does not know, classical values above all, is unrolled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import openqasm3

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.domain.task import InputValue
from ketline.execution.convert import ProgramConverter
from ketline.execution.diagnose import fix_identifier_spans, parser_errors
from ketline.execution.limits import ExecutionLimits
from ketline.execution.lower import Lowered, lower
from ketline.execution.scanner import scan
from ketline.execution.text import check_text
from ketline.execution.unroller import unroll

Values = Mapping[str, InputValue]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tier makes of a text: a circuit, and the widths of the groups of its counts keys, first declared first.

    `names` are the groups' as they were declared, None for several single bits.
    `outcome` turns an outcome of the circuit's bits, bit k of position k, into one of the program's bits.
    """

    circuit: Any
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    tier: str
    outcome: Callable[[int], int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program ready to be simulated; what it shares with `Reading` is as there, `declared_qubits` as it has them.

    It is equal to none but itself, so that what is known of it can be kept.
    """

    lowered: Lowered
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    tier: str
    declared_qubits: int
    outcome: Callable[[int], int] | None = None


def load_program(text: str, limits: ExecutionLimits, inputs: Values | None = None) -> Program:
    """Read a program without letting it take more than the limits.

    `inputs` are the values of the names that the program declares as `input`.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot run; with line and column where known.
    """
    return _lowered(read_program(text, limits, inputs), limits)


def program_reader(text: str, limits: ExecutionLimits) -> Callable[[Values], Program]:
    """Parses a program, once, and gives what `load_program` would make of it for any values of its inputs.

    Raises:
        ProgramInvalid, ProgramTooLarge: it cannot be parsed; the rest is raised by what is returned.
    """
    tree = _parse(text, limits)
    return lambda inputs: _lowered(_unrolled(tree, limits, inputs), limits)


def _lowered(reading: Reading, limits: ExecutionLimits) -> Program:
    qubits = reading.circuit.num_qubits
    lowered = lower(reading.circuit, limits.max_operations)
    return Program(lowered, reading.groups, reading.names, reading.tier, qubits, reading.outcome)


def read_program(text: str, limits: ExecutionLimits, inputs: Values | None = None) -> Reading:
    """What the first tier that can read a program makes of it; `inputs` as for `load_program`.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: none can.
    """
    reading = None if inputs else _read_with_scanner(text, limits)
    return reading or _read_with_parser(text, limits, inputs or {})


def _read_with_scanner(text: str, limits: ExecutionLimits) -> Reading | None:
    scanned = scan(text, limits)
    return None if scanned is None else Reading(*scanned, "scanner")


def _read_with_parser(text: str, limits: ExecutionLimits, inputs: Values) -> Reading:
    tree = _parse(text, limits)
    try:
        if not inputs:
            return _import(tree, limits)
    except (ProgramInvalid, ProgramUnsupported) as error:
        if isinstance(error, ProgramInvalid) and not needs_unroller(error):
            raise
    return _unrolled(tree, limits, inputs)


def _unrolled(tree: Any, limits: ExecutionLimits, inputs: Values) -> Reading:
    unrolled = unroll(tree, limits, inputs)
    return Reading(unrolled.circuit, unrolled.groups, unrolled.names, "unroller", unrolled.outcome)


def needs_unroller(error: ProgramInvalid) -> bool:
    """Whether the importer's complaint may be about a gate that the unroller knows."""
    return error.message.startswith("gate '") and error.message.endswith("' is not defined")


def _parse(text: str, limits: ExecutionLimits) -> Any:
    check_text(text, limits)
    with parser_errors(text):
        tree = openqasm3.parse(text)
        fix_identifier_spans(tree, text)
    return tree


def _read_with_importer(text: str, limits: ExecutionLimits) -> Reading:
    return _import(_parse(text, limits), limits)


def _import(tree: Any, limits: ExecutionLimits) -> Reading:
    converter = ProgramConverter(limits)
    circuit = converter.circuit_of(tree)
    return Reading(circuit, tuple(converter.groups), tuple(converter.group_names), "importer")
