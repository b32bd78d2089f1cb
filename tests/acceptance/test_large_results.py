"""Results of many megabytes, and many who read one at the same time."""

import csv
import gzip
import io
import json
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.acceptance.processes import running_process

READERS = 30
BODIES_READ = 3
JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
MAX_GROWTH_MB = 200
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
        running_process(
            tmp_path_factory.mktemp("service"), KETLINE_WORKER_SLOTS="1", KETLINE_WRITE_TIMEOUT_S="600"
        ) as (url, pid),
        httpx.Client(base_url=url, timeout=90) as http,
    ):
        task_id = http.post("/tasks", json={"qc": program, "shots": SHOTS}).json()["task_id"]
        assert http.get(f"/tasks/{task_id}?wait=60&result=false").json()["status"] == "completed"
        yield Service(url, pid, task_id)


class Reader:
    """A client that takes the head of an answer, and the body only when it is requested."""

    def __init__(self, service: Service, path: str, encoding: str = "identity", media_type: str = JSON) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)  # the rest waits in the service
        self._socket.settimeout(90)
        self._socket.connect(("127.0.0.1", int(service.url.rpartition(":")[2])))
        lines = f"GET {path} HTTP/1.1", "Host: localhost", f"Accept-Encoding: {encoding}", f"Accept: {media_type}"
        self._socket.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        self._encoding = encoding
        self._received = bytearray()

    def take_head(self) -> None:
        while b"\r\n\r\n" not in self._received:
            self._receive()

    def body(self) -> bytes:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        while self._receive():
            pass
        head, _, body = bytes(self._received).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert (b"content-encoding: gzip" in head.lower()) == (self._encoding == "gzip")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None
        assert int(length[1]) == len(body)
        return gzip.decompress(body) if self._encoding == "gzip" else body

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> int:
        part = self._socket.recv(1 << 18)
        self._received += part
        return len(part)


def read_at_once(service: Service, readers: Callable[[], Sequence[Reader]]) -> tuple[Sequence[bytes], float]:
    """The bodies of the first readers while all of them are being answered, and by how many MB the service grew."""
    Path(f"/proc/{service.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = service.memory_mb("VmRSS")
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(reader)) for reader in readers()]
        for reader in opened:
            reader.take_head()
        bodies = [reader.body() for reader in opened[:BODIES_READ]]
    return bodies, service.memory_mb("VmHWM") - before


@pytest.mark.parametrize(
    ("suffix", "encoding"), [("", "identity"), ("", "gzip"), ("/counts", "identity"), ("/counts", "gzip")]
)
def test_readers_of_a_large_result_fit_into_memory(service: Service, suffix: str, encoding: str) -> None:
    path = f"/tasks/{service.task_id}{suffix}"
    bodies, grown = read_at_once(service, lambda: [Reader(service, path, encoding) for _ in range(READERS)])
    [body] = set(bodies)
    assert len(body) > 11_000_000
    shown = json.loads(body)
    counts = shown if suffix else shown["result"]["counts"]
    assert sum(counts.values()) == SHOTS
    assert {len(key) for key in counts} == {QUBITS}
    assert grown < MAX_GROWTH_MB


def test_readers_of_different_forms_of_large_counts_fit_into_memory(service: Service) -> None:
    path = f"/tasks/{service.task_id}/counts"
    forms = (JSON, CSV, NPY) * (READERS // BODIES_READ)
    bodies, grown = read_at_once(service, lambda: [Reader(service, path, media_type=form) for form in forms])
    as_json, as_csv, as_array = bodies
    counts = json.loads(as_json)
    assert {row["outcome"]: int(row["count"]) for row in csv.DictReader(io.StringIO(as_csv.decode()))} == counts
    assert {outcome.decode(): count for outcome, count in np.load(io.BytesIO(as_array)).tolist()} == counts
    assert grown < MAX_GROWTH_MB


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
