"""The history on the system page, over a fake."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import Principal, ProjectName, Role
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.operations.history import History, HistoryPoint, Minute, minute_of
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fake_history import POINTS, FakeStatisticsHistory
from tests.fakes import FakeTaskRepository

PAGE = "/ui/system"
PART = {"HX-Request": "true"}
TITLES = (
    "Waiting tasks",
    "Running tasks",
    "Tasks per minute",
    "Failed and cancelled tasks per minute",
    "Waiting time",
    "Running time",
    "Live workers and their slots",
)


def recent_points() -> list[HistoryPoint]:
    """Two stretches of the last hours, with half an hour between them of which nothing is known."""
    now = minute_of(datetime.now(UTC))
    numbers = [number for number in range(120, 1, -1) if not 60 <= number < 90]
    return [replace(POINTS[0], first=Minute(now - number), minutes=1) for number in numbers]


async def test_page_has_a_chart_of_each_figure_with_axes(
    client: httpx.AsyncClient, history: FakeStatisticsHistory
) -> None:
    history.history = History(points=recent_points(), queues=["simulate"])
    text = (await client.get(PAGE)).text
    assert text.count('class="chart"') == len(TITLES)
    for title in TITLES:
        assert f">{title}</h3>" in text
        assert f">{title}</title>" in text
    assert text.count("<desc") == len(TITLES)
    assert text.count('class="time') >= 5 * len(TITLES)
    assert text.count('class="value"') >= 2 * len(TITLES)


async def test_nothing_is_drawn_where_nothing_was_recorded(
    client: httpx.AsyncClient, history: FakeStatisticsHistory
) -> None:
    history.history = History(points=recent_points())
    text = (await client.get(f"{PAGE}?range=6h")).text
    found = re.search(r'<path class="line-0" d="(M[^"]*L[^"]*L[^"]*)"', text)
    assert found is not None
    stretches = found[1].split("M")[1:]
    beginnings = [float(stretch.split()[0]) for stretch in stretches]
    # Of 6 hours the first stretch begins 2 hours before the end, the second 59 minutes.
    assert beginnings == pytest.approx([1000 * 4 / 6, 1000 * 301 / 360], abs=6)


@pytest.mark.parametrize(
    ("name", "length", "step"),
    [
        ("1h", timedelta(hours=1), 1),
        ("6h", timedelta(hours=6), 1),
        ("24h", timedelta(hours=24), 5),
        ("7d", timedelta(days=7), 30),
        ("30d", timedelta(days=30), 120),
    ],
)
async def test_range_and_queue_are_chosen_in_the_address(
    client: httpx.AsyncClient, history: FakeStatisticsHistory, name: str, length: timedelta, step: int
) -> None:
    text = (await client.get(f"{PAGE}?range={name}&queue=convert&project=")).text
    [query] = history.queries
    assert (query.step, query.queue) == (step, "convert")
    assert query.end - query.first in {length // timedelta(minutes=1), length // timedelta(minutes=1) + 1}
    assert f'<option value="{name}" selected>' in text
    assert "<option selected>convert</option>" in text
    assert f"part=history&amp;range={name}&amp;queue=convert" in text


async def test_open_page_requests_the_history_alone(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    text = (await client.get(f"{PAGE}?part=history&range=1h&queue=&project=", headers=PART)).text
    assert text.startswith("<section")
    assert "Live workers" in text
    assert "Database and queue" not in text
    live = (await client.get(PAGE, headers=PART)).text
    assert len(history.queries) == 1, "the live part does not read it"
    assert "Live workers" not in live


async def test_page_says_that_nothing_was_recorded(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    history.history = History(points=[])
    text = (await client.get(PAGE)).text
    assert "Nothing was recorded in this time" in text
    assert 'class="chart"' not in text


async def test_page_is_there_without_the_history(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    history.error = DatabaseUnavailable("down")
    response = await client.get(PAGE)
    assert (response.status_code, "The history could not be read" in response.text) == (200, True)


async def test_history_is_not_read_while_the_database_is_down(
    client: httpx.AsyncClient, history: FakeStatisticsHistory, repository: FakeTaskRepository
) -> None:
    repository.error = DatabaseUnavailable("down")
    assert "The history could not be read" in (await client.get(PAGE)).text
    assert history.queries == []


@pytest.mark.parametrize("query", ["range=2h", "project=No Name", f"queue={'q' * 201}"])
async def test_wrong_parameter_is_a_problem(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"{PAGE}?{query}")).status_code == 422


async def test_only_administrators_may_choose_the_whole_service(
    client: httpx.AsyncClient, services: Services, options: ApiOptions, history: FakeStatisticsHistory
) -> None:
    text = (await client.get(f"{PAGE}?project=*")).text
    assert '<option value="*" selected>the whole service</option>' in text
    assert history.queries[0].project is None
    anyone = Principal(role=Role.OPERATOR, project=ProjectName("ours"))
    app = create_app(
        with_access(services, authenticate=Authenticate([], SystemClock(), anyone=anyone)),
        options,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as operator:
        assert "the whole service" not in (await operator.get(PAGE)).text
        assert (await operator.get(f"{PAGE}?project=*")).status_code == 403
    assert [query.project for query in history.queries] == [None, "ours"]


async def test_names_of_queues_are_escaped(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    history.history = History(points=recent_points(), queues=["run.<script>"])
    text = (await client.get(f"{PAGE}?queue=<b>")).text
    assert "<script>" not in text.partition('id="history"')[2]
    assert "<b>" not in text
