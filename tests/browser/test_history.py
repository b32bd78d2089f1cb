"""The charts of the system page in a browser, at a service that recorded 30 days, with gaps."""

import math
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect
from sqlalchemy import Connection, insert

from ketline.db.engine.database import open_database
from ketline.db.lists.minutes import with_sums
from ketline.db.schema.migrate import migrate
from ketline.db.schema.tables import minute_figures, minutes
from ketline.domain.operations.history import minute_of
from ketline.runtime.data_directory import database_in
from tests.acceptance.processes import Api, Fleet, any_port, api_at, wait_until_healthy
from tests.browser.conftest import SMALL_PHONE, TEST_SECONDS, Open, opening

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

DAYS = 30
RANGES = {"1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
TITLES = ["Waiting tasks", "Tasks per minute", "Waiting time", "Running time", "Live workers and their slots"]
# On an idle machine a tenth of it; here other tests run beside.
MAX_SECONDS = 1.5


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A service with the history of 30 days."""
    directory = tmp_path_factory.mktemp("history")
    data = directory / "data"
    data.mkdir()
    await record(data)
    fleet, port = Fleet(directory, {}), any_port()
    try:
        process = await fleet.start("up", "--data-dir", str(data), "--port", str(port), KETLINE_WORKER_SLOTS="1")
        await process.logged("api.listening")
        async with api_at(port) as api:
            await wait_until_healthy(api)
            yield api
    finally:
        await fleet.end()


@pytest_asyncio.fixture(loop_scope="session")
async def opened_there(recorded: Api, browser: Browser, pictures: Path) -> AsyncIterator[Open]:
    async with opening(browser, str(recorded.http.base_url), pictures) as opened:
        yield opened


async def record(data: Path) -> None:
    """Record all minutes of 30 days but the last 40 to 70, and some hours of a night."""
    url = database_in(data)
    await migrate(url)
    now = minute_of(datetime.now(UTC))
    known = [
        minute
        for minute in range(now - DAYS * 1440, now)
        if not 40 < now - minute < 70 and not 900 < now - minute < 1200
    ]

    def work(connection: Connection) -> None:
        connection.execute(insert(minutes), [{"minute": minute, "workers": 1, "slots": 2} for minute in known])
        rows = ({"minute": minute, **row} for minute in known for row in with_sums(list(figures(minute))))
        connection.execute(insert(minute_figures), list(rows))

    async with open_database(url) as database:
        await database.write(work)


def figures(minute: int) -> Iterator[Mapping[str, Any]]:
    """A service that is busy by day, on two queues."""
    chance = random.Random(minute)
    busy = 1.2 + math.sin(2 * math.pi * minute / 1440)
    for queue, share in (("simulate", 1.0), ("convert", 0.1)):
        completed = int(400 * busy * share * chance.uniform(0.7, 1.3))
        yield {
            "project": "default",
            "queue": queue,
            "waiting": int(40 * busy**3 * share * chance.random()),
            "processing": min(2, int(3 * busy * chance.random())),
            "submitted": completed + chance.randrange(3),
            "completed": completed,
            "failed": chance.choice([0, 0, 0, 2]),
            "cancelled": chance.choice([0, 0, 1]),
            "waiting_seconds": completed * 0.2 * busy**3,
            "longest_waiting_seconds": 30 * busy**3,
            "running_seconds": completed * 0.05,
            "longest_running_seconds": 5 * chance.random(),
        }


def chart(history: Locator, title: str) -> Locator:
    return history.get_by_role("img", name=title, exact=True)


@pytest.mark.parametrize("name", ["6h", "30d"])
async def test_history_is_drawn_with_axes_and_a_table(opened_there: Open, name: str) -> None:
    window = await opened_there(f"/ui/system?range={name}")
    history = window.page.locator("#history")
    for title in TITLES:
        await expect(chart(history, title)).to_be_visible()
    await window.accessible()
    await window.picture(f"history-{name}")
    await history.get_by_text("All figures as a table").click()
    await expect(history.get_by_role("table")).to_be_visible()
    assert await history.locator("tbody tr").count() > 300
    await window.accessible()


async def test_history_has_a_gap_where_nothing_was_recorded(opened_there: Open) -> None:
    window = await opened_there("/ui/system?range=6h")
    for path in await window.page.locator("#history .chart path.line-0").all():
        drawn = str(await path.get_attribute("d"))
        assert drawn.count("M") == 2, drawn[:100]


async def test_range_queue_and_project_are_chosen_without_scripts(opened_there: Open) -> None:
    window = await opened_there("/ui/system", scripts=False)
    page = window.page
    await expect(page.get_by_label("The last")).to_have_value("6h")
    await page.get_by_label("The last").select_option("7d")
    await page.get_by_label("Queue", exact=True).select_option("convert")
    await page.get_by_label("Project", exact=True).select_option("the whole service")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("in periods of 30 min")).to_be_visible()
    await expect(page.get_by_label("Queue", exact=True)).to_have_value("convert")
    await expect(page.get_by_label("Project", exact=True)).to_have_value("*")
    await expect(chart(page.locator("#history"), "Waiting tasks")).to_be_visible()


async def test_history_fits_a_small_phone_in_the_dark(opened_there: Open) -> None:
    window = await opened_there("/ui/system?range=24h", dark=True, small=True)
    await window.fits()
    await window.accessible()
    await window.picture("history-dark-phone")
    for one in await window.page.locator("#history .chart").all():
        boxes = [await text.bounding_box() for text in await one.locator("text:visible").all()]
        shown = [box for box in boxes if box is not None]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= SMALL_PHONE["width"] for box in shown)
        times = [box for box in shown if box["y"] == max(box["y"] for box in shown)]
        assert len(times) >= 3
        for left, right in pairwise(times):
            assert left["x"] + left["width"] < right["x"], "labels do not overlap"


async def test_open_page_updates_the_history_and_keeps_its_table_open(opened_there: Open) -> None:
    window = await opened_there("/ui/system?range=1h")
    page = window.page
    await page.get_by_text("All figures as a table").click()
    async with page.expect_response(lambda response: "part=history" in response.url):
        await page.evaluate("htmx.trigger('#history', 'history:update')")
    await expect(page.locator("#history").get_by_role("table")).to_be_visible()


@pytest.mark.parametrize("name", RANGES)
async def test_page_with_30_days_of_minutes_is_quick(recorded: Api, name: str) -> None:
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        response = await recorded.http.get("/ui/system", params={"range": name})
        seconds.append(time.perf_counter() - began)
        assert response.status_code == 200
    assert sorted(seconds)[len(seconds) // 2] < MAX_SECONDS, seconds
