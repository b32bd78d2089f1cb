"""Lists and statistics over HTTP: what is asked of the catalogue, what comes back, and what is rejected."""

import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Order, Position, TaskFilter, TaskPart, TaskQuery
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository

TASK_ID = TaskId(UUID("0f8b6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"))
HERE = Position(at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), task_id=TASK_ID)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


async def asked(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, address: str) -> TaskQuery:
    response = await client.get(address)
    assert response.status_code == 200, response.text
    return catalogue.queries[-1]


async def test_list_tells_programs_in_other_languages(client: httpx.AsyncClient) -> None:
    for text in ("OPENQASM 2.0; qreg q[1];", "OPENQASM 3.0; qubit q;"):
        await client.post("/tasks", json={"qc": text})
    listed = (await client.get("/tasks")).json()["tasks"]
    assert sorted(task.get("program_format", "") for task in listed) == ["", "openqasm2"]


async def test_list_without_parameters_has_the_newest_tasks(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue
) -> None:
    submitted = await client.post("/tasks", json={"qc": "SECRET", "name": "n", "tags": ["t"], "metadata": {"a": 1}})
    response = await client.get("/tasks")
    assert catalogue.queries == [TaskQuery(order=Order.NEWEST_FIRST, limit=50)]
    assert list(response.json()) == ["tasks"]
    [task] = response.json()["tasks"]
    assert (task["task_id"], task["status"]) == (submitted.json()["task_id"], "pending")
    assert (task["name"], task["tags"]) == ("n", ["t"])
    assert "SECRET" not in response.text
    assert not {"status_history", "result", "circuit", "profile", "metadata", "error", "completed_at"} & set(task)


