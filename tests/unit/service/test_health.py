"""The health check answers in time, also when a server hangs."""

import asyncio

import pytest

from ketline.domain.errors import DatabaseReadOnly, DatabaseUnavailable, QueueUnavailable
from ketline.service.health.check import CheckHealth
from tests.fakes import FakeTaskPublisher, FakeTaskRepository


class HangingRepository(FakeTaskRepository):
    """Like a frozen server behind a transaction that runs to its end: it cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()
        self.probes = 0

    async def check_writable(self) -> None:
        self.probes += 1
        answering = asyncio.ensure_future(self.answer.wait())
        try:
            await asyncio.shield(answering)
        except asyncio.CancelledError:
            await answering
            raise


async def test_hanging_database_is_reported_in_time_and_probed_once() -> None:
    repository = HangingRepository()
    check = CheckHealth(repository, FakeTaskPublisher(), timeout_seconds=0.05)
    async with asyncio.timeout(5):
        reports = [await check(), *await asyncio.gather(check(), check())]
    assert [(report.database_connected, report.queue_connected) for report in reports] == [(False, True)] * 3
    assert repository.probes == 1
    repository.answer.set()
    assert (await check()).healthy


@pytest.mark.parametrize(
    ("database", "queue"),
    [(DatabaseUnavailable("down"), None), (None, QueueUnavailable("down"))],
)
async def test_each_part_is_reported_by_itself(
    database: DatabaseUnavailable | None, queue: QueueUnavailable | None
) -> None:
    repository, publisher = FakeTaskRepository(), FakeTaskPublisher()
    repository.error, publisher.error = database, queue
    report = await CheckHealth(repository, publisher, timeout_seconds=1)()
    assert (report.database_connected, report.queue_connected) == (database is None, queue is None)
    assert not report.healthy


class SlowRepository(FakeTaskRepository):
    """Answers after some turns of the event loop."""

    async def ping(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def check_writable(self) -> None:
        await self.ping()


async def test_many_callers_at_once_each_get_a_report() -> None:
    """Some callers find their probe done when another caller has already started the next one."""
    check = CheckHealth(SlowRepository(), FakeTaskPublisher(), timeout_seconds=10)

    async def probe(turns: int) -> list[bool]:
        found = []
        for _ in range(50):
            for _ in range(turns):
                await asyncio.sleep(0)
            found.append((await check()).healthy)
        return found

    async with asyncio.timeout(30):
        found = await asyncio.gather(*(probe(turns) for turns in range(20)))
    assert found == [[True] * 50] * 20


async def test_probes_within_a_second_write_once() -> None:
    repository = FakeTaskRepository()
    check = CheckHealth(repository, FakeTaskPublisher(), timeout_seconds=1, write_seconds=3600)
    assert all([(await check()).healthy for _ in range(5)])
    assert repository.writes_checked == 1
    repository.error = DatabaseUnavailable("down")
    assert not (await check()).healthy, "that it took a write does not hide that it is down"


async def test_database_that_takes_no_writes_is_written_to_at_every_probe() -> None:
    repository = FakeTaskRepository()
    check = CheckHealth(repository, FakeTaskPublisher(), timeout_seconds=1, write_seconds=3600)
    repository.error = DatabaseReadOnly("a standby")
    assert [(await check()).database_problem for _ in range(2)] == ["database_read_only"] * 2
    repository.error = None
    assert (await check()).healthy
    assert repository.writes_checked == 1


async def test_defect_of_a_probe_is_a_problem_and_no_exception() -> None:
    repository = FakeTaskRepository()
    repository.error = ValueError("a defect")
    report = await CheckHealth(repository, FakeTaskPublisher(), timeout_seconds=1)()
    assert (report.database_problem, report.queue_problem) == ("internal_error", None)
