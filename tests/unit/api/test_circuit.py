from uuid import UUID, uuid4

import httpx
import pytest

from ketline.domain.errors import InspectorBusy, ProgramInvalid, ProgramTooLarge
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import ProgramSource
from tests.inspectors import FakeInspector, FakeProgramLibrary

PROGRAM = "qubit é; // <b>"


@pytest.fixture
def path(library: FakeProgramLibrary) -> str:
    task_id = TaskId(uuid4())
    library.programs[task_id] = ProgramSource(circuit=PROGRAM)
    return f"/tasks/{task_id}/circuit"


@pytest.mark.parametrize("query", ["", "?format=source"])
async def test_source_is_the_default_and_what_was_submitted(client: httpx.AsyncClient, path: str, query: str) -> None:
    response = await client.get(path + query)
    assert (response.status_code, response.text) == (200, PROGRAM)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("text", "text/plain; charset=utf-8"), ("flat", "text/plain; charset=utf-8"), ("svg", "image/svg+xml")],
)
async def test_forms_have_their_media_types(client: httpx.AsyncClient, path: str, form: str, media_type: str) -> None:
    response = await client.get(path, params={"format": form})
    assert (response.status_code, response.text) == (200, f"{form} of {PROGRAM}")
    assert response.headers["content-type"] == media_type


@pytest.mark.parametrize("form", ["source", "text", "svg", "flat"])
async def test_browsers_run_nothing_of_it(client: httpx.AsyncClient, path: str, form: str) -> None:
    headers = (await client.get(path, params={"format": form})).headers
    assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("form", ["source", "svg"])
async def test_unchanged_content_is_not_sent_again(client: httpx.AsyncClient, path: str, form: str) -> None:
    first = await client.get(path, params={"format": form})
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = await client.get(path, params={"format": form}, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = await client.get(path, params={"format": form}, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.headers["etag"]) == (200, tag)


async def test_tags_tell_forms_apart(client: httpx.AsyncClient, path: str) -> None:
    tags = {(await client.get(path, params={"format": form})).headers["etag"] for form in ("source", "text", "svg")}
    assert len(tags) == 3


async def test_drawing_is_made_once(client: httpx.AsyncClient, inspector: FakeInspector, path: str) -> None:
    for _ in range(3):
        await client.get(path, params={"format": "svg"})
    assert len(inspector.drawn) == 1


async def test_unreadable_program_says_why_and_where(
    client: httpx.AsyncClient, inspector: FakeInspector, path: str
) -> None:
    inspector.error = ProgramInvalid("gate 'foo' is not defined", line=3, column=1)
    response = await client.get(path, params={"format": "svg"})
    body = response.json()
    assert (response.status_code, body["code"]) == (409, "circuit_unreadable")
    assert body["detail"] == "Gate 'foo' is not defined."
    error = {"code": "parse_error", "message": "gate 'foo' is not defined", "line": 3, "column": 1}
    assert body["error"] == error
    assert (await client.get(path)).text == PROGRAM, "the source is there all the same"


async def test_too_large_a_drawing_has_its_own_code(
    client: httpx.AsyncClient, inspector: FakeInspector, path: str
) -> None:
    inspector.error = ProgramTooLarge("a drawing as 'svg' holds up to 32 qubits")
    response = await client.get(path, params={"format": "svg"})
    assert (response.status_code, response.json()["code"]) == (409, "drawing_too_large")
    assert "32 qubits" in response.json()["detail"]


async def test_busy_inspector_says_when_to_try_again(
    client: httpx.AsyncClient, inspector: FakeInspector, path: str
) -> None:
    inspector.error = InspectorBusy("8 wait")
    response = await client.get(path, params={"format": "text"})
    assert (response.status_code, response.json()["code"]) == (503, "inspector_busy")
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("query", ["?format=png", "?format=", "?form=svg"])
async def test_unknown_forms_and_parameters_are_rejected_by_name(
    client: httpx.AsyncClient, path: str, query: str
) -> None:
    response = await client.get(path + query)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["parameter"] == query[1:].partition("=")[0]


async def test_unknown_and_malformed_ids(client: httpx.AsyncClient) -> None:
    missing = UUID("11111111-2222-4333-8444-555555555555")
    response = await client.get(f"/tasks/{missing}/circuit")
    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")
    assert str(missing) in response.json()["detail"]
    assert (await client.get("/tasks/7/circuit")).status_code == 404
