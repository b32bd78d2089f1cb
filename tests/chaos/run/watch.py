"""Looks at the run's processes all the time: a simulator must not outlive its worker."""

import asyncio
import time
from collections.abc import Sequence

from tests.chaos.testbed.deployment import Deployment
from tests.chaos.testbed.procfs import Found, processes_of
from tests.chaos.verdict.records import Violation

LOOK_SECONDS = 0.5
# The kernel kills an orphan at once; the rest is for a busy machine.
ORPHAN_SECONDS = 3.0


class OrphanWatch:
    """Notes simulators whose parent is none of the living processes that were started."""

    def __init__(self, deployment: Deployment) -> None:
        self.violations: list[Violation] = []
        self._site = deployment
        self._since: dict[int, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            found = await asyncio.to_thread(processes_of, self._site.directory)
            self.look(list(found.values()), time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, found: Sequence[Found], moment: float) -> None:
        """Take note of the processes found at this moment."""
        living = {process.pid for process in found if not process.simulator}
        orphans = {process.pid for process in found if process.simulator and process.parent not in living}
        self._since = {pid: self._since.get(pid, moment) for pid in orphans}
        for pid, since in list(self._since.items()):
            if moment - since > ORPHAN_SECONDS:
                self.violations.append(_orphan(pid, f"{moment - since:.1f} s without its worker"))
                self._since[pid] = float("inf")


async def leftovers(deployment: Deployment) -> Sequence[Violation]:
    """Processes of the run that are still there though everything was ended."""
    await asyncio.sleep(LOOK_SECONDS)
    remaining = processes_of(deployment.directory)
    return [_orphan(found.pid, "outlived the run") for found in remaining.values()]


def _orphan(pid: int, detail: str) -> Violation:
    return Violation(invariant="no orphan processes", subject=f"process {pid}", detail=detail)
