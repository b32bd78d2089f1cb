"""Results of many megabytes, and many who read one at the same time."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import running_process

READERS = 30
COUNTS_READERS = 8  # each body of counts is written anew, half a second of a core
MOST_GROWTH_MB = 200
QUBITS = 110
SHOTS = 100_000


@dataclass(frozen=True)
class Service:
    url: str
    pid: int
    task_id: str

    def memory_mb(self, name: str) -> float:
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    program = f'OPENQASM 3.0; include "stdgates.inc"; qubit[{QUBITS}] q; bit[{QUBITS}] c; h q; c = measure q;'
    with (
        running_process(tmp_path_factory.mktemp("service"), KETLINE_WORKER_SLOTS="1") as (url, pid),
        httpx.Client(base_url=url, timeout=90) as http,
    ):
        task_id = http.post("/tasks", json={"qc": program, "shots": SHOTS}).json()["task_id"]
        assert http.get(f"/tasks/{task_id}?wait=60&result=false").json()["status"] == "completed"
        yield Service(url, pid, task_id)


def slow_read(service: Service, path: str, encoding: str) -> bytes:
    """The body of an answer, read by a client whose system holds little of what it has not taken."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        client.settimeout(90)
        client.connect(("127.0.0.1", int(service.url.rpartition(":")[2])))
        lines = f"GET {path} HTTP/1.1", "Host: localhost", f"Accept-Encoding: {encoding}", "Connection: close", "", ""
        client.sendall("\r\n".join(lines).encode())
        received = bytearray()
        while part := client.recv(1 << 16):
            received += part
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    assert (b"content-encoding: gzip" in head.lower()) == (encoding == "gzip")
    length = re.search(rb"content-length: (\d+)", head.lower())
    assert length is not None
    assert int(length[1]) == len(body)
    return gzip.decompress(body) if encoding == "gzip" else body


@pytest.mark.parametrize(
    ("suffix", "encoding", "number"),
    [("", "identity", READERS), ("", "gzip", READERS), ("/counts", "identity", COUNTS_READERS)],
)
def test_readers_of_a_large_result_fit_into_memory(service: Service, suffix: str, encoding: str, number: int) -> None:
    path = f"/tasks/{service.task_id}{suffix}"
    Path(f"/proc/{service.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = service.memory_mb("VmRSS")
    with ThreadPoolExecutor(number) as readers:
        bodies = set(readers.map(lambda _: slow_read(service, path, encoding), range(number)))
    grown = service.memory_mb("VmHWM") - before
    [body] = bodies
    assert len(body) > 11_000_000
    shown = json.loads(body)
    counts = shown if suffix else shown["result"]["counts"]
    assert sum(counts.values()) == SHOTS
    assert {len(key) for key in counts} == {QUBITS}
    assert grown < MOST_GROWTH_MB


def test_task_with_a_large_result_is_shown_as_any_other(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as http:
        task = http.get(f"/tasks/{service.task_id}").json()
        assert task["status_history"][-1]["status"] == "completed"
        assert task["result"]["shots"] == SHOTS
        assert task["result"]["success"] is True
        assert "result" not in http.get(f"/tasks/{service.task_id}?result=false").json()
        assert http.patch(f"/tasks/{service.task_id}", json={"name": "large"}).json()["result"] == task["result"]
        assert http.get(f"/tasks/{service.task_id}/counts").json() == task["result"]["counts"]
        assert len(http.get(f"/tasks/{service.task_id}/counts?top=3").json()) == 3
        whole = http.get(f"/ui/tasks/{service.task_id}/counts.json")
        assert whole.json() == task["result"]["counts"]
        part = http.get(f"/tasks/{service.task_id}/counts", headers={"Range": "bytes=5-2000004"})
        assert (part.status_code, part.content) == (206, whole.content[5:2_000_005])
        assert http.get(f"/ui/tasks/{service.task_id}").status_code == 200
