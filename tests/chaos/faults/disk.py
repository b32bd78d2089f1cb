"""The fault of a full disk: it leaves the database's disk without a free byte."""

import asyncio
import contextlib
import errno
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.run.plan import DISK_FAULT

FULL_SECONDS = (1.0, 4.0)
_CHUNK = b"\0" * 65536


async def fill_disk(context: FaultContext) -> str | None:
    """Leave no byte free on the database's disk for a while."""
    disk = context.deployment.disk
    if disk is None:
        return None
    filler = disk / "filler"
    try:
        written = await asyncio.to_thread(_fill, filler)
        await asyncio.sleep(context.rng.uniform(*FULL_SECONDS))
    finally:
        filler.unlink(missing_ok=True)
    return f"{written >> 20} MB"


def _fill(filler: Path) -> int:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(_CHUNK)
    with filler.open("ab", buffering=0) as file:
        try:
            while file.write(b"\0"):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return filler.stat().st_size


DISK_FAULTS: Mapping[str, Fault] = {DISK_FAULT: fill_disk}
