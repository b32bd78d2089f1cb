"""Finds a run's processes by the directory in their environment, which simulators inherit too."""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SIMULATOR = b"ketline.simulator"


@dataclass(frozen=True, slots=True)
class Found:
    """A living process of a run."""

    pid: int
    parent: int
    simulator: bool


def processes_of(directory: Path) -> Mapping[int, Found]:
    """Living processes that were started with TMPDIR set to this directory, and their descendants that kept it."""
    return {found.pid: found for found in _scan(f"TMPDIR={directory}".encode())}


def _scan(mark: bytes) -> Iterator[Found]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                status = (entry / "status").read_text()
                simulator = _SIMULATOR in (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if _lives(status):
                yield Found(int(entry.name), int(_field(status, "PPid")), simulator)


def _lives(status: str) -> bool:
    """Whether the process can still do anything: one with SIGKILL pending only waits for a processor to end on."""
    pending = int(_field(status, "SigPnd"), 16) | int(_field(status, "ShdPnd"), 16)
    return _field(status, "State")[0] not in "ZX" and not pending & (1 << (signal.SIGKILL - 1))


def _field(status: str, name: str) -> str:
    return status.partition(f"\n{name}:\t")[2].partition("\n")[0]
