"""The format of a program over HTTP: told, or found by the header."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import ProgramSource
from tests.circuits import as_qpy
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector, FakeProgramLibrary
from tests.unit.api.test_qpy import CIRCUIT

OLD = "OPENQASM 2.0;\nqreg q[1];"
NEW = "OPENQASM 3.0;\nqubit q;"
QPY = as_qpy(CIRCUIT)

HEADERS = {
    "version 2": (OLD, ProgramFormat.OPENQASM2),
    "version 2 in short": ("OPENQASM 2;", ProgramFormat.OPENQASM2),
    "behind comments": ("// OPENQASM 3.0;\r\n\t/* OPENQASM\n3 */OPENQASM  2.0;", ProgramFormat.OPENQASM2),
    "behind a byte order mark": (f"\ufeff{OLD}", ProgramFormat.OPENQASM2),
    "version 3": (NEW, ProgramFormat.OPENQASM3),
    "version 20": ("OPENQASM 20;", ProgramFormat.OPENQASM3),
    "none": ("qubit q;", ProgramFormat.OPENQASM3),
    "in a comment": (f"// {OLD}", ProgramFormat.OPENQASM3),
    "in a comment without end": ("/* OPENQASM 2.0;", ProgramFormat.OPENQASM3),
    "behind a statement": (f"qubit q; {OLD}", ProgramFormat.OPENQASM3),
    "QPY": (QPY, ProgramFormat.QPY),
    "a name that begins like QPY": ("UUlTS0lU q;", ProgramFormat.OPENQASM3),
    "a megabyte of blanks": (" " * 1_000_000, ProgramFormat.OPENQASM3),
    "a megabyte of comments": ("/*" * 500_000, ProgramFormat.OPENQASM3),
}


@pytest.mark.parametrize(("text", "form"), HEADERS.values(), ids=HEADERS.keys())
def test_header_tells_the_format(text: str, form: ProgramFormat) -> None:
    assert format_by_header(text) is form


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"qc": OLD}, ProgramFormat.OPENQASM2),
        ({"circuit": OLD}, ProgramFormat.OPENQASM2),
        ({"qc": OLD, "format": "openqasm2"}, ProgramFormat.OPENQASM2),
        ({"qc": "qreg q[1];", "format": "openqasm2"}, ProgramFormat.OPENQASM2),
        ({"qc": OLD, "format": "openqasm3"}, ProgramFormat.OPENQASM3),
        ({"qc": NEW, "format": None}, ProgramFormat.OPENQASM3),
        ({"qc": QPY}, ProgramFormat.QPY),
        ({"qc": QPY, "format": "qpy"}, ProgramFormat.QPY),
        ({"qpy": QPY, "format": "qpy"}, ProgramFormat.QPY),
    ],
)
async def test_format_is_stored(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: dict[str, Any], form: ProgramFormat
) -> None:
    assert (await client.post("/tasks", json=body)).status_code == 202
    assert (await client.post("/tasks/batch", json={"tasks": [body]})).status_code == 202
    assert [one.spec.options.format for one in repository.submissions] == [form, form]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"qc": NEW, "format": "openqasm4"}, "#/format", "must be 'openqasm3', 'openqasm2' or 'qpy'"),
        ({"qc": NEW, "format": 3}, "#/format", "must be 'openqasm3', 'openqasm2' or 'qpy'"),
        ({"qpy": QPY, "format": "openqasm2"}, "#/format", "must be 'qpy' for a program in qpy"),
    ],
)
async def test_unknown_format_is_rejected(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str, detail: str
) -> None:
    response = await client.post("/tasks", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"] == [{"pointer": pointer, "detail": detail}]


async def test_text_declared_as_qpy_is_rejected(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"qc": OLD, "format": "qpy"})
    assert (response.status_code, response.json()["code"]) == (422, "qpy_invalid")
    assert response.json()["errors"][0]["pointer"] == "#/qc"


async def test_task_shows_its_format(client: httpx.AsyncClient) -> None:
    ids = [(await client.post("/tasks", json={"qc": text})).json()["task_id"] for text in (OLD, NEW)]
    views = [(await client.get(f"/tasks/{one}")).json() for one in ids]
    assert [view.get("program_format") for view in views] == ["openqasm2", None]


async def test_source_of_a_task_is_its_text(client: httpx.AsyncClient, library: FakeProgramLibrary) -> None:
    task_id = TaskId(uuid4())
    library.programs[task_id] = ProgramSource(circuit=OLD, format=ProgramFormat.OPENQASM2)
    response = await client.get(f"/tasks/{task_id}/circuit")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text == OLD


async def test_validation_has_the_format(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    assert (await client.post("/validate", json={"qc": OLD})).status_code == 200
    assert inspector.inspected[0].options.format is ProgramFormat.OPENQASM2


async def test_declared_and_detected_format_are_the_same_submission(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await client.post("/tasks", json={"qc": OLD}, headers=key)
    again = await client.post("/tasks", json={"qc": OLD, "format": "openqasm2"}, headers=key)
    assert again.json() == first.json()
    other = await client.post("/tasks", json={"qc": OLD, "format": "openqasm3"}, headers=key)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_form_finds_the_format(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/ui/submit", data={"qc": OLD, "shots": "5"})
    assert response.status_code == 303
    assert repository.submissions[0].spec.options.format is ProgramFormat.OPENQASM2


async def test_copied_form_has_the_header_that_tells_its_format(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = (await client.post("/tasks", json={"qc": "qreg q[1];", "format": "openqasm2"})).json()["task_id"]
    copied = await client.get(f"/?copy={task_id}")
    assert "OPENQASM 2.0;\nqreg q[1];" in copied.text
