"""A scrape neither hangs nor reads more often than it may, whatever database and broker do."""

import asyncio
from collections.abc import Mapping

import pytest

from ketline.domain.attempts.dead_letters import DeadLetter
from ketline.domain.attempts.predicted_work import Durations, QueueDurations
from ketline.domain.errors import DatabaseUnavailable, QueueUnavailable
from ketline.domain.operations.measurements import QueueMeasurement, ServiceMeasurement
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.service.health.check import CheckHealth
from ketline.service.health.scrape import Scrape
from ketline.service.health.service_gauges import MAX_QUEUES, ServiceGauges
from tests.exposition import Series, parsed, value
from tests.fakes import FakeDeadLetterBox, FakeTaskPublisher, FakeTaskRepository
from tests.runners import HandClock

DURATIONS = QueueDurations(last_minute=Durations(tasks=3, seconds=100.0), running=Durations(tasks=1, seconds=20.0))
QUEUES = {
    "simulate": QueueMeasurement(waiting=3, delayed=2, processing=1, oldest_seconds=7.5, workers=2, durations=DURATIONS)
}


class ScriptedMeasurer:
    """Answers when `answer` is set, with `queues` or `error`."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.answer.set()
        self.error: Exception | None = None
        self.queues: Mapping[str, QueueMeasurement] = QUEUES
        self.measured = 0

    async def measure(self) -> ServiceMeasurement:
        self.measured += 1
        await self.answer.wait()
        if self.error is not None:
            raise self.error
        return ServiceMeasurement(queues=self.queues, workers=2, workers_without_simulator=1, database_bytes=4096)


class Page:
    """A scrape over fakes, in which time stands still."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.measurer = ScriptedMeasurer()
        self.box = FakeDeadLetterBox()
        self.repository, self.publisher = FakeTaskRepository(), FakeTaskPublisher()
        health = CheckHealth(self.repository, self.publisher, timeout_seconds=1.0)
        metrics = PrometheusMetrics()
        gauges = ServiceGauges(self.measurer, self.box, self.clock, wait_seconds=0.05)
        self._scrape = Scrape(metrics, health, gauges)
        self._scrape.register(metrics)

    async def scrape(self) -> Series:
        async with asyncio.timeout(10):
            return parsed((await self._scrape(None)).body.decode())


@pytest.fixture
async def page() -> Page:
    return Page()


async def test_page_shows_the_service(page: Page) -> None:
    page.box.letters = [DeadLetter(reason="rejected", at=None, problem="no id")]
    found = await page.scrape()
    assert value(found, "ketline_queue_tasks", queue="simulate", state="waiting") == 3
    assert value(found, "ketline_queue_tasks", queue="simulate", state="delayed") == 2
    assert value(found, "ketline_queue_tasks", queue="simulate", state="processing") == 1
    assert value(found, "ketline_queue_oldest_task_seconds", queue="simulate") == 7.5
    assert value(found, "ketline_queue_workers", queue="simulate") == 2
    assert value(found, "ketline_queue_predicted_work_seconds", queue="simulate") == 4 * 30.0
    assert value(found, "ketline_queue_busy_slots", queue="simulate") == 1
    assert value(found, "ketline_workers") == 2
    assert value(found, "ketline_workers_without_simulator") == 1
    assert value(found, "ketline_database_size_bytes") == 4096
    assert value(found, "ketline_dead_letters") == 1
    assert value(found, "ketline_measurement_success") == 1
    assert value(found, "ketline_dependency_up", dependency="database") == 1
    assert value(found, "ketline_dependency_up", dependency="queue") == 1


async def test_scrapes_within_a_few_seconds_share_a_reading(page: Page) -> None:
    for _ in range(3):
        await page.scrape()
    await asyncio.gather(page.scrape(), page.scrape())
    assert page.measurer.measured == page.box.looks == 1
    page.clock.now += 5.5
    await page.scrape()
    assert page.measurer.measured == page.box.looks == 2


async def test_scrape_does_not_wait_for_a_database_that_hangs(page: Page) -> None:
    await page.scrape()
    page.measurer.answer.clear()
    page.clock.now += 10
    found = [await page.scrape(), await page.scrape()]
    assert page.measurer.measured == 2, "the second waits for the reading of the first"
    for shown in found:
        assert value(shown, "ketline_measurement_success") == 0
        assert value(shown, "ketline_workers") == 2, "the last reading"
    page.measurer.answer.set()
    assert value(await page.scrape(), "ketline_measurement_success") == 1


async def test_old_reading_is_not_shown(page: Page) -> None:
    await page.scrape()
    page.measurer.error = DatabaseUnavailable("down")
    page.box.error = QueueUnavailable("down")
    page.clock.now += 61
    found = await page.scrape()
    assert value(found, "ketline_measurement_success") == 0
    assert not {name for name, _ in found} & {
        "ketline_queue_tasks",
        "ketline_workers",
        "ketline_dead_letters",
        "ketline_database_size_bytes",
    }


async def test_defect_in_a_reading_does_not_fail_the_scrape(page: Page) -> None:
    page.measurer.error = RuntimeError("a bug")
    page.box.error = RuntimeError("another bug")
    found = await page.scrape()
    assert value(found, "ketline_measurement_success") == 0
    assert value(found, "ketline_dependency_up", dependency="database") == 1


async def test_problem_of_a_dependency_has_its_code(page: Page) -> None:
    page.repository.error, page.publisher.error = DatabaseUnavailable("down"), QueueUnavailable("down")
    found = await page.scrape()
    assert value(found, "ketline_dependency_up", dependency="database") == 0
    assert value(found, "ketline_dependency_problem", dependency="database", code="database_unavailable") == 1
    assert value(found, "ketline_dependency_problem", dependency="queue", code="queue_unavailable") == 1


async def test_number_of_queues_on_the_page_is_bounded(page: Page) -> None:
    page.measurer.queues = {f"run.backend-{number}": QueueMeasurement() for number in range(2 * MAX_QUEUES)}
    found = await page.scrape()
    assert sum(name == "ketline_queue_workers" for name, _ in found) == MAX_QUEUES
