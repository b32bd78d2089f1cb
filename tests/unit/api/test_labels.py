"""Names, tags, metadata and schedules of a submission: stored as they are, or rejected by the envelope."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ketline.domain.tasks.labels import Labels
from tests.fakes import FakeOutbox, FakeTaskRepository

LABELS = {
    "name": "H₂ at 0.7 Å 👩‍🔬",
    "tags": ["vqe", "run 7", "été"],
    "metadata": {"experiment": 12, "nested": [{"a": None, "π": 3.5}, True]},
}


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


async def test_labels_are_stored_and_read_back(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks", json={"qc": "x", **LABELS})
    assert response.status_code == 202
    [stored] = repository.submissions
    assert stored.spec.labels == Labels(**LABELS)  # type: ignore[arg-type]
    task = (await client.get(response.headers["location"])).json()
    assert {name: task[name] for name in LABELS} == LABELS


async def test_task_without_labels_has_none(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"qc": "x", "tags": [], "metadata": {}})
    task = (await client.get(response.headers["location"])).json()
    assert not {"name", "tags", "metadata", "scheduled_for", "rerun_of"} & set(task)


async def test_as_much_as_is_permitted_is_taken(client: httpx.AsyncClient) -> None:
    labels = {
        "name": "n" * 200,
        "tags": [f"{number:064}" for number in range(20)],
        "metadata": {"a": "x" * (8192 - len('{"a":""}'))},
    }
    assert (await client.post("/tasks", json={"qc": "x", **labels})).status_code == 202
    assert (await client.post("/tasks", json={"qc": "x", "metadata": {"a": nested(15)}})).status_code == 202


WRONG: dict[str, list[object]] = {
    "name": ["", " ", "n" * 201, "a\nb", "a\x00", "a\u2028b", 5, ["a"]],
    "tags": ["vqe", [5], [""], ["t" * 65], ["a,b"], ["a\n"], [" a"], ["a", "a"], None, list(map(str, range(21)))],
    "metadata": [
        "{}",
        [],
        None,
        {"a": "x" * 8192},
        {"a": "\x00"},
        {"\x00": 1},
        {"a": nested(16)},
        {"a": nested(150)},
        {"a": 2**64},
        {"a": [0] * 9999},
    ],
    "scheduled_for": [
        "",
        "tomorrow",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-02-30T03:04:05Z",
        "2026-01-02T03:04:05+25:00",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "1700000000",
        17,
        True,
        "2999-01-01T00:00:00Z",
    ],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
async def test_other_labels_are_rejected_by_name(
    client: httpx.AsyncClient, repository: FakeTaskRepository, field: str, value: object
) -> None:
    response = await client.post("/tasks", json={"qc": "x", field: value})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"].split("/")[1] == field
    assert repository.submissions == []


async def test_task_is_scheduled_a_leap_year_ahead_at_most(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    farthest = datetime.now(UTC) + timedelta(days=366)
    rejected = await client.post(
        "/tasks", json={"qc": "x", "scheduled_for": (farthest + timedelta(minutes=2)).isoformat()}
    )
    assert rejected.json()["errors"][0]["detail"] == "must be at most 366 days from now"
    assert (await client.post("/tasks", json={"qc": "x", "scheduled_for": farthest.isoformat()})).status_code == 202
    assert [submission.spec.scheduled_for for submission in repository.submissions] == [farthest]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_metadata_is_finite(client: httpx.AsyncClient, repository: FakeTaskRepository, number: str) -> None:
    response = await client.post(
        "/tasks",
        content=f'{{"qc": "x", "metadata": {{"a": [{number}]}}}}',
        headers={"Content-Type": "application/json"},
    )
    assert (response.status_code, repository.submissions) == (422, [])


async def test_rejection_does_not_repeat_metadata(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"qc": "x", "metadata": {"a": "SECRET\x00"}})
    assert response.status_code == 422
    assert "SECRET" not in response.text


@pytest.mark.parametrize("change", [{"name": "n"}, {"tags": ["t"]}, {"metadata": {"a": 1}}])
async def test_a_key_stands_for_the_labels_too(client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    bodies: list[dict[str, Any]] = [{}, change, {"tags": [], "metadata": {}}]
    first, changed, again = [
        await client.post("/tasks", json={"qc": "x", **body}, headers={"Idempotency-Key": "k"}) for body in bodies
    ]
    assert (first.status_code, changed.status_code, again.status_code) == (202, 422, 202)
    assert first.json() == again.json()


async def test_a_key_stands_for_the_schedule_however_it_is_written(client: httpx.AsyncClient) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    times = [moment.isoformat(), moment.strftime("%Y-%m-%dt%H:%M:%S.000z"), (moment + timedelta(seconds=1)).isoformat()]
    responses = [
        await client.post("/tasks", json={"qc": "x", "scheduled_for": time}, headers={"Idempotency-Key": "k"})
        for time in times
    ]
    assert [response.status_code for response in responses] == [202, 202, 422]
    assert responses[0].json() == responses[1].json()


async def test_scheduled_task_is_left_to_the_dispatcher(
    client: httpx.AsyncClient, repository: FakeTaskRepository, outbox: FakeOutbox
) -> None:
    response = await client.post("/tasks", json={"qc": "x", "scheduled_for": "2026-01-02T05:04:05.5+02:00"})
    assert response.status_code == 202
    assert repository.submissions[0].spec.scheduled_for == datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)
    assert (repository.taken, outbox.dispatches) == ([False], [])
    task = (await client.get(response.headers["location"])).json()
    assert task["scheduled_for"] == "2026-01-02T03:04:05.500000Z"
