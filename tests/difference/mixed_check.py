"""Every front end that takes a program gives the outcomes that the evaluator of our own says."""

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramUnsupported
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.frontend.program import Program as Loaded
from ketline.execution.frontend.program import _lowered, load_program
from ketline.execution.frontend.scanner import scan
from ketline.execution.frontend.syntax_tree import import_tree, parse_text, unroll_tree
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.difference.branches import distribution
from tests.difference.c99 import Undefined
from tests.difference.circuits import qpy_text
from tests.difference.language import Program, text_of
from tests.difference.mixed import PROFILES, MixedMaker
from tests.reference import assert_counts_match

_LIMITS = ExecutionLimits()
_SHOTS = 100
_MAX_OUTCOMES = 16
_TRIES = 50
# Of what stands in branches that no outcome reaches, the front ends know nothing.
_NEVER_REACHED = re.compile("division by zero|out of range|different qubits|given twice|cannot be shifted")
_Reader = Callable[[], Loaded | None]


def make_mixed(choices: Random) -> tuple[Program, str, dict[str, float]]:
    """A program that C99 defines, the same in QPY if it is a circuit of Qiskit, and the probability of each key."""
    for _ in range(_TRIES):
        profile = choices.choices(PROFILES, (2, 3, 5, 3))[0]
        program = MixedMaker(choices, profile).program()
        try:
            expected = distribution(program)
            as_qpy = qpy_text(program) if profile == "circuit" else ""
        except (Undefined, OverflowError):
            continue
        if len(expected) <= _MAX_OUTCOMES:
            return program, as_qpy, expected
    raise AssertionError(f"no program out of {_TRIES} is defined")


def check_mixed(choices: Random, simulator: Simulator) -> str:
    """Fail when a front end gives other outcomes; returns those that took the program."""
    program, as_qpy, expected = make_mixed(choices)
    text = text_of(program)
    taken: list[str] = []
    for name, reader in _readers(program, text, as_qpy):
        try:
            loaded = reader()
        except ProgramUnsupported:
            continue
        except ExecutionFailed as error:
            if _NEVER_REACHED.search(str(error)):
                continue
            raise AssertionError(f"{name} rejects this: {error}\n{text}") from error
        if loaded is None:
            continue
        taken.append(name)
        try:
            assert_counts_match(simulator.run(loaded, _SHOTS).counts, expected, _SHOTS)
        except Exception as error:
            raise AssertionError(f"{name}: {error!r}\nexpected {expected}\n{text}{program}") from error
    return "+".join(taken) or "none"


def _readers(program: Program, text: str, as_qpy: str) -> Iterator[tuple[str, _Reader]]:
    inputs = {name: value for _, name, value in program.inputs}
    tree = parse_text(text, _LIMITS, inputs)
    if not inputs:
        yield "scanner", lambda: _scanned(text)
        yield "importer", lambda: _imported(tree)
    yield "unroller", lambda: _lowered(unroll_tree(tree, _LIMITS, inputs), _LIMITS, None)
    if as_qpy:
        yield "qpy", lambda: load_program(as_qpy, _LIMITS, form=ProgramFormat.QPY)


def _scanned(text: str) -> Loaded | None:
    scanned = scan(text, _LIMITS)
    if scanned is None:
        return None
    parsed = ParsedProgram(scanned.plain, scanned.groups, scanned.names, "scanner")
    return _lowered(parsed, _LIMITS, None)


def _imported(tree: Any) -> Loaded | None:
    try:
        return _lowered(import_tree(tree, _LIMITS), _LIMITS, None)
    except ProgramInvalid:
        return None  # it knows less than the next front end, and does not always say so
