"""The page of usage over a fake ledger."""

from dataclasses import replace
from datetime import date

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import Owner, Principal, Role
from ketline.domain.access.usage import UsageGroup
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fake_usage import ROWS, FakeUsageLedger


async def test_page_has_a_bar_and_a_row_for_each_day(client: httpx.AsyncClient) -> None:
    response = await client.get("/ui/usage")
    assert response.status_code == 200
    assert response.text.count("<rect") == 2
    assert 'width="48.00%"' in response.text, "the largest"
    assert "2026-11-29" in response.text
    assert "128 MiB" in response.text
    assert "<td" in response.text


async def test_fields_of_the_form_choose_days_and_groups(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    page = await client.get("/ui/usage?from=2026-11-01&to=&project=&group=owner&group=day")
    [query] = ledger.queries
    assert (query.first_day, query.groups) == (date(2026, 11, 1), frozenset(UsageGroup))
    assert 'href="../usage?from=2026-11-01&amp;group=owner&amp;group=day&amp;format=csv"' in page.text
    assert (await client.get("/usage?from=2026-11-01&group=owner&group=day&format=csv")).status_code == 200


async def test_page_of_all_projects_names_them(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    page = await client.get("/ui/usage?project=*&group=day")
    assert ledger.queries[0].project is None
    assert "default · 2026-11-29" in page.text


async def test_names_are_escaped(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    ledger.rows = [replace(ROWS[0], owner=Owner("<script>"))]
    assert "<script>alert" not in (page := (await client.get("/ui/usage?group=owner")).text)
    assert "&lt;script&gt;" in page


async def test_page_without_tasks(client: httpx.AsyncClient, ledger: FakeUsageLedger) -> None:
    ledger.rows = []
    assert "No task ended on these days" in (await client.get("/ui/usage")).text


@pytest.mark.parametrize("query", ["from=yesterday", "group=month", "days=3", "from=2026-02-02&to=2026-02-01"])
async def test_wrong_parameter_is_a_problem(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/ui/usage?{query}")).status_code == 422


async def test_only_administrators_may_choose_a_project(services: Services, options: ApiOptions) -> None:
    authenticate = Authenticate([], SystemClock(), anyone=Principal(role=Role.OPERATOR))
    app = create_app(with_access(services, authenticate=authenticate), options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        assert 'name="project"' not in (await client.get("/ui/usage")).text
        assert (await client.get("/ui/usage?project=*")).status_code == 403
