"""Vacuum applies retention, frees space, records who did it, and runs one at a time."""

import asyncio

import pytest

from ketline.domain.access.audit import Action
from ketline.domain.errors import VacuumRunning
from ketline.runtime.clock import SystemClock
from ketline.service.vacuum import VacuumDatabase
from tests.actors import TESTER
from tests.fake_access import FakeAuditLog
from tests.fake_administration import FakeStorage


class SlowStorage(FakeStorage):
    """One whose vacuum waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def vacuum(self) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super().vacuum()
        self.ended.set()


def vacuum_of(storage: FakeStorage, audit: FakeAuditLog) -> VacuumDatabase:
    async def delete_ended() -> int:
        return 3

    return VacuumDatabase(delete_ended, storage, audit, SystemClock())


async def test_report_and_entry_say_what_was_freed() -> None:
    audit = FakeAuditLog()
    report = await vacuum_of(FakeStorage(), audit)(TESTER)
    assert (report.tasks_deleted, report.before.total_bytes, report.after.total_bytes) == (3, 4096, 2048)
    [entry] = (await audit.find(None, None, 10)).entries
    assert (entry.record.action, entry.record.actor) == (Action.DATABASE_VACUUMED, TESTER)
    assert entry.record.notes == "3 tasks deleted, 4096 bytes before, 2048 after"


async def test_second_vacuum_is_rejected_and_the_first_outlasts_its_caller() -> None:
    storage, audit = SlowStorage(), FakeAuditLog()
    vacuum = vacuum_of(storage, audit)
    caller = asyncio.create_task(vacuum(TESTER))
    async with asyncio.timeout(5):
        await storage.begun.wait()
        with pytest.raises(VacuumRunning):
            await vacuum(TESTER)
        caller.cancel()
        await asyncio.wait([caller])
        storage.go_on.set()
        await storage.ended.wait()
    assert storage.total_bytes == 2048
