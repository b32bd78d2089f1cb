import re

import httpx
import pytest
from openapi_spec_validator import validate
from openqasm3.parser import parse

from ketline.schemas.problems import Problem
from ketline.schemas.types import BELL
from tests.pages.calls import CALLS

ADDRESS = re.compile(r"""(?:src|href)="([^"]+)\"""")
# A stream without an end, probes that say no more than `/health`, and secrets.
NOT_ON_THE_PAGE = {("GET", "/tasks/events"), ("GET", "/livez"), ("GET", "/readyz")}
NOT_ON_THE_PAGE |= {(method, "/projects/{name}/webhook-secret") for method in ("GET", "POST")}
ELSEWHERE = re.compile(r"(?:https?:)?//")


async def test_docs_load_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not ELSEWHERE.search(page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


async def test_docs_have_no_inline_script(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", ""]


async def test_all_assets_of_docs_are_served_and_cached(client: httpx.AsyncClient) -> None:
    addresses = ADDRESS.findall((await client.get("/docs")).text)
    assert len(addresses) == 5
    for address in addresses:
        response = await client.get("/" + address)
        assert response.status_code == 200
        assert response.headers["x-content-type-options"] == "nosniff"
        if address != "openapi.json":
            assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"), ("favicon-32x32.png", "image/png")],
)
async def test_assets_have_their_media_types(client: httpx.AsyncClient, name: str, media_type: str) -> None:
    page = (await client.get("/docs")).text
    (address,) = [address for address in ADDRESS.findall(page) if address.endswith("/" + name)]
    assert (await client.get("/" + address)).headers["content-type"].startswith(media_type)


@pytest.mark.parametrize(
    "path", ["5.35.0/../../app.py", "5.35.0/README.md", "0/swagger-ui.css", "5.35.0/%2e%2e%2fapp.py"]
)
async def test_no_other_file_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get("/docs/assets/" + path)).status_code == 404


async def test_front_page_escapes_the_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Host": "x<script>alert(1)</script>"})
    assert "<script>" not in page.text


