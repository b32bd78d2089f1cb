"""The directory through which a test arms failpoints in other processes and learns which process was struck."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Fault(StrEnum):
    """What happens to the process that reaches an armed point."""

    KILL = "kill"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    HANG = "hang"
    CUT = "cut"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Control:
    """One directory for all processes of a service; the file of an armed point can be claimed by one of them, once."""

    directory: Path

    def arm(self, point: str, fault: Fault, role: str = "") -> None:
        """Have the next process (of this role, if any) that reaches the point struck."""
        draft = self.directory / f"draft-{point}"
        draft.write_text(f"{fault} {role}")
        draft.rename(self._armed(point))

    def clear(self) -> None:
        """Disarm every point, forget who was struck, and let simulators go."""
        for pattern in ("armed-*", "struck-*", "hold"):
            for file in self.directory.glob(pattern):
                file.unlink(missing_ok=True)

    def armed(self, point: str, role: str) -> Fault | None:
        """The fault that waits for a process of this role at the point."""
        try:
            fault, _, wanted = self._armed(point).read_text().partition(" ")
        except FileNotFoundError:
            return None
        return Fault(fault) if wanted in {"", role} else None

    def claim(self, point: str, role: str) -> Fault | None:
        """The fault that strikes this process now; None for all but one of those that reach the point."""
        fault = self.armed(point, role)
        if fault is not None:
            try:
                self._armed(point).rename(self.directory / f"struck-{point}-{os.getpid()}")
            except FileNotFoundError:
                return None
        return fault

    def struck(self, point: str) -> int | None:
        """The process that was struck at the point, once there is one."""
        found = next(self.directory.glob(f"struck-{point}-*"), None)
        return int(found.name.rpartition("-")[2]) if found else None

    def hold(self) -> None:
        """Have simulators keep their answers back."""
        self._hold.touch()

    def release(self) -> None:
        self._hold.unlink(missing_ok=True)

    @property
    def holding(self) -> bool:
        return self._hold.exists()

    def note_execution(self, program: str, token: str) -> None:
        """Record that a simulator began with a program."""
        (self.directory / f"ran-{program}-{token}").touch()

    def executions(self, program: str) -> int:
        """How often simulators began with a program."""
        return len(list(self.directory.glob(f"ran-{program}-*")))

    def note_simulator(self) -> None:
        """Record that this process is a simulator."""
        (self.directory / f"simulator-{os.getpid()}").touch()

    def simulators(self) -> Iterator[int]:
        """The ids of all processes that were simulators; some have ended."""
        for file in self.directory.glob("simulator-*"):
            yield int(file.name.rpartition("-")[2])

    def _armed(self, point: str) -> Path:
        return self.directory / f"armed-{point}"

    @property
    def _hold(self) -> Path:
        return self.directory / "hold"
