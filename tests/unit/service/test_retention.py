"""Which tasks retention deletes and when, with a fake catalogue."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.tasks.lists import Position
from ketline.service.upkeep.retention import BATCH, INTERVAL_SECONDS, PAUSE_SECONDS, UNUSED_CONTENT_AGE, Retention
from tests.fake_access import FakeAuditLog
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fake_device_contents import FakeDeviceContents
from tests.fake_history import FakeStatisticsHistory
from tests.fake_webhooks import FakeDeliveryQueue
from tests.fakes import FakeTaskRepository

AGE = timedelta(days=3)
DELIVERY_AGE = timedelta(days=7)
LAST_KEPT = Position(at=datetime(2026, 1, 2, tzinfo=UTC), task_id=TaskId(UUID(int=5)))


class ScriptedClock:
    """Yields to the event loop instead of sleeping, and records the seconds."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.sleeping = asyncio.Event()

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.sleeping.set()
        await asyncio.sleep(0)


@pytest.fixture
def repository() -> FakeTaskRepository:
    return FakeTaskRepository()


@pytest.fixture
def catalogue(repository: FakeTaskRepository) -> FakeTaskCatalogue:
    return FakeTaskCatalogue(repository)


def retention(
    catalogue: FakeTaskCatalogue,
    clock: ScriptedClock,
    *,
    age: timedelta | None = None,
    most: int | None = None,
    audit: FakeAuditLog | None = None,
    audit_age: timedelta | None = None,
    contents: FakeDeviceContents | None = None,
    noise: FakeDeviceContents | None = None,
    history: FakeStatisticsHistory | None = None,
    deliveries: FakeDeliveryQueue | None = None,
) -> Retention:
    return Retention(
        catalogue,
        clock,
        age=age,
        most=most,
        audit=audit or FakeAuditLog(),
        audit_age=audit_age,
        contents=contents or FakeDeviceContents(),
        noise=noise or FakeDeviceContents(),
        history=history or FakeStatisticsHistory(),
        history_age=AGE,
        deliveries=deliveries or FakeDeliveryQueue(),
        delivery_age=DELIVERY_AGE,
    )


async def test_contents_of_devices_and_noise_are_deleted_without_limits_too(catalogue: FakeTaskCatalogue) -> None:
    contents, noise = FakeDeviceContents(batches=[BATCH, 5]), FakeDeviceContents(batches=[BATCH, BATCH, 5])
    applied = await retention(catalogue, ScriptedClock(), contents=contents, noise=noise).apply()
    assert applied == 0, "no tasks"
    assert contents.deletions == [(UNUSED_CONTENT_AGE, BATCH)] * 2
    assert noise.deletions == [(UNUSED_CONTENT_AGE, BATCH)] * 3


async def test_old_audit_is_deleted_in_batches(catalogue: FakeTaskCatalogue) -> None:
    audit = FakeAuditLog()
    audit.batches = [BATCH, 5]
    assert await retention(catalogue, ScriptedClock(), audit=audit, audit_age=AGE).apply() == 0, "no tasks"
    assert audit.deletions == [(AGE, BATCH)] * 2


async def test_old_history_is_deleted_in_batches(catalogue: FakeTaskCatalogue) -> None:
    history = FakeStatisticsHistory()
    history.batches[:] = [BATCH, 5]
    assert await retention(catalogue, ScriptedClock(), history=history).apply() == 0, "no tasks"
    assert history.deletions == [(AGE, BATCH)] * 2


async def test_nothing_is_deleted_without_limits(catalogue: FakeTaskCatalogue) -> None:
    assert await retention(catalogue, ScriptedClock(), age=None, most=None).apply() == 0
    assert catalogue.deletions == []


async def test_batches_have_pauses_between_them(catalogue: FakeTaskCatalogue) -> None:
    clock = ScriptedClock()
    catalogue.batches = [BATCH, BATCH, 5, BATCH, 0]
    catalogue.last = LAST_KEPT
    assert await retention(catalogue, clock, age=AGE, most=1000).apply() == 3 * BATCH + 5
    assert catalogue.deletions == [(AGE, BATCH)] * 3 + [(LAST_KEPT, BATCH)] * 2
    assert catalogue.bounds == [1000], "the last task to be kept is found once, not for every batch"
    assert clock.slept == [PAUSE_SECONDS] * 3


async def test_fewer_tasks_than_the_limit_stay(catalogue: FakeTaskCatalogue) -> None:
    assert await retention(catalogue, ScriptedClock(), age=None, most=1000).apply() == 0
    assert (catalogue.bounds, catalogue.deletions) == ([1000], [])


async def test_database_outage_only_delays(repository: FakeTaskRepository, catalogue: FakeTaskCatalogue) -> None:
    clock = ScriptedClock()
    repository.error = DatabaseUnavailable("down")
    running = asyncio.create_task(retention(catalogue, clock, age=AGE, most=None).run())
    await clock.sleeping.wait()
    repository.error = None
    clock.sleeping.clear()
    await clock.sleeping.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clock.slept[0] == INTERVAL_SECONDS
    assert catalogue.deletions[0] == (AGE, BATCH)


async def test_deliveries_are_deleted_in_batches_by_their_own_age(catalogue: FakeTaskCatalogue) -> None:
    deliveries = FakeDeliveryQueue()
    deliveries.batches = [BATCH, 3]
    await retention(catalogue, ScriptedClock(), deliveries=deliveries).apply()
    assert deliveries.deletions == [(DELIVERY_AGE, BATCH)] * 2
