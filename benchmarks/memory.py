"""What memory the service's processes take, at most and once they are idle again."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.deployment import Deployment
from benchmarks.figures import MemoryFigures
from benchmarks.load import measure_rounds

# The figures are about the service's own processes.
_OTHERS = frozenset({"load generator", "database", "broker"})


async def measure_memory(deployment: Deployment, *, seconds: float) -> Sequence[MemoryFigures]:
    """The memory of each kind of process after a round of load of `seconds`."""
    (load,) = await measure_rounds(deployment, rounds=1, seconds=seconds)
    return [
        _figures(deployment.mode, name, load.tasks, [_read(pid) for pid in account.pids()])
        for name, account in deployment.accounts.items()
        if name not in _OTHERS
    ]


def _figures(mode: str, process: str, tasks: int, found: Sequence[tuple[float, float]]) -> MemoryFigures:
    peaks, resident = zip(*found, strict=True)
    return MemoryFigures(
        mode=mode, process=process, count=len(found), tasks=tasks, peak_mb=max(peaks), resident_mb=max(resident)
    )


def _read(pid: int) -> tuple[float, float]:
    return memory_megabytes(Path(f"/proc/{pid}/status").read_text())


def memory_megabytes(status: str) -> tuple[float, float]:
    """The peak and the present resident memory that a process's status file tells, in 10^6 bytes.

    Source: proc(5): VmHWM and VmRSS of /proc/pid/status, in units of 1,024 bytes.
    """
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    peak, resident = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmHWM", "VmRSS"))
    return peak, resident
