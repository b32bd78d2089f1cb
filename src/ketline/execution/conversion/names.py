"""Chooses the names of registers in an output, with a warning for each that had to be changed. Used by the writers."""

import re
from collections.abc import Collection, Sequence
from itertools import chain, count

from ketline.domain.results.result import ProgramWarning, Register, WarningCode

_MAX_NAME_CHARACTERS = 100
_MAX_WARNINGS = 20
_OTHERS = re.compile(r"[^A-Za-z0-9_]")


class OutputNames:
    """Gives out names; `allowed` are those that the output's format allows, and `taken` those it reserves."""

    def __init__(self, allowed: re.Pattern[str], taken: Collection[str]) -> None:
        self.warnings: list[ProgramWarning] = []
        self._allowed = allowed
        self._taken = set(taken)

    def of_registers(self, registers: Sequence[Register], stem: str) -> list[str]:
        """A name for each register: its own where the format allows it, otherwise one that begins with the stem."""
        return [self.of(one.name, stem) for one in registers]

    def of(self, name: str | None, stem: str) -> str:
        """A name for a register, qubit or bit that has this name, or has none."""
        return self.free(stem) if name is None else self._name(name, stem)

    def free(self, stem: str) -> str:
        """A name that is not in use: the stem, with a number if necessary."""
        names = chain([stem], (f"{stem}{number}" for number in count(1)))
        return self._take(next(name for name in names if name not in self._taken))

    def _name(self, name: str, stem: str) -> str:
        if self._allowed.fullmatch(name) and name not in self._taken and len(name) <= _MAX_NAME_CHARACTERS:
            return self._take(name)
        changed = self.free(f"{stem}_{_OTHERS.sub('_', name)}"[:_MAX_NAME_CHARACTERS])
        if len(self.warnings) < _MAX_WARNINGS:
            message = f"the register '{name[:_MAX_NAME_CHARACTERS]}' is named '{changed}' in the output"
            self.warnings.append(ProgramWarning(code=WarningCode.CONVERSION_DIFFERS, message=message))
        return changed

    def _take(self, name: str) -> str:
        self._taken.add(name)
        return name
