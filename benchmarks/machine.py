"""Where a run takes place."""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.figures import Machine
from ketline.config import available_cores

_PACKAGES = ("ketline", "qiskit", "qiskit-aer", "sqlalchemy", "aio-pika", "uvicorn", "celery")


def describe_machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=_processor(),
        cores=available_cores(),
        memory_gib=memory / 2**30,
        load_average=os.getloadavg()[0],
        versions={"Python": platform.python_version()} | dict(_versions()),
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def commit() -> str:
    """The commit that is run, with `+` when there are changes on top of it."""
    command = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=8")
    response = subprocess.run(command, capture_output=True, text=True, check=False)
    return response.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
