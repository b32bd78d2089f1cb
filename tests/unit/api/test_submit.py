from datetime import datetime
from uuid import UUID

import httpx
import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.tasks.spec import RunOptions
from tests.fakes import FakeTaskRepository

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# A word that no rejection may repeat.
SECRET = "SECRETWORD"


async def test_submission_is_stored_and_answered_as_the_contract_says(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    response = await client.post(
        "/tasks", json={"qc": "OPENQASM 3.0;", "shots": 5}, headers={"X-Correlation-ID": "c-1"}
    )

    (stored,) = repository.submissions
    assert (stored.spec.circuit, stored.spec.shots, stored.correlation_id) == ("OPENQASM 3.0;", 5, "c-1")
    assert response.status_code == 202
    assert response.headers["location"] == f"/tasks/{stored.task_id}"
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["task_id", "message", "submitted_at", "correlation_id"]
    assert UUID(body["task_id"]) == stored.task_id
    assert (body["message"], body["correlation_id"]) == ("Task submitted successfully.", "c-1")
    assert datetime.fromisoformat(body["submitted_at"]) == repository.tasks[stored.task_id].submitted_at


async def test_shots_left_out_are_the_configured_default(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    for body in ({"qc": "x"}, {"qc": "x", "shots": None}):
        await client.post("/tasks", json=body)
    assert [one.spec.shots for one in repository.submissions] == [777, 777]


async def test_shots_given_as_1024_are_not_taken_for_left_out(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    await client.post("/tasks", json={"qc": "x", "shots": 1024})
    assert repository.submissions[0].spec.shots == 1024


async def test_run_options_are_stored(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    body = {"qc": "x", "seed": 2**63 - 1, "method": "matrix_product_state", "memory": True}
    assert (await client.post("/tasks", json=body)).status_code == 202
    assert repository.submissions[0].spec.options == RunOptions(
        seed=2**63 - 1, method=Method.MATRIX_PRODUCT_STATE, memory=True
    )


async def test_task_without_a_seed_gets_one(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    for _ in range(2):
        await client.post("/tasks", json={"qc": "x"})
    one, other = (submission.spec.options.seed for submission in repository.submissions)
    assert one is not None
    assert other is not None
    assert one != other
    assert max(one, other) < 2**53


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", 2**63),
        ("seed", 1.0),
        ("seed", True),
        ("seed", "1"),
        ("method", "quantum"),
        ("method", 1),
        ("memory", 1),
        ("memory", "true"),
    ],
)
async def test_wrong_run_option_is_named(client: httpx.AsyncClient, field: str, value: object) -> None:
    response = await client.post("/tasks", json={"qc": "x", field: value})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"#/{field}"]


@pytest.mark.parametrize("body", [{"circuit": "x"}, {"qc": "x", "circuit": "x"}])
async def test_circuit_is_another_name_for_qc(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: dict[str, str]
) -> None:
    assert (await client.post("/tasks", json=body)).status_code == 202
    assert repository.submissions[0].spec.circuit == "x"


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"])
async def test_json_media_types_are_accepted(client: httpx.AsyncClient, media_type: str) -> None:
    response = await client.post("/tasks", content=b'{"qc":"x"}', headers={"Content-Type": media_type})
    assert response.status_code == 202


async def test_any_other_unicode_text_is_stored_unchanged(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    program = "// θ \U0001f600 \x7f\r\n\t\nOPENQASM 3.0;"
    assert (await client.post("/tasks", json={"qc": program})).status_code == 202
    assert repository.submissions[0].spec.circuit == program


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ("{}", "invalid_request", "#/qc"),
        ('{"shots":5}', "invalid_request", "#/qc"),
        ('{"qc":""}', "invalid_request", "#/qc"),
        ('{"qc":" \\n\\t "}', "invalid_request", "#/qc"),
        ('{"qc":null}', "invalid_request", "#/qc"),
        ('{"qc":5}', "invalid_request", "#/qc"),
        ('{"qc":true}', "invalid_request", "#/qc"),
        ('{"qc":["SECRETWORD"]}', "invalid_request", "#/qc"),
        ('{"qc":{"a":"SECRETWORD"}}', "invalid_request", "#/qc"),
        ('{"circuit":""}', "invalid_request", "#/circuit"),
        ('{"qc":"SECRETWORD","circuit":"SECRETWORD 2"}', "invalid_request", "#/circuit"),
        ('{"qc":"SECRETWORD\\u0000"}', "invalid_request", "#/qc"),
        ('{"qc":"SECRETWORD","shots":0}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":-1}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":5001}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":' + "9" * 60 + "}", "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":true}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":1.0}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":1e2}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":"5"}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":[5]}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shots":NaN}', "invalid_request", "#/shots"),
        ('{"qc":"SECRETWORD","shot":5}', "invalid_request", "#/shot"),
        ('{"qc":"SECRETWORD","a/b~c d":1}', "invalid_request", "#/a~1b~0c%20d"),
        ("[]", "invalid_request", "#"),
        ('["SECRETWORD"]', "invalid_request", "#"),
        ('"SECRETWORD"', "invalid_request", "#"),
        ("null", "invalid_request", "#"),
        ("5", "invalid_request", "#"),
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("OPENQASM 3.0; // SECRETWORD", "invalid_json", None),
        ('{"qc":"SECRETWORD"} SECRETWORD', "invalid_json", None),
        ('{"qc":"SECRETWORD\\ud800"}', "invalid_json", None),
        ('{"qc":"SECRETWORD\\udc00x"}', "invalid_json", None),
        ('{"qc":"SECRETWORD\x00"}', "invalid_json", None),
        ('{"qc":"SECRETWORD\n"}', "invalid_json", None),
        ('{"shots":' + "9" * 5000 + "}", "invalid_json", None),
        ('{"qc":' + "[" * 9000, "invalid_json", None),
        ("[" * 9000 + "]" * 9000, "invalid_json", None),
        ('{"a":' * 2000 + "1" + "}" * 2000, "invalid_json", None),
    ],
)
async def test_bad_bodies_are_rejected_by_field_without_echo(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: str, code: str, pointer: str | None
) -> None:
    response = await client.post("/tasks", content=body.encode(), headers={"Content-Type": "application/json"})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, code)
    assert [error["pointer"] for error in problem.get("errors", [])] == ([pointer] if pointer else [])
    assert SECRET not in response.text
    assert repository.submissions == []