async def test_every_filter_reaches_the_catalogue(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    query = await asked(
        client,
        catalogue,
        "/tasks?status=failed&status=cancelled&tag=a&tag=b%20c&tag=a&name=run%207&submitted_after=2026-01-02T03:04:05.678901Z"
        "&submitted_before=2026-01-03T01:00:00%2B01:00&completed_after=2026-01-02T03:04:05.678901Z"
        "&completed_before=2026-01-03T00:00:00Z&worker=w-1&error_code=timeout&order=completed_at&limit=200"
        "&fields=circuit,result&fields=history",
    )
    assert query == TaskQuery(
        which=TaskFilter(
            statuses=(TaskStatus.FAILED, TaskStatus.CANCELLED),
            tags=("a", "b c"),
            name="run 7",
            submitted_after=HERE.at,
            submitted_before=LATER,
            completed_after=HERE.at,
            completed_before=LATER,
            worker_id="w-1",  # type: ignore[arg-type]
            error_code=FailureCode.TIMEOUT,
        ),
        order=Order.FIRST_ENDED_FIRST,
        limit=200,
        parts=frozenset({TaskPart.CIRCUIT, TaskPart.RESULT, TaskPart.HISTORY}),
    )


async def test_star_makes_a_name_a_prefix(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    which = (await asked(client, catalogue, "/tasks?name=run*")).which
    assert (which.name, which.name_prefix) == (None, "run")
    which = (await asked(client, catalogue, "/tasks?name=r*n")).which
    assert (which.name, which.name_prefix) == ("r*n", None)


async def test_parts_are_added_on_request(client: httpx.AsyncClient) -> None:
    await client.post("/tasks", json={"qc": "x"})
    [task] = (await client.get("/tasks?fields=history")).json()["tasks"]
    assert [line["status"] for line in task["status_history"]] == ["pending"]


@pytest.mark.parametrize(
    "address", ["/tasks", "/tasks?tag=b&tag=a&limit=7&fields=result&status=failed&name=%C3%A9+%26*", "/tasks?limit=1"]
)
async def test_next_leads_on_in_the_same_list(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, address: str
) -> None:
    catalogue.next = HERE
    response = await client.get(address)
    following = response.json()["next"]
    assert response.headers["link"] == f'<{following}>; rel="next"'
    first, query = catalogue.queries[-1], await asked(client, catalogue, following)
    assert query.after == HERE
    assert (query.which, query.order, query.limit, query.parts) == (
        first.which,
        first.order,
        first.limit,
        first.parts,
    )
    again = await client.get(following)
    assert again.json()["next"] == following


async def test_limit_and_fields_may_differ_between_pages(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue
) -> None:
    catalogue.next = HERE
    following = (await client.get("/tasks?tag=a&order=submitted_at")).json()["next"]
    assert (await client.get(following + "&limit=3&fields=profile")).status_code == 200


@pytest.mark.parametrize("other", ["/tasks?tag=b", "/tasks", "/tasks?tag=a&order=submitted_at"])
async def test_cursor_of_another_list_is_rejected(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, other: str
) -> None:
    catalogue.next = HERE
    following = (await client.get("/tasks?tag=a")).json()["next"]
    [cursor] = parse_qs(urlsplit(following).query)["cursor"]
    response = await client.get(other, params={**httpx.URL(other).params, "cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_cursor")


@pytest.mark.parametrize("place", ["", "now 5", "2026-01-02 5", "0001-01-01T00:00:00+10:00 " + str(HERE.task_id)])
async def test_cursor_with_an_invalid_position_is_rejected(client: httpx.AsyncClient, place: str) -> None:
    """The check is no secret: whoever forges it must not get further than a rejection."""
    check = sha256(f"\n{place}".encode()).digest()[:9]
    response = await client.get("/tasks", params={"cursor": urlsafe_b64encode(check + place.encode()).decode()})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_cursor")


async def test_garbled_cursor_is_rejected(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    catalogue.next = HERE
    [good] = parse_qs(urlsplit((await client.get("/tasks")).json()["next"]).query)["cursor"]
    wrong = ["", "x", "%00", "é", "====", good[:-1], good[1:], good + "A", good.swapcase(), "A" * 100]
    for cursor in wrong:
        response = await client.get("/tasks", params={"cursor": cursor})
        assert (response.status_code, response.json()["code"]) == (422, "unknown_cursor"), cursor
    response = await client.get("/tasks", params={"cursor": "A" * 201})
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "cursor")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("state=failed", "state"),
        ("Status=failed", "Status"),
        ("status=done", "status.0"),
        ("status=", "status.0"),
        ("tag=", "tag.0"),
        ("tag=a%2Cb", "tag.0"),
        ("tag=%07", "tag.0"),
        ("tag=%00", "tag"),
        ("&".join(f"tag={number}" for number in range(21)), "tag"),
        ("name=", "name"),
        ("name=%00", "name"),
        ("name=" + "n" * 202, "name"),
        ("submitted_after=yesterday", "submitted_after"),
        ("submitted_before=2026-01-02", "submitted_before"),
        ("completed_after=2026-01-02T03:04:05+01:00", "completed_after"),
        ("completed_before=0001-01-01T00:00:00%2B10:00", "completed_before"),
        ("submitted_after=1700000000", "submitted_after"),
        ("worker=%00", "worker"),
        ("worker=a%20b", "worker"),
        ("error_code=oops", "error_code"),
        ("order=name", "order"),
        ("order=", "order"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1.5", "limit"),
        ("limit=many", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("fields=program", "fields.0"),
        ("fields=result,", "fields.1"),
        ("limit=1&limit=2", "limit"),
        ("name=a&name=b", "name"),
    ],
)
async def test_other_parameters_are_rejected_by_name(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, parameters: str, named: str
) -> None:
    response = await client.get(f"/tasks?{parameters}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["parameter"] for error in response.json()["errors"]] == [named]
    assert catalogue.queries == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("submitted_after=2026-01-02T00:00:00Z&submitted_before=2026-01-01T00:00:00Z", "submitted_after"),
        ("completed_after=2026-01-02T00:00:00Z&completed_before=2026-01-02T01:00:00%2B01:00", "completed_after"),
        ("status=pending&order=completed_at", "status"),
        ("status=pending&status=processing&completed_after=2026-01-02T00:00:00Z", "status"),
        ("status=processing&error_code=timeout", "status"),
    ],
)
async def test_contradictory_filters_are_rejected(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, parameters: str, named: str
) -> None:
    response = await client.get(f"/tasks?{parameters}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["parameter"] for error in response.json()["errors"]] == [named]
    assert catalogue.queries == []


async def test_database_outage_is_a_problem(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.error = DatabaseUnavailable("away")
    for address in ("/tasks", "/tasks/stats"):
        response = await client.get(address)
        assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")


async def test_statistics_are_returned(client: httpx.AsyncClient) -> None:
    for kind in ({}, {"kind": "convert", "target": "qpy"}):
        await client.post("/tasks", json={"qc": "x", **kind})
    response = await client.get("/tasks/stats")
    body: dict[str, Any] = response.json()
    assert (response.status_code, set(body)) == (200, {"counted_at", "counts", "rates", "queues"})
    assert body["counts"] == {"pending": 2, "processing": 0, "completed": 0, "failed": 0, "cancelled": 0}
    assert body["rates"] == [{"minutes": 5, "completed_per_minute": 1.5, "failed_per_minute": 0.0}]
    assert body["queues"] == {name: {"waiting": 1, "processing": 0} for name in ("convert", "simulate")}


async def test_statistics_take_no_parameters(client: httpx.AsyncClient) -> None:
    response = await client.get("/tasks/stats?status=failed")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "status")


async def test_statistics_are_not_counted_for_each_request(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue
) -> None:
    for _ in range(3):
        await client.get("/tasks/stats")
    assert catalogue.counts == 1


async def test_many_repeated_parameters_cost_little(client: httpx.AsyncClient) -> None:
    query = "&".join(["limit=1"] * 8000)
    before = time.process_time()
    response = await client.get(f"/tasks?{query}")
    assert response.json()["errors"] == [{"parameter": "limit", "detail": "must be given once"}]
    assert time.process_time() - before < 1.0, "it was 2.7 s when names were counted for each of them"
