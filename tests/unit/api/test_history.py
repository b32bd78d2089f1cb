"""`GET /tasks/stats/history` over a fake: times, steps, and who sees which project."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import Principal, ProjectName, Role
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.operations.history import HistoryQuery, Minute, minute_of
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.actors import TESTER
from tests.fake_history import NOON, FakeStatisticsHistory

OURS = ProjectName("ours")
PATH = "/tasks/stats/history"
DAY = "from=2026-11-29T12:00:00Z&to=2026-11-30T12:00:00Z"
SignedIn = Callable[[Role], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def signed_in(services: Services, options: ApiOptions) -> SignedIn:
    """Opens a client whose sender has a role in the project `ours`."""

    @asynccontextmanager
    async def open_client(role: Role) -> AsyncIterator[httpx.AsyncClient]:
        anyone = Principal(role=role, project=OURS)
        app = create_app(
            replace(
                services, access=replace(services.access, authenticate=Authenticate([], SystemClock(), anyone=anyone))
            ),
            options,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
            yield client

    return open_client


async def test_history_has_points_and_leaves_out_what_is_unknown(
    client: httpx.AsyncClient, history: FakeStatisticsHistory
) -> None:
    response = await client.get(f"{PATH}?{DAY}&step=3600&queue=simulate")
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "from": "2026-11-29T12:00:00.000000Z",
        "to": "2026-11-30T12:00:00.000000Z",
        "step_seconds": 3600,
        "project": "default",
        "queue": "simulate",
        "queues": ["convert", "simulate"],
        "points": [
            {
                "at": "2026-11-30T12:00:00.000000Z",
                "minutes": 60,
                "waiting": 3.25,
                "most_waiting": 41,
                "processing": 1.5,
                "most_processing": 2,
                "submitted": 7080,
                "completed": 7020,
                "failed": 60,
                "cancelled": 1,
                "waiting_seconds": 0.81,
                "longest_waiting_seconds": 12.5,
                "running_seconds": 0.05,
                "longest_running_seconds": 8.125,
                "workers": 1,
                "slots": 2,
            },
            {
                "at": "2026-11-30T14:00:00.000000Z",
                "minutes": 7,
                "waiting": 0.0,
                "most_waiting": 0,
                "processing": 0.0,
                "most_processing": 0,
                "submitted": 0,
                "completed": 0,
                "failed": 0,
                "cancelled": 0,
                "workers": 0,
                "slots": 0,
            },
        ],
    }
    noon = minute_of(NOON)
    [query] = history.queries
    assert query == HistoryQuery(
        project=ProjectName("default"), first=Minute(noon - 24 * 60), end=query.end, step=60, queue="simulate"
    )
    assert query.end == min(noon, minute_of(datetime.now(UTC)) + 1)


async def test_history_is_that_of_a_day_by_default(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    before = minute_of(datetime.now(UTC))
    assert (await client.get(PATH)).json()["step_seconds"] == 300
    [query] = history.queries
    assert before < query.end <= minute_of(datetime.now(UTC)) + 1
    assert query.end - query.first == 24 * 60 + 1
    assert query.queue is None


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(hours=1), 60),
        (timedelta(minutes=400), 60),
        (timedelta(minutes=401), 300),
        (timedelta(days=7), 1800),
        (timedelta(days=30), 7200),
        (timedelta(days=366), 86_400),
    ],
)
async def test_default_step_gives_at_most_400_points(client: httpx.AsyncClient, length: timedelta, step: int) -> None:
    start = (NOON - length).isoformat().replace("+00:00", "Z")
    response = await client.get(f"{PATH}?from={start}&to=2026-11-30T12:00:00Z")
    assert response.json()["step_seconds"] == step


async def test_history_of_the_future_is_empty(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    for future in ("from=9000-01-01T00:00:00Z", "from=9000-01-01T00:00:00Z&to=9000-01-02T00:00:00Z"):
        response = await client.get(f"{PATH}?{future}")
        assert (response.status_code, response.json()["points"]) == (200, [])
    assert history.queries == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "from"),
        ("from=2026-11-02T00:00:00", "from"),
        ("from=0001-01-01T00:00:00Z", "from"),
        ("to=1970-01-01T00:00:00Z", "to"),
        ("to=9999-12-31T00:00:00Z", "to"),
        ("step=30", "step"),
        ("step=90", "step"),
        ("step=86460", "step"),
        (f"{DAY}&step=60", "step"),
        ("from=1980-01-01T00:00:00Z", "step"),
        ("queue=", "queue"),
        ("project=No Name", "project"),
        ("hours=3", "hours"),
    ],
)
async def test_wrong_parameter_is_named(client: httpx.AsyncClient, parameters: str, named: str) -> None:
    response = await client.get(f"{PATH}?{parameters}")
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == [named]


@pytest.mark.parametrize("role", [Role.READER, Role.SUBMITTER, Role.OPERATOR])
async def test_members_see_the_history_of_their_project_only(
    signed_in: SignedIn, history: FakeStatisticsHistory, services: Services, role: Role
) -> None:
    await services.access.projects.add(ProjectName("theirs"), TESTER)
    async with signed_in(role) as client:
        assert (await client.get(PATH)).status_code == 200
        assert (await client.get(f"{PATH}?project=ours")).status_code == 200
        for other in ("theirs", "unknown", "*"):
            rejected = await client.get(f"{PATH}?project={other}")
            assert (rejected.status_code, rejected.json()["code"]) == (403, "role_insufficient")
            assert "history" in rejected.json()["detail"]
    assert {query.project for query in history.queries} == {OURS}


async def test_administrator_sees_the_history_of_all_projects(
    signed_in: SignedIn, history: FakeStatisticsHistory, services: Services
) -> None:
    await services.access.projects.add(ProjectName("theirs"), TESTER)
    async with signed_in(Role.ADMINISTRATOR) as client:
        for wanted in (PATH, f"{PATH}?project=theirs"):
            assert (await client.get(wanted)).json()["project"] in {"ours", "theirs"}
        assert "project" not in (await client.get(f"{PATH}?project=*")).json()
        unknown = await client.get(f"{PATH}?project=unknown")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "project_unknown")
    assert [query.project for query in history.queries] == [OURS, "theirs", None]


@pytest.mark.parametrize(("role", "shown"), [(Role.READER, False), (Role.SUBMITTER, False), (Role.OPERATOR, True)])
async def test_workers_are_for_operators(signed_in: SignedIn, role: Role, *, shown: bool) -> None:
    async with signed_in(role) as client:
        for point in (await client.get(PATH)).json()["points"]:
            assert ("workers" in point, "slots" in point) == (shown, shown)


async def test_history_without_a_database_is_a_503(client: httpx.AsyncClient, history: FakeStatisticsHistory) -> None:
    history.error = DatabaseUnavailable("no database")
    assert (await client.get(PATH)).status_code == 503
