"""A server on loopback with the part of qBraid's HTTP interface that `qbraid-core` 0.6 uses for jobs.

Paths, headers, bodies and fields are those of qbraid-core's `QuantumRuntimeClient` and its schemas, and of
https://docs.qbraid.com/v2/api-reference/rest. It records the requests, and computes counts by Qiskit's reference
simulator, with the last bit of `c` first, as qBraid does.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

KEY = "qbr_0123456789abcdef"
QRN = "qbraid:qbraid:sim:recorded"
QUBITS = 6
MAX_SHOTS = 5000
TIME = "2026-11-30T02:00:00Z"


@dataclass(slots=True)
class Recording:
    """What the server was asked, its jobs by resource name, and how it answers the next submissions."""

    url: str = ""
    languages: tuple[str, ...] = ("qasm3",)
    status: str = "ONLINE"
    requests: list[tuple[str, str]] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def qbraid_server() -> Iterator[Recording]:
    """Serve until the context is left."""
    # In the main thread: the process crashes if the first thread that uses Qiskit is another one.
    importlib.import_module("qiskit.qasm3")
    recording = Recording()
    handler = type("Handler", (_Handler,), {"recording": recording})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        recording.url = f"http://127.0.0.1:{server.server_port}/api/v1"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield recording
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    recording: Recording
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        place = urlsplit(self.path.removeprefix("/api/v1"))
        self._serve("GET", place.path, parse_qs(place.query), {})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        self._serve("POST", self.path.removeprefix("/api/v1"), {}, body)

    def _serve(self, method: str, path: str, query: Mapping[str, list[str]], body: dict[str, Any]) -> None:
        with self.recording.lock:
            self.recording.requests.append((method, path))
            if self.headers.get("X-API-Key") != KEY:
                return self._send(401, {"success": False, "error": {"message": "Invalid API key"}})
            fault = (
                self.recording.faults.pop(0) if method == "POST" and path == "/jobs" and self.recording.faults else ""
            )
            if fault == "unavailable":
                return self._send(503, {"success": False, "message": "Try again later"})
            if fault == "no credits":
                return self._send(402, {"success": False, "error": {"message": "Insufficient credits"}})
            status, data = self._answer(method, path, query, body)
        if fault == "lose answer":
            self.close_connection = True
            self.connection.close()
            return None
        if fault == "error":
            return self._send(500, {"success": False, "message": "Internal error"})
        return self._send(
            status,
            {"success": status < 400, "data": data, "message": data.get("message") if isinstance(data, dict) else None},
        )

    def _answer(self, method: str, path: str, query: Mapping[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        match [method, *path.strip("/").split("/")]:
            case ["GET", "users", "verify"]:
                return 200, {"userId": "u", "organizationId": "o", "organizationUserId": "ou"}
            case ["GET", "devices", qrn]:
                return (200, self._device()) if qrn == QRN else (404, {"message": "Device not found"})
            case ["POST", "jobs"]:
                return self._create(body)
            case ["GET", "jobs"]:
                tags = json.loads(query["tags"][0])
                jobs = self.recording.jobs.values()
                return 200, [_view(job) for job in jobs if tags.items() <= job["tags"].items()]
            case [_, "jobs", qrn, *rest] if qrn in self.recording.jobs:
                return self._job(self.recording.jobs[qrn], rest)
        return 404, {"message": "Not found"}

    def _job(self, job: dict[str, Any], rest: list[str]) -> tuple[int, Any]:
        if rest == ["cancel"]:
            if job["status"] in ("COMPLETED", "CANCELLED"):
                return 409, {"message": "The job has ended"}
            job["status"] = "CANCELLED"
            return 200, {}
        if rest == ["result"]:
            return 200, {
                "status": job["status"],
                "cost": 0,
                "timeStamps": {"createdAt": TIME, "endedAt": TIME},
                "resultData": {"measurementCounts": _counts(job)},
            }
        view = _view(job)
        # It is queued when it is read first, and done then.
        job["status"] = {"INITIALIZING": "QUEUED", "QUEUED": "COMPLETED"}.get(job["status"], job["status"])
        return 200, view

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["deviceQrn"] != QRN or body["program"]["format"] not in self.recording.languages:
            return 422, {"message": "The device does not take this format"}
        qrn = f"{QRN}-{uuid4().hex}"
        self.recording.jobs[qrn] = {**body, "jobQrn": qrn, "status": "INITIALIZING"}
        return 201, _view(self.recording.jobs[qrn])

    def _device(self) -> dict[str, Any]:
        return {
            "name": "Recorded simulator",
            "qrn": QRN,
            "vendor": "qbraid",
            "deviceType": "SIMULATOR",
            "runInputTypes": list(self.recording.languages),
            "status": self.recording.status,
            "queueDepth": len(self.recording.jobs),
            "numberQubits": QUBITS,
            "paradigm": "gate_model",
            "maxShots": MAX_SHOTS,
            "minShots": 1,
            "directAccess": True,
        }

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def _view(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job as `RuntimeJob` of qbraid-core reads it."""
    return {
        **{name: job[name] for name in ("jobQrn", "status", "deviceQrn", "shots", "tags", "name")},
        "vendor": "qbraid",
        "provider": "qbraid",
        "experimentType": "gate_model",
        "timeStamps": {"createdAt": TIME},
        "estimatedCost": 0,
    }


def _counts(job: Mapping[str, Any]) -> dict[str, int]:
    """Counts of the register `c`, which Qiskit's bitstrings have with the last bit first."""
    from qiskit import qasm2, qasm3
    from qiskit.primitives import StatevectorSampler

    language, text = job["program"]["format"], job["program"]["data"]
    circuit = qasm3.loads(text) if language == "qasm3" else qasm2.loads(text)
    [result] = StatevectorSampler(seed=1).run([circuit], shots=job["shots"]).result()
    counts: dict[str, int] = result.data.c.get_counts()
    return counts
