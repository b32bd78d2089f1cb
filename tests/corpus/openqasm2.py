"""Programs in OpenQASM 2, as exporters and textbooks write them."""

import re
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "openqasm2"
_COUNTS = re.compile(r"^// counts: (.*)$", re.MULTILINE)


def openqasm2_programs() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_DIRECTORY.glob("*.qasm"))}


def outcomes_of(text: str) -> set[str]:
    """The outcomes that a program of this corpus has by its comment."""
    (found,) = _COUNTS.findall(text)
    return set(found.split(", "))
