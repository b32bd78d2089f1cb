"""Applies the retention limits now, and has the database free the space. Used by administrators."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.errors import VacuumRunning
from ketline.ports.access.audit import AuditLog
from ketline.ports.clock import Clock
from ketline.ports.operations.storage import DatabaseStorage, StorageUse


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumReport:
    """How many tasks were deleted, and how much space was freed."""

    tasks_deleted: int
    before: StorageUse
    after: StorageUse
    seconds: float


@dataclass(slots=True)
class VacuumDatabase:
    """Deletes ended tasks beyond the limits of retention, then runs VACUUM; one at a time in each process.

    `delete_ended` applies the limits and returns the number of tasks.
    """

    delete_ended: Callable[[], Awaitable[int]]
    storage: DatabaseStorage
    audit: AuditLog
    clock: Clock
    _running: asyncio.Task[VacuumReport] | None = field(default=None, init=False)

    async def __call__(self, actor: Actor) -> VacuumReport:
        """Do it, also if the caller is cancelled meanwhile, and return what it did.

        Raises:
            VacuumRunning: another one is under way in this process.
            DatabaseUnavailable: it failed; some tasks may have been deleted.
        """
        if self._running is not None and not self._running.done():
            raise VacuumRunning("A vacuum is running already; wait for its end.")
        self._running = asyncio.create_task(self._run(actor))
        return await asyncio.shield(self._running)

    async def _run(self, actor: Actor) -> VacuumReport:
        began = self.clock.monotonic()
        before = await self.storage.measure()
        deleted = await self.delete_ended()
        await self.storage.vacuum()
        after = await self.storage.measure()
        seconds = self.clock.monotonic() - began
        notes = f"{deleted} tasks deleted, {before.total_bytes} bytes before, {after.total_bytes} after"
        await self.audit.add(AuditRecord(action=Action.DATABASE_VACUUMED, actor=actor, notes=notes))
        return VacuumReport(tasks_deleted=deleted, before=before, after=after, seconds=seconds)
