import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import httpx
import numpy as np
import pytest

from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Task
from tests.fakes import FakeTaskRepository

TASK_ID = TaskId(UUID("11111111-2222-4333-8444-555555555555"))
NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
SHOTS = ["1 01", "0 01", "1 01", "0 10", "1 01"]
COUNTS = {"0 01": 1, "0 10": 1, "1 01": 3}
STORED = Task(
    task_id=TASK_ID,
    shots=5,
    status=TaskStatus.COMPLETED,
    submitted_at=NOON,
    completed_at=NOON,
    correlation_id=CorrelationId("c-1"),
    attempt=1,
    counts=COUNTS,
    memory=SHOTS,
)
LARGE = {f"{number:012b}": number + 1 for number in range(4096)}
PATH = f"/tasks/{TASK_ID}/counts"


@pytest.fixture(autouse=True)
def stored(repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = STORED


async def test_counts_are_the_bare_map(client: httpx.AsyncClient) -> None:
    response = await client.get(PATH)
    assert response.json() == COUNTS
    assert response.headers["Content-Type"] == "application/json"
    assert (response.headers["X-Outcomes"], response.headers["X-Shots"]) == ("3", "5")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("top=1", [("1 01", 3)]),
        ("top=2", [("1 01", 3), ("0 01", 1)]),
        ("top=99", [("1 01", 3), ("0 01", 1), ("0 10", 1)]),
        ("format=hex", [("0x1", 1), ("0x2", 1), ("0x5", 3)]),
        ("format=binary", list(COUNTS.items())),
        ("register=0", [("01", 4), ("10", 1)]),
        ("register=1", [("0", 2), ("1", 3)]),
        ("register=0&top=1&format=hex", [("0x1", 4)]),
    ],
)
async def test_views_of_counts(client: httpx.AsyncClient, query: str, expected: list[tuple[str, int]]) -> None:
    response = await client.get(f"{PATH}?{query}")
    assert list(response.json().items()) == expected


async def test_totals_are_of_everything_not_of_the_top(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{PATH}?top=1&register=0")
    assert (response.headers["X-Outcomes"], response.headers["X-Shots"]) == ("2", "5")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("top=0", "top"),
        ("top=1000001", "top"),
        ("top=x", "top"),
        ("format=octal", "format"),
        ("register=2", "register"),
        ("register=-1", "register"),
        ("register=99999999999999999999", "register"),
        ("tops=3", "tops"),
    ],
)
async def test_bad_parameters_are_rejected_by_name(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    response = await client.get(f"{PATH}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


async def test_counts_as_csv(client: httpx.AsyncClient) -> None:
    response = await client.get(PATH, headers={"Accept": "text/csv"})
    assert response.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert {row["outcome"]: int(row["count"]) for row in rows} == COUNTS


async def test_counts_as_an_array(client: httpx.AsyncClient) -> None:
    response = await client.get(PATH, headers={"Accept": "application/x-npy"})
    array = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert {row["outcome"].decode(): int(row["count"]) for row in array} == COUNTS


async def test_shots_in_order(client: httpx.AsyncClient) -> None:
    path = f"/tasks/{TASK_ID}/memory"
    assert (await client.get(path)).json() == SHOTS
    assert (await client.get(f"{path}?format=hex&register=1")).json() == ["0x1", "0x0", "0x1", "0x0", "0x1"]
    rows = list(csv.DictReader(io.StringIO((await client.get(path, headers={"Accept": "text/csv"})).text)))
    assert [row["outcome"] for row in rows] == SHOTS
    bits = np.load(io.BytesIO((await client.get(path, headers={"Accept": "application/x-npy"})).content))
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 1], [0, 1, 0], [1, 0, 1]]
    hexes = np.load(
        io.BytesIO((await client.get(f"{path}?format=hex", headers={"Accept": "application/x-npy"})).content)
    )
    assert hexes.tolist() == [b"0x5", b"0x1", b"0x5", b"0x2", b"0x5"]


