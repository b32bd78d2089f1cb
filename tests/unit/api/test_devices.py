"""The routes of devices."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.devices.backend import BACKEND_NAME
from ketline.domain.devices.device import device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.limits import MAX_DEVICE_BYTES, MAX_DEVICES
from ketline.service.services import Services

PAIR: dict[str, Any] = {
    "qubits": [{"t1_us": 120, "t2_us": 90, "p01": 0.01, "p10": 0.02}, {}],
    "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.004, "duration_ns": 68}],
}
SHIPPED = ["line-27", "grid-25", "heavy-hex-57"]


async def test_shipped_devices_are_listed_and_read(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/devices")).json()["devices"]
    assert [one["name"] for one in listed] == SHIPPED
    for entry in listed:
        device = device_from_json((await client.get(f"/devices/{entry['name']}")).json())
        assert device == generic_devices()[entry["name"]]
        assert entry == {
            "name": device.name,
            "description": device.description,
            "num_qubits": device.num_qubits,
            "couplings": len(device.edges),
            "gates": list(device.gate_names),
            "digest": device.digest,
            "shipped": True,
        }


async def test_device_is_stored_read_replaced_and_removed(client: httpx.AsyncClient) -> None:
    stored = await client.put("/devices/pair", json=PAIR)
    assert (stored.status_code, stored.headers["location"]) == (201, "/devices/pair")
    view = stored.json()
    assert (view["name"], view["num_qubits"], view["gates"], view["shipped"]) == ("pair", 2, ["cz"], False)
    read = (await client.get("/devices/pair")).json()
    assert device_from_json(read) == device_from_json({**PAIR, "name": "pair"})
    again = await client.put("/devices/pair", json=read)
    assert (again.status_code, again.json()) == (200, view)
    changed = await client.put("/devices/pair", json={**read, "description": "changed"})
    assert (changed.status_code, changed.json()["description"]) == (200, "changed")
    assert changed.json()["digest"] != view["digest"]
    assert [one["name"] for one in (await client.get("/devices")).json()["devices"]] == [*SHIPPED, "pair"]
    assert (await client.delete("/devices/pair")).status_code == 204
    for method in ("GET", "DELETE"):
        gone = await client.request(method, "/devices/pair")
        assert (gone.status_code, gone.json()["code"]) == (404, "device_not_found")
        assert "'pair'" in gone.json()["detail"]


async def test_tag_of_a_device_changes_with_its_content(client: httpx.AsyncClient) -> None:
    await client.put("/devices/pair", json=PAIR)
    first = await client.get("/devices/pair")
    unchanged = await client.get("/devices/pair", headers={"If-None-Match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await client.put("/devices/pair", json={**PAIR, "description": "changed"})
    changed = await client.get("/devices/pair", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({**PAIR, "name": "other"}, "#/name", "must be that of the path, or left out"),
        ({**PAIR, "name": 7}, "#/name", "must be that of the path, or left out"),
        ({**PAIR, "qubits": [{"t1_us": 1, "t2_us": 3}]}, "#/qubits/0/t2_us", "must be at most twice t1_us"),
        ({**PAIR, "gates": [{"name": "cz", "qubits": [0, 2]}]}, "#/gates/0/qubits/1", "must be an integer from 0 to 1"),
        ({**PAIR, "a/b": 1}, "#/a~1b", "is not a known field"),
        ({**PAIR, "a" * 1000: 1}, f"#/{'a' * 64}", "is not a known field"),
        ([PAIR], "#", "must be a JSON object"),
        (None, "#", "must be a JSON object"),
    ],
)
async def test_what_is_no_device_is_rejected(client: httpx.AsyncClient, body: Any, pointer: str, detail: str) -> None:
    response = await client.put("/devices/pair", content=json.dumps(body), headers={"Content-Type": "application/json"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "device_invalid")
    [error] = problem["errors"]
    assert (error["pointer"], detail in error["detail"]) == (pointer, True)
    assert error["detail"] in problem["detail"]
    assert (await client.get("/devices/pair")).status_code == 404


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "invalid_json"),
        (b"{", 422, "invalid_json"),
        (b'{"qubits": [{"t1_us": NaN}]}', 422, "device_invalid"),
        (b'{"qubits": [{"t1_us": 1e999}]}', 422, "device_invalid"),
        (b'{"qubits": [{"t1_us": ' + b"9" * 5000 + b"}]}", 422, "invalid_json"),
        (b'{"qubits": [{"t1_us": ' + b"9" * 4000 + b"}]}", 422, "device_invalid"),
        (b'{"\\ud800": 1}', 422, "invalid_json"),
        (b"[" * 5000, 422, "invalid_json"),
    ],
)
async def test_hostile_json_is_rejected(client: httpx.AsyncClient, content: bytes, status: int, code: str) -> None:
    response = await client.put("/devices/pair", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_body_of_another_type_is_rejected(client: httpx.AsyncClient) -> None:
    response = await client.put("/devices/pair", content=json.dumps(PAIR), headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_device_over_the_limit_of_bytes_is_rejected(services: Services, options: ApiOptions) -> None:
    """Also where the service takes larger bodies."""
    app = create_app(services, replace(options, max_program_bytes=MAX_DEVICE_BYTES))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        content = b" " * MAX_DEVICE_BYTES + json.dumps(PAIR).encode()
        response = await client.put("/devices/pair", content=content, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert "4,194,304" in response.json()["detail"]
        wide = json.dumps({**PAIR, "qubits": [{}] * 1_000_000})
        response = await client.put("/devices/pair", content=wide, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (422, "device_invalid")


@pytest.mark.parametrize("name", [*SHIPPED, BACKEND_NAME])
async def test_reserved_names_are_rejected(client: httpx.AsyncClient, name: str) -> None:
    for response in (await client.put(f"/devices/{name}", json=PAIR), await client.delete(f"/devices/{name}")):
        assert (response.status_code, response.json()["code"]) == (409, "device_reserved")
        assert name in response.json()["detail"]


@pytest.mark.parametrize("name", ["%00", ".hidden", "a%20b", "%C3%A9", "-", "a%0A"])
async def test_names_that_no_device_can_have(client: httpx.AsyncClient, name: str) -> None:
    for method in ("GET", "DELETE"):
        response = await client.request(method, f"/devices/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "device_not_found")
    response = await client.put(f"/devices/{name}", json=PAIR)
    assert (response.status_code, response.json()["code"]) == (422, "device_invalid")
    assert response.json()["errors"][0]["pointer"] == "#/name"


async def test_project_has_room_for_some_devices(client: httpx.AsyncClient) -> None:
    for number in range(MAX_DEVICES):
        assert (await client.put(f"/devices/pair-{number}", json=PAIR)).status_code == 201
    response = await client.put("/devices/another", json=PAIR)
    assert (response.status_code, response.json()["code"]) == (409, "too_many_devices")
    assert str(MAX_DEVICES) in response.json()["detail"]


async def test_unknown_parameters_are_rejected(client: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("GET", "/line-27"), ("PUT", "/pair"), ("DELETE", "/pair")):
        response = await client.request(method, f"/devices{path}?which=all")
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
