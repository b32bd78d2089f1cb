"""`GET /usage` over a fake ledger: days, groups, projects, and CSV."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role
from ketline.domain.access.usage import UsageGroup, UsageQuery
from ketline.domain.errors import DatabaseUnavailable
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.actors import TESTER
from tests.fake_usage import ROWS, FakeUsageLedger

RANGE = "from=2026-11-01&to=2026-11-30"
OURS = ProjectName("ours")


@pytest.fixture
def signed_in(services: Services, options: ApiOptions):  # type: ignore[no-untyped-def]
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


async def test_usage_has_rows_and_their_total(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    response = await client.get(f"/usage?{RANGE}&group=day,owner")
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "from": "2026-11-01",
        "to": "2026-11-30",
        "rows": [
            {
                "project": "default",
                "day": "2026-11-29",
                "owner": 'Ada "A", Lovelace',
                "completed": 2,
                "failed": 0,
                "cancelled": 0,
                "shots": 30,
                "simulating_seconds": 1.25,
                "processor_seconds": 1.5,
                "memory_bytes": 1 << 27,
            },
            {
                "project": "default",
                "day": "2026-11-30",
                "completed": 1,
                "failed": 3,
                "cancelled": 2,
                "shots": 10,
                "simulating_seconds": 0.0,
                "processor_seconds": 0.0,
            },
        ],
        "total": {
            "completed": 3,
            "failed": 3,
            "cancelled": 2,
            "shots": 40,
            "simulating_seconds": 1.25,
            "processor_seconds": 1.5,
            "memory_bytes": 1 << 27,
        },
    }
    assert ledger.queries == [
        UsageQuery(
            project=ProjectName("default"),
            first_day=date(2026, 11, 1),
            last_day=date(2026, 11, 30),
            groups=frozenset(UsageGroup),
        )
    ]


@pytest.mark.parametrize(
    ("path", "accept"), [(f"/usage?{RANGE}&format=csv", "*/*"), (f"/usage?{RANGE}", "text/csv"), ("/usage", "text/csv")]
)
async def test_usage_as_csv(client: httpx.AsyncClient, path: str, accept: str) -> None:
    response = await client.get(path, headers={"Accept": accept})
    assert response.headers["content-type"].startswith("text/csv")
    first, second = csv.DictReader(io.StringIO(response.text))
    assert (first["owner"], first["simulating_seconds"], first["memory_bytes"]) == (
        'Ada "A", Lovelace',
        "1.25",
        str(1 << 27),
    )
    assert (second["day"], second["owner"], second["memory_bytes"]) == ("2026-11-30", "", "")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
async def test_owner_is_no_formula_in_a_spreadsheet(
    client: httpx.AsyncClient, ledger: FakeUsageLedger, first: str
) -> None:
    ledger.rows = [replace(ROWS[0], owner=Owner(f'{first}HYPERLINK("https://evil.example")'))]
    response = await client.get("/usage?format=csv")
    [row] = csv.DictReader(io.StringIO(response.text, newline=""))
    assert row["owner"] == f'\'{first}HYPERLINK("https://evil.example")'


async def test_sums_are_rounded_to_microseconds(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    ledger.rows = [replace(row, usage=replace(row.usage, processor_seconds=0.1)) for row in [*ROWS, ROWS[0]]]
    assert (await client.get("/usage")).json()["total"]["processor_seconds"] == 0.3


async def test_format_overrides_accept(client: httpx.AsyncClient) -> None:
    response = await client.get("/usage?format=json", headers={"Accept": "text/csv"})
    assert response.json()["total"]["completed"] == 3


async def test_usage_is_that_of_thirty_days_by_default(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    before = datetime.now(UTC).date()
    await client.get("/usage")
    [query] = ledger.queries
    assert query.last_day is not None
    assert before <= query.last_day <= datetime.now(UTC).date()
    assert query.first_day == query.last_day - timedelta(days=29)
    assert query.groups == {UsageGroup.DAY}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("from=yesterday", "from"),
        ("to=9999-12-31", "to"),
        ("group=month", "group.0"),
        ("project=No Name", "project"),
        ("days=3", "days"),
    ],
)
async def test_wrong_parameter_is_named(client: httpx.AsyncClient, parameters: str, named: str) -> None:
    response = await client.get(f"/usage?{parameters}")
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == [named]


async def test_media_type_that_is_not_available(client: httpx.AsyncClient) -> None:
    assert (await client.get("/usage", headers={"Accept": "image/png"})).json()["code"] == "not_acceptable"


@pytest.mark.parametrize("role", [Role.READER, Role.SUBMITTER, Role.OPERATOR])
async def test_members_see_the_usage_of_their_project_only(  # type: ignore[no-untyped-def]
    signed_in, ledger: FakeUsageLedger, services: Services, role: Role
) -> None:
    await services.access.projects.add(ProjectName("theirs"), TESTER)
    async with signed_in(role) as client:
        assert (await client.get("/usage")).status_code == 200
        assert (await client.get("/usage?project=ours")).status_code == 200
        for other in ("theirs", "unknown", "*"):
            rejected = await client.get(f"/usage?project={other}")
            assert (rejected.status_code, rejected.json()["code"]) == (403, "role_insufficient")
    assert {query.project for query in ledger.queries} == {OURS}


async def test_administrator_sees_the_usage_of_all_projects(  # type: ignore[no-untyped-def]
    signed_in, ledger: FakeUsageLedger, services: Services
) -> None:
    await services.access.projects.add(ProjectName("theirs"), TESTER)
    async with signed_in(Role.ADMINISTRATOR) as client:
        for wanted in ("/usage", "/usage?project=theirs", "/usage?project=*"):
            assert (await client.get(wanted)).status_code == 200
        unknown = await client.get("/usage?project=unknown")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "project_unknown")
    assert [query.project for query in ledger.queries] == [OURS, "theirs", None]


async def test_usage_without_a_database_is_a_503(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    ledger.error = DatabaseUnavailable("no database")
    assert (await client.get("/usage")).status_code == 503