async def test_shots_without_memory(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = replace(STORED, memory=None)
    response = await client.get(f"/tasks/{TASK_ID}/memory")
    assert (response.status_code, response.json()["code"]) == (409, "no_memory")


@pytest.mark.parametrize("path", ["counts", "memory"])
async def test_task_without_a_result(client: httpx.AsyncClient, repository: FakeTaskRepository, path: str) -> None:
    repository.tasks[TASK_ID] = replace(STORED, status=TaskStatus.PROCESSING, counts=None, memory=None)
    response = await client.get(f"/tasks/{TASK_ID}/{path}")
    assert (response.status_code, response.json()["code"]) == (409, "result_not_ready")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("application/json;q=0.1, text/csv;q=0.2", "text/csv"),
        ("application/json;q=0, */*", "text/csv"),
        ("APPLICATION/X-NPY", "application/x-npy"),
        ("application/json;q=nonsense", "application/json"),
        ("", "application/json"),
    ],
)
async def test_media_type_is_negotiated(client: httpx.AsyncClient, accept: str, media_type: str) -> None:
    response = await client.get(PATH, headers={"Accept": accept})
    assert response.headers["Content-Type"].split(";")[0] == media_type
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "nonsense"])
async def test_form_that_is_not_there(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get(PATH, headers={"Accept": accept})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert "text/csv" in response.json()["detail"]


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.tasks[TASK_ID] = replace(STORED, counts=LARGE)
    first = await client.get(PATH)
    assert first.headers["Content-Encoding"] == "gzip"
    for tag in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
        again = await client.get(PATH, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(PATH, headers={"If-None-Match": '"other"'})).status_code == 200
    assert (await client.get(f"{PATH}?top=5", headers={"If-None-Match": first.headers["ETag"]})).status_code == 200


async def test_large_results_are_compressed_for_clients_that_accept_it(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.tasks[TASK_ID] = replace(STORED, counts=LARGE)
    async with client.stream("GET", PATH, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert json.loads(gzip.decompress(raw)) == LARGE
    plain = await client.get(PATH, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in plain.headers
    assert len(raw) < len(plain.content) / 3
    assert plain.headers["ETag"] != response.headers["ETag"]
    repository.tasks[TASK_ID] = STORED
    assert "Content-Encoding" not in (await client.get(PATH)).headers, "too little to be worth it"


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=10-999999", slice(10, None)),
        ("bytes=-999999", slice(None)),
    ],
)
async def test_part_of_a_result(client: httpx.AsyncClient, wanted: str, part: slice) -> None:
    whole = (await client.get(PATH)).content
    response = await client.get(PATH, headers={"Range": wanted})
    assert response.status_code == 206
    assert response.content == whole[part]
    start, stop, _ = part.indices(len(whole))
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=-", "items=0-5", "bytes=9-2", "bytes=a-b"])
async def test_range_that_is_not_one_is_answered_whole(client: httpx.AsyncClient, wanted: str) -> None:
    response = await client.get(PATH, headers={"Range": wanted})
    assert (response.status_code, response.json()) == (200, COUNTS)


@pytest.mark.parametrize("wanted", ["bytes=9999-", "bytes=9999-10000", "bytes=-0"])
async def test_range_beyond_the_end(client: httpx.AsyncClient, wanted: str) -> None:
    response = await client.get(PATH, headers={"Range": wanted})
    assert (response.status_code, response.json()["code"]) == (416, "range_not_satisfiable")
    assert response.headers["Content-Range"].startswith("bytes */")


async def test_range_of_what_has_changed_is_answered_whole(client: httpx.AsyncClient) -> None:
    tag = (await client.get(PATH)).headers["ETag"]
    assert (await client.get(PATH, headers={"Range": "bytes=0-3", "If-Range": tag})).status_code == 206
    assert (await client.get(PATH, headers={"Range": "bytes=0-3", "If-Range": '"old"'})).status_code == 200


async def test_task_without_its_result(client: httpx.AsyncClient) -> None:
    task = (await client.get(f"/tasks/{TASK_ID}?result=false")).json()
    assert task["status"] == "completed"
    assert "result" not in task
    assert "result" in (await client.get(f"/tasks/{TASK_ID}")).json()


async def test_unknown_parameter_of_a_task_is_rejected(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/tasks/{TASK_ID}?waits=3")
    assert response.json()["errors"] == [{"parameter": "waits", "detail": "is not a known parameter"}]
