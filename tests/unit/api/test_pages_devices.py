"""The pages of devices."""

import json
from typing import Any

import httpx
import pytest

from ketline.domain.devices.generic_devices import generic_devices

PAIR: dict[str, Any] = {
    "name": "pair",
    "description": "Two <qubits>",
    "qubits": [{"t1_us": 120.5}, {}],
    "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.0042, "duration_ns": 68}],
}


async def test_list_has_every_device(client: httpx.AsyncClient) -> None:
    await client.put("/devices/pair", json=PAIR)
    page = (await client.get("/ui/devices")).text
    for name in (*generic_devices(), "pair"):
        assert f'href="../ui/devices/{name}"' in page
    assert "Two &lt;qubits&gt;" in page


@pytest.mark.parametrize("device", generic_devices().values(), ids=lambda device: device.name)
async def test_page_of_a_device_draws_its_couplings(client: httpx.AsyncClient, device: Any) -> None:
    response = await client.get(f"/ui/devices/{device.name}")
    assert response.status_code == 200
    assert response.text.count("<line ") == len(device.edges)
    assert response.text.count("<circle ") == device.num_qubits
    assert f'href="../../devices/{device.name}"' in response.text
    assert "Remove" not in response.text


async def test_page_has_the_numbers_of_the_device(client: httpx.AsyncClient) -> None:
    await client.put("/devices/pair", json=PAIR)
    page = (await client.get("/ui/devices/pair")).text
    for shown in ("120.5 µs", "0.0042", "68 ns", "–", "Remove"):
        assert shown in page


async def test_page_of_a_large_device_has_the_first_rows(client: httpx.AsyncClient) -> None:
    gates = [{"name": "cz", "qubits": [qubit, qubit + 1]} for qubit in range(299)]
    response = await client.put("/devices/long", json={"qubits": [{}] * 300, "gates": gates})
    assert response.status_code == 201, response.text
    page = (await client.get("/ui/devices/long")).text
    assert "The first 200 of 300 qubits" in page
    assert "The first 200 of 299" in page
    assert "<svg" not in page


async def test_form_stores_a_device_and_shows_it(client: httpx.AsyncClient) -> None:
    for name, stored in (("", "pair"), ("other", "other")):
        sent = await client.post("/ui/devices", data={"device": json.dumps(PAIR), "name": name})
        assert (sent.status_code, sent.headers["location"]) == (303, f"devices/{stored}")
        assert (await client.get(f"/devices/{stored}")).json()["name"] == stored


@pytest.mark.parametrize(
    ("text", "status", "shown"),
    [
        ("{", 422, "the device must be JSON"),
        (json.dumps({**PAIR, "qubits": []}), 422, "qubits must be a list of length 1 to 2000"),
        (json.dumps({**PAIR, "name": "line-27"}), 409, "line-27 is shipped"),
        ("<script>", 422, "&lt;script&gt;"),
    ],
)
async def test_form_that_is_rejected_is_shown_again(
    client: httpx.AsyncClient, text: str, status: int, shown: str
) -> None:
    response = await client.post("/ui/devices", data={"device": text, "name": ""})
    assert (response.status_code, shown in response.text) == (status, True)
    assert 'role="alert"' in response.text
    assert "<script>alert" not in response.text


async def test_device_is_removed_by_its_button(client: httpx.AsyncClient) -> None:
    await client.put("/devices/pair", json=PAIR)
    sent = await client.post("/ui/devices/pair/remove")
    assert (sent.status_code, sent.headers["location"]) == (303, "../../devices")
    assert (await client.get("/ui/devices/pair")).status_code == 404
    assert (await client.post("/ui/devices/pair/remove")).status_code == 404
    assert (await client.post("/ui/devices/grid-25/remove")).status_code == 409