async def test_every_operation_is_on_the_page_of_calls(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    operations = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    calls = {(call.method, call.path.partition("?")[0]) for call in CALLS if not isinstance(call, str)}

    def is_called(method: str, path: str) -> bool:
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        return any(called == method and re.fullmatch(pattern, to) for called, to in calls)

    assert {operation for operation in operations if not is_called(*operation)} == NOT_ON_THE_PAGE


async def test_openapi_describes_every_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert {name: operation["operationId"] for name, operation in operations.items()} == {
        "POST /tasks": "submit_task",
        "POST /tasks/batch": "submit_batch",
        "POST /tasks/ended": "read_ended_tasks",
        "GET /tasks": "list_tasks",
        "GET /tasks/stats": "read_statistics",
        "GET /tasks/stats/history": "read_history",
        "GET /tasks/events": "follow_tasks",
        "PATCH /tasks/{task_id}": "change_task",
        "DELETE /tasks/{task_id}": "delete_task",
        "POST /tasks/{task_id}/enqueue": "enqueue_task",
        "POST /tasks/{task_id}/rerun": "rerun_task",
        "GET /tasks/{task_id}": "read_task",
        "GET /tasks/{task_id}/counts": "read_counts",
        "GET /tasks/{task_id}/memory": "read_memory",
        "GET /tasks/{task_id}/output": "read_output",
        "GET /tasks/{task_id}/outputs": "read_outputs",
        "GET /tasks/{task_id}/outputs/{name}": "read_output_by_name",
        "GET /tasks/{task_id}/events": "follow_task",
        "POST /tasks/{task_id}/cancel": "cancel_task",
        "GET /tasks/{task_id}/circuit": "read_circuit",
        "POST /validate": "validate_program",
        "GET /backends": "read_backends",
        "GET /devices": "list_devices",
        "GET /devices/{name}": "read_device",
        "PUT /devices/{name}": "store_device",
        "DELETE /devices/{name}": "remove_device",
        "GET /tasks/{task_id}/deliveries": "read_deliveries",
        "POST /tasks/{task_id}/redeliver": "redeliver_task",
        "GET /deliveries": "list_deliveries",
        "POST /deliveries/redeliver": "redeliver_dead",
        "GET /workers": "read_workers",
        "GET /whoami": "read_principal",
        "GET /keys": "list_keys",
        "POST /keys": "create_key",
        "DELETE /keys/{key_id}": "revoke_key",
        "POST /keys/{key_id}/rotate": "rotate_key",
        "GET /projects": "list_projects",
        "POST /projects": "create_project",
        "GET /projects/{name}": "read_project",
        "PATCH /projects/{name}": "change_project",
        "GET /projects/{name}/webhook-secret": "read_webhook_secret",
        "POST /projects/{name}/webhook-secret": "rotate_webhook_secret",
        "GET /audit": "read_audit",
        "GET /admin/pauses": "list_pauses",
        "POST /admin/pauses": "pause_claims",
        "DELETE /admin/pauses": "resume_all_claims",
        "DELETE /admin/pauses/{queue}": "resume_claims",
        "POST /admin/workers/{worker_id}/drain": "drain_worker",
        "DELETE /admin/workers/{worker_id}/drain": "end_drain",
        "POST /admin/tasks/{task_id}/requeue": "requeue_task",
        "POST /admin/tasks/{task_id}/fail": "fail_task",
        "POST /admin/vacuum": "vacuum_database",
        "GET /usage": "read_usage",
        "GET /health": "read_health",
        "GET /livez": "read_liveness",
        "GET /version": "read_version",
        "GET /readyz": "read_readiness",
    }
    assert all(len(operation["tags"]) == 1 for operation in operations.values())
    assert document["info"]["version"] == "1.2.3"


async def test_openapi_documents_errors_as_problem_documents(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    submit = document["paths"]["/tasks"]["post"]["responses"]
    assert set(submit) == {"200", "202", "403", "413", "415", "422", "429", "500", "503"}
    for status, response in submit.items():
        if status not in {"200", "202"}:
            (media_type,) = response["content"]
            assert media_type == "application/problem+json"
            for example in response["content"][media_type]["examples"].values():
                Problem.model_validate(example["value"])
    assert set(document["paths"]["/tasks/{task_id}"]["get"]["responses"]) == {"200", "404", "422", "500", "503"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_openapi_states_the_configured_limits(client: httpx.AsyncClient) -> None:
    shapes = (await client.get("/openapi.json")).json()["components"]["schemas"]
    shots = shapes["SubmitRequest"]["properties"]["shots"]
    assert (shots["minimum"], shots["maximum"], "default" in shots) == (1, 5000, False)
    assert shots["description"].endswith("; 777 if left out or null")
    assert shapes["SubmitRequest"]["additionalProperties"] is False


async def test_each_success_of_a_submission_has_one_shape(client: httpx.AsyncClient) -> None:
    """A generated client would take the first member of a union that fits: of a task and its receipt, the receipt."""
    submit = (await client.get("/openapi.json")).json()["paths"]["/tasks"]["post"]["responses"]
    shapes = {status: submit[status]["content"]["application/json"]["schema"] for status in ("200", "202")}
    assert shapes == {
        "200": {"$ref": "#/components/schemas/TaskView"},
        "202": {"$ref": "#/components/schemas/TaskAccepted"},
    }


async def test_every_reference_in_openapi_resolves(client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    shapes = response.json()["components"]["schemas"]
    for name in re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', response.text):
        assert name in shapes


def test_the_example_program_parses() -> None:
    assert parse(BELL).statements


def _defaults_that_are_too_short(value: object) -> list[object]:
    if isinstance(value, list):
        return [found for item in value for found in _defaults_that_are_too_short(item)]
    if not isinstance(value, dict):
        return []
    default = value.get("default")
    wrong = [value] if isinstance(default, str) and len(default) < value.get("minLength", 0) else []
    return wrong + [found for item in value.values() for found in _defaults_that_are_too_short(item)]


async def test_every_default_is_valid_for_its_field(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["schemas"]["SubmitRequest"]["properties"]["qc"]["minLength"] == 1
    assert _defaults_that_are_too_short(document) == []


async def test_openapi_document_is_valid(client: httpx.AsyncClient) -> None:
    """Also the defaults and examples of its schemas, as the OpenAPI initiative's own meta-schema has them."""
    validate((await client.get("/openapi.json")).json())
