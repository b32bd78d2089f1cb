"""Programs that others wrote, and what becomes of them here."""

import re
from pathlib import Path
from typing import NamedTuple

from ketline.domain.errors import ExecutionFailed
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits

SPECIFICATION = Path(__file__).parent / "openqasm"
# What only hardware, or a program around the program, can give a meaning to.
_BEYOND_A_SIMULATOR = re.compile(r"^\s*(extern|defcal|stretch|duration)\b", re.MULTILINE)

# Examples that are not valid OpenQASM 3 as they are printed.
FAULTY = {
    "arrays.qasm": "it assigns to element 4 of an array of 4",
    "cphase.qasm": "a piece of a program: it declares no qubits",
    "msd.qasm": "it uses an undeclared name, and qubit 3 of a register of 3",
}


class Reading(NamedTuple):
    """The front end that reads a program, or the reason why none does.

    `written` is false where there was no text to begin with.
    """

    name: str
    front_end: str | None
    reason: str = ""
    written: bool = True

    @property
    def runs(self) -> bool:
        return self.front_end is not None


def reading_of(name: str, text: str) -> Reading:
    try:
        return Reading(name, load_program(text, ExecutionLimits()).front_end)
    except ExecutionFailed as error:
        place = f"line {error.line}: " if error.line is not None else ""
        return Reading(name, None, f"{place}{error.message} ({error.code})")


def has_meaning(text: str) -> bool:
    """Whether a program means something on a simulator: no `extern`, no pulses, no timing."""
    return _BEYOND_A_SIMULATOR.search(text) is None


def specification_examples() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(SPECIFICATION.glob("*.qasm"))}
