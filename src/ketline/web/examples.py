"""The example programs of the form: files of `examples/`, which are also in the package."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGED = Path(__file__).parent.parent / "_examples"
_REPOSITORY = Path(__file__).parents[3] / "examples"

_MAX_ACRONYM_CHARACTERS = 3  # GHZ, QFT

# The order of the list, simplest first; other files follow.
_ORDER = ("bell", "ghz", "teleportation", "qft", "grover", "ansatz", "error_correction")


@dataclass(frozen=True, slots=True)
class Example:
    """An example program; the comment in its first line is its summary."""

    name: str
    program: str

    @property
    def title(self) -> str:
        words = self.name.replace("_", " ")
        return words.upper() if len(words) <= _MAX_ACRONYM_CHARACTERS else words.capitalize()

    @property
    def summary(self) -> str:
        return self.program.partition("\n")[0].removeprefix("//").strip()


@cache
def examples() -> Sequence[Example]:
    """All examples, in the order of the list."""
    directory = _PACKAGED if _PACKAGED.is_dir() else _REPOSITORY
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.qasm"))}
    names = [*(name for name in _ORDER if name in found), *(name for name in found if name not in _ORDER)]
    return [Example(name, found[name]) for name in names]


def example(name: str) -> Example | None:
    """The example of this name, None if there is none."""
    return next((found for found in examples() if found.name == name), None)