@pytest.mark.parametrize("body", [b'{"qc":"\xff\xfe"}', '{"qc":"x"}'.encode("utf-16"), b'\xef\xbb\xbf{"qc":"x"}'])
async def test_bodies_that_are_not_plain_utf8_are_invalid_json(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/tasks", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_json")


async def test_surrogates_are_rejected_with_the_reason(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.post("/tasks", content=b'{"qc":"\\ud800"}', headers=headers)
    assert "surrogates only in pairs" in response.json()["detail"]


async def test_every_bad_field_is_named(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/tasks", json={"qc": 1, "shots": "x", "seeds": 5})).json()
    assert problem["errors"] == [
        {"detail": "must be a string", "pointer": "#/qc"},
        {"detail": "must be an integer", "pointer": "#/shots"},
        {"detail": "is not a known field", "pointer": "#/seeds"},
    ]
    assert problem["detail"] == "qc must be a string; shots must be an integer; seeds is not a known field."


async def test_shots_over_the_limit_name_the_limit(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/tasks", json={"qc": "x", "shots": 5001})).json()
    assert problem["detail"] == "shots must be at most 5000."


async def test_a_program_sent_as_a_field_name_is_cut_short(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"h q[0]; " * 100: 1})
    assert len(response.text) < 800


async def test_countless_unknown_fields_are_counted_not_listed(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/tasks", json={f"field{i}": i for i in range(4000)})).json()
    assert problem["errors"] == [{"detail": "has 4000 errors", "pointer": "#"}]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=json"},
        {"Content-Type": "text/json"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_other_content_types_are_rejected(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/tasks", content=b'{"qc":"x"}', headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response.headers["accept"] == "application/json"


async def test_nothing_at_all_is_invalid_json(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_json")


async def test_trace_context_is_handed_on(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    await client.post("/tasks", json={"qc": "x"}, headers={"traceparent": TRACE})
    assert repository.submissions[0].trace_context == TRACE


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "x",
        TRACE.upper(),
        TRACE + "-00",
        TRACE[:-1],
        "ff" + TRACE[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
async def test_malformed_trace_context_is_dropped(
    client: httpx.AsyncClient, repository: FakeTaskRepository, offered: str
) -> None:
    await client.post("/tasks", json={"qc": "x"}, headers={"traceparent": offered})
    assert repository.submissions[0].trace_context is None


async def test_database_down_answers_503_without_details(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = DatabaseUnavailable("cannot reach db.internal:5432 as ketline")
    response = await client.post("/tasks", json={"qc": "x"})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "db.internal" not in response.text
