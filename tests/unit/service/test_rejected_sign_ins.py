"""Rejected sign-ins are recorded or counted, whatever the database does."""

import asyncio

from ketline.domain.errors import DatabaseUnavailable
from ketline.service.access.rejected_sign_ins import RecordRejectedSignIns, SignInMethod
from tests.fake_access import FakeAuditLog


class StandingClock:
    """Never wakes a sleeper; `sleeping` is set when there is one."""

    def __init__(self) -> None:
        self.sleeping = asyncio.Event()

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.sleeping.set()
        await asyncio.Event().wait()


def notes(log: FakeAuditLog) -> list[tuple[str | None, str | None]]:
    return [(record.actor.origin, record.notes) for record in log.records]


async def test_rejections_are_counted_while_the_database_is_down() -> None:
    log = FakeAuditLog()
    rejected = RecordRejectedSignIns(log, StandingClock())
    log.error = DatabaseUnavailable("away")
    for _ in range(3):
        await rejected("a", SignInMethod.API_KEY)
    log.error = None
    await rejected.record_counted()
    await rejected("a", SignInMethod.API_KEY)
    assert notes(log) == [("a", "3 more"), ("a", "API key")]


async def test_what_was_counted_is_recorded_when_the_process_stops() -> None:
    log, clock = FakeAuditLog(), StandingClock()
    rejected = RecordRejectedSignIns(log, clock)
    running = asyncio.create_task(rejected.run())
    await clock.sleeping.wait()
    for _ in range(2):
        await rejected("a", SignInMethod.PROVIDER)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert notes(log) == [("a", "identity provider"), ("a", "1 more")]


async def test_process_stops_while_the_database_is_down() -> None:
    log, clock = FakeAuditLog(), StandingClock()
    rejected = RecordRejectedSignIns(log, clock)
    running = asyncio.create_task(rejected.run())
    await clock.sleeping.wait()
    log.error = DatabaseUnavailable("away")
    await rejected("a", SignInMethod.API_KEY)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
