"""Programs in QPY over HTTP."""

import base64
from typing import Any
from uuid import uuid4

import httpx
import pytest
from qiskit.circuit import QuantumCircuit

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import ProgramSource
from tests.circuits import as_qpy
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector, FakeProgramLibrary

CIRCUIT = QuantumCircuit(1, 1)
QPY = as_qpy(CIRCUIT)
NEWER = base64.b64encode(b"QISKIT\x13" + base64.b64decode(QPY)[7:]).decode()
LONG = as_qpy(QuantumCircuit(1, name="n" * 2000))


async def test_qpy_is_stored_as_it_came(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks", json={"qpy": QPY, "shots": 7, "inputs": {"x[10]": 0.5, "θ": [1, 2]}})
    assert response.status_code == 202
    (stored,) = repository.submissions
    assert (stored.spec.circuit, stored.spec.options.format, stored.spec.shots) == (QPY, ProgramFormat.QPY, 7)
    assert stored.spec.inputs == {"x[10]": 0.5, "θ": [1, 2]}


async def test_text_stays_openqasm(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    await client.post("/tasks", json={"qc": "qubit q;"})
    assert repository.submissions[0].spec.options.format is ProgramFormat.OPENQASM3


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"qpy": "!"}, "qpy_invalid", "#/qpy"),
        ({"qpy": QPY[:-4]}, None, None),
        ({"qpy": NEWER}, "qpy_version_unsupported", "#/qpy"),
        ({"qpy": QPY, "qc": "qubit q;"}, "invalid_request", "#/qpy"),
        ({"qpy": QPY, "circuit": "qubit q;"}, "invalid_request", "#/qpy"),
        ({"qpy": ""}, "invalid_request", "#/qpy"),
        ({"qpy": 5}, "invalid_request", "#/qpy"),
        ({"qpy": QPY, "inputs": {"x[]": 1}}, "invalid_request", "#/inputs"),
        ({"qpy": QPY, "inputs": {"x[1][2]": 1}}, "invalid_request", "#/inputs"),
    ],
)
async def test_rejections_have_their_reason(
    client: httpx.AsyncClient, body: dict[str, Any], code: str | None, pointer: str | None
) -> None:
    response = await client.post("/tasks", json=body)
    if code is None:
        assert response.status_code == 202  # what is in the file only the task can tell
        return
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert QPY not in response.text


async def test_versions_are_named(client: httpx.AsyncClient) -> None:
    detail = (await client.post("/tasks", json={"qpy": NEWER})).json()["detail"]
    assert detail.startswith("qpy is QPY version 19; this service reads versions 13 to 18")


async def test_long_qpy_is_too_large(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks/batch", json={"tasks": [{"qpy": QPY}, {"qpy": LONG}]})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (413, "#/tasks/1/qpy")


async def test_batch_names_the_task(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks/batch", json={"tasks": [{"qpy": QPY}, {"qpy": NEWER}]})
    assert (response.status_code, response.json()["code"]) == (422, "qpy_version_unsupported")
    assert response.json()["errors"][0]["pointer"] == "#/tasks/1/qpy"
    assert repository.submissions == []


async def test_same_text_in_another_form_is_another_submission(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = [await client.post("/tasks", json={"qpy": QPY}, headers=key) for _ in range(2)]
    assert (first.status_code, again.json()) == (202, first.json())
    assert (await client.post("/tasks", json={"qc": QPY}, headers=key)).json() == first.json()  # it says what it is
    text = {"qc": QPY, "format": "openqasm3"}
    assert (await client.post("/tasks", json=text, headers=key)).json()["code"] == "idempotency_key_reused"


async def test_validation_takes_it_too(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    assert (await client.post("/validate", json={"qpy": QPY})).status_code == 200
    [spec] = inspector.inspected
    assert (spec.circuit, spec.options.format) == (QPY, ProgramFormat.QPY)


@pytest.mark.parametrize(
    ("accept", "media_type", "body"),
    [
        ("*/*", "text/plain; charset=utf-8", QPY.encode()),
        ("text/plain", "text/plain; charset=utf-8", QPY.encode()),
        ("application/octet-stream", "application/octet-stream", base64.b64decode(QPY)),
    ],
)
async def test_source_is_text_or_the_file(
    client: httpx.AsyncClient, library: FakeProgramLibrary, accept: str, media_type: str, body: bytes
) -> None:
    task_id = TaskId(uuid4())
    library.programs[task_id] = ProgramSource(circuit=QPY, format=ProgramFormat.QPY)
    response = await client.get(f"/tasks/{task_id}/circuit", headers={"Accept": accept})
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["content-type"] == media_type


async def test_a_task_says_what_its_program_is_written_in(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    ids = [(await client.post("/tasks", json=body)).json()["task_id"] for body in ({"qpy": QPY}, {"qc": "qubit q;"})]
    views = [(await client.get(f"/tasks/{task_id}")).json() for task_id in ids]
    assert [view.get("program_format") for view in views] == ["qpy", None]
