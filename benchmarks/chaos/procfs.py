"""Finds a run's processes by the directory in their environment, which simulators inherit too."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SIMULATOR = b"ketline.execution.child"


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
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                simulator = _SIMULATOR in (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if state not in "ZX":
                yield Found(int(entry.name), int(parent), simulator)
