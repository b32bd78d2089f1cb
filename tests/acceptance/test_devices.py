"""Devices of a running service: the command line, the clients, and what Qiskit makes of them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from qiskit.providers.fake_provider import GenericBackendV2

from ketline.client import AsyncClient, Client, RequestInvalid, RequestRefused
from ketline.domain.access.principals import Role
from ketline.domain.devices.device import device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.qiskit import device_target, export_device
from tests.acceptance.processes import running_service
from tests.acceptance.projects import shared_service
from tests.forking.client import ForkServer

PAIR = {"name": "pair", "qubits": [{}, {"t1_us": 100.0}], "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.01}]}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """The address of an embedded service."""
    with running_service(tmp_path_factory.mktemp("devices"), fork_server) as url:
        yield url


def command(url: str, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """What `ketline devices` prints, and its exit status."""
    line = [sys.executable, "-m", "ketline", "devices", *arguments, "--url", url]
    return subprocess.run(line, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_commands_add_list_show_and_remove_a_device(url: str, tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    path.write_text(json.dumps(PAIR), encoding="utf-8")
    assert command(url, "add", str(path)).stdout == "pair\n"
    listed = command(url, "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == [*generic_devices(), "pair"]
    assert listed[-1].split("\t")[1:4] == ["2", "1", "cz"]
    shown = command(url, "show", "pair").stdout
    assert device_from_json(json.loads(shown)) == device_from_json(PAIR)
    assert json.loads(command(url, "add", "-", "--name", "copy", "--json", given=shown).stdout)["name"] == "copy"
    for name in ("pair", "copy"):
        assert command(url, "remove", name).returncode == 0
    gone = command(url, "show", "pair")
    assert (gone.returncode, gone.stderr) == (2, "ketline: There is no device 'pair'; `GET /devices` lists all.\n")
    assert command(url, "remove", "grid-25").returncode == 2


def test_clients_store_read_and_remove_a_device(url: str) -> None:
    backend = GenericBackendV2(5, seed=3)
    with Client(url) as client:
        stored = client.put_device(export_device(backend), "generic")
        assert (stored["name"], stored["num_qubits"], stored["couplings"]) == ("generic", 5, 10)
        assert [one["name"] for one in client.devices()] == [*generic_devices(), "generic"]
        target = device_target(client.device("generic"))
        assert set(target.build_coupling_map().get_edges()) == set(backend.coupling_map.get_edges())
        client.remove_device("generic")
        with pytest.raises(RequestRefused) as gone:
            client.remove_device("generic")
        assert gone.value.code == "device_not_found"
        for name in ("", "..", "."):
            with pytest.raises(RequestInvalid):
                client.device(name)
        with pytest.raises(RequestRefused) as invalid:
            client.put_device({**PAIR, "qubits": []})
        assert (invalid.value.code, invalid.value.faults[0].pointer) == ("device_invalid", "#/qubits")

    async def with_asyncio() -> None:
        async with AsyncClient(url) as client:
            assert (await client.put_device(PAIR))["name"] == "pair"
            assert device_from_json(await client.device("pair")) == device_from_json(PAIR)
            assert "pair" in [one["name"] for one in await client.devices()]
            await client.remove_device("pair")

    asyncio.run(with_asyncio())


def test_device_of_a_project_is_none_of_another(tmp_path: Path, fork_server: ForkServer) -> None:
    with shared_service(tmp_path, fork_server) as service:
        ours, theirs = service.key("ours", Role.SUBMITTER), service.key("theirs", Role.OPERATOR)
        with service.client(ours) as owner, service.client(theirs) as stranger:
            assert owner.put("/devices/pair", json=PAIR).status_code == 201
            for method in ("GET", "DELETE"):
                headers = {"X-Correlation-ID": "same"}
                unknown, foreign = (
                    stranger.request(method, f"/devices/{name}", headers=headers) for name in ("none", "pair")
                )
                assert (foreign.status_code, unknown.status_code) == (404, 404)
                assert foreign.text.replace("pair", "none") == unknown.text
            assert "pair" not in stranger.get("/devices").text
            assert "pair" not in stranger.get("/ui/devices").text
            assert stranger.get("/ui/devices/pair").status_code == 404
            assert stranger.put("/devices/pair", json={**PAIR, "description": "theirs"}).status_code == 201
            assert "description" not in owner.get("/devices/pair").json()
        reader = service.key("ours", Role.READER)
        with service.client(reader) as client:
            assert client.get("/devices/pair").status_code == 200
            assert client.put("/devices/other", json=PAIR).status_code == 403
            assert client.delete("/devices/pair").status_code == 403
