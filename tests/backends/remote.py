"""A fake remote backend: an HTTP server on loopback that keeps jobs, computes their counts, and fails on demand.

    with FakeRemote(directory) as remote:                 # in a process of its own
        remote.fault("submit", "lose_answer", times=2)    # accept the next two submissions, and send no answer
        remote.kill(); remote.start()                     # the same address, and the same jobs
        remote.submissions()                              # {token: number of jobs}: none may have more than one

Jobs are in a SQLite file, so they survive the server. `ketline.backends` reaches it by the adapter of
`docs/backends.md`, `tests.backends.example:open_adapter`.

Faults, for `submit`, `poll`, `result`, `cancel`, `find` or `describe`:

| kind | effect |
|---|---|
| `lose_request` | the connection is closed before anything is done |
| `lose_answer` | the request is done, and the connection is closed |
| `repeat` | the request is done twice, as by a proxy that sends it again |
| `delay` | the answer comes after `seconds` |
| `busy` | 503 with `Retry-After: 1`, and nothing is done |
| `error` | the request is done, and the answer is 500 |
| `die_before`, `die_after` | the process is killed before or after the request is done |
| `deny` | 401 |
"""

import argparse
import importlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.forking.client import ROOT, BlockingProcess, ForkServer
from tests.servers.ports import free_ports

KEY = "a-secret-of-the-remote"
QUBITS = 6  # unless an option says otherwise
MAX_SHOTS = 10_000
_START_SECONDS = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, token TEXT, job TEXT, status TEXT, polls INTEGER DEFAULT 0, submitted_at REAL
);
"""


class FakeRemote:
    """The server process on one directory and port; it can be killed and started again.

    With `recognises_tokens` a repeated submission gives the same job. With `finds_tokens` it tells which job was
    submitted with a token. A job is done after `polls` polls. A fork server has imported Qiskit already.
    """

    def __init__(
        self,
        directory: Path,
        *,
        recognises_tokens: bool = False,
        finds_tokens: bool = False,
        polls: int = 2,
        qubits: int = QUBITS,
        fork_server: ForkServer | None = None,
    ) -> None:
        self._fork_server = fork_server
        [self.port] = free_ports(1)
        self._options = [f"--polls={polls}", f"--qubits={qubits}"]
        self._options += ["--recognises-tokens"] if recognises_tokens else []
        self._options += ["--finds-tokens"] if finds_tokens else []
        self._database = directory / "remote.sqlite"
        self._process: subprocess.Popen[bytes] | BlockingProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._process = self._launch([str(self.port), str(self._database), *self._options])
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._get("/ready")
            except OSError:
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.05)
            else:
                return

    def _launch(self, arguments: Sequence[str]) -> subprocess.Popen[bytes] | BlockingProcess:
        if self._fork_server is None:
            command = [sys.executable, "-m", "tests.backends.remote", *arguments]
            return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        with Path(os.devnull).open("w") as nowhere:
            return self._fork_server.fork_blocking(ROOT, arguments, os.environ, nowhere.fileno())

    def kill(self) -> None:
        """Kill the server, if it runs; its jobs stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def fault(self, call: str, kind: str, *, times: int = 1, seconds: float = 0.0) -> None:
        """Make the next calls of a kind fail."""
        body = json.dumps({"call": call, "kind": kind, "times": times, "seconds": seconds}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/faults", body, method="POST")):
            pass

    def submissions(self) -> Mapping[str, int]:
        """How many jobs were submitted with each token; also while the server is down."""
        with sqlite3.connect(self._database) as database:
            return dict(database.execute("SELECT token, count(*) FROM jobs GROUP BY token").fetchall())

    def statuses(self) -> Mapping[str, str]:
        """The status of each job."""
        with sqlite3.connect(self._database) as database:
            return dict(database.execute("SELECT id, status FROM jobs").fetchall())

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            content: bytes = response.read()
            return content


class _Store:
    """The jobs and the faults of a server."""

    def __init__(self, path: Path, options: argparse.Namespace) -> None:
        self.options = options
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._lock = Lock()
        self._faults: dict[str, list[dict[str, Any]]] = {}

    def add_fault(self, fault: dict[str, Any]) -> None:
        self._faults.setdefault(fault["call"], []).extend([fault] * fault["times"])

    def take_fault(self, call: str) -> dict[str, Any]:
        with self._lock:
            faults = self._faults.get(call)
            return faults.pop(0) if faults else {"kind": ""}

    def submit(self, token: str, job: dict[str, Any]) -> str:
        with self._lock, self._database as database:
            known = database.execute("SELECT id FROM jobs WHERE token = ?", [token]).fetchone()
            if known and self.options.recognises_tokens:
                return str(known[0])
            job_id = uuid4().hex
            values = [job_id, token, json.dumps(job), "queued", time.time()]
            database.execute("INSERT INTO jobs (id, token, job, status, submitted_at) VALUES (?, ?, ?, ?, ?)", values)
            return job_id

    def find(self, token: str) -> str | None:
        with self._lock:
            known = self._database.execute("SELECT id FROM jobs WHERE token = ?", [token]).fetchone()
        return None if known is None else known[0]

    def poll(self, job_id: str) -> str | None:
        with self._lock, self._database as database:
            row = database.execute("SELECT status, polls FROM jobs WHERE id = ?", [job_id]).fetchone()
            if row is None:
                return None
            status, polls = row
            if status in ("queued", "running"):
                status = "done" if polls + 1 >= self.options.polls else "running"
            database.execute("UPDATE jobs SET status = ?, polls = polls + 1 WHERE id = ?", [status, job_id])
            return str(status)

    def cancel(self, job_id: str) -> bool:
        with self._lock, self._database as database:
            database.execute(
                "UPDATE jobs SET status = 'cancelled' WHERE id = ? AND status IN ('queued', 'running')", [job_id]
            )
            return database.execute("SELECT 1 FROM jobs WHERE id = ?", [job_id]).fetchone() is not None

    def job(self, job_id: str) -> dict[str, Any] | None:
        with self._lock:
            row = self._database.execute("SELECT job FROM jobs WHERE id = ? AND status = 'done'", [job_id]).fetchone()
        return None if row is None else json.loads(row[0])


class _Handler(BaseHTTPRequestHandler):
    """POST /jobs, GET /jobs?token=, GET /jobs/ID, GET /jobs/ID/counts, POST /jobs/ID/cancel, GET /device."""

    store: _Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if place.path == "/ready":
            return self._send(200, {})
        if place.path == "/device":
            return self._answer("describe", self._device)
        if place.path == "/jobs":
            return self._answer("find", lambda: self._find(parse_qs(place.query)["token"][0]))
        _, _, job_id, *rest = place.path.split("/")
        return (
            self._answer("result", lambda: self._result(job_id))
            if rest
            else self._answer("poll", lambda: self._poll(job_id))
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/faults":
            self.store.add_fault(json.loads(body))
            return self._send(200, {})
        if self.path == "/jobs":
            return self._answer("submit", lambda: self._submit(json.loads(body)))
        job_id = self.path.split("/")[2]
        return self._answer("cancel", lambda: (200, {}) if self.store.cancel(job_id) else (404, {}))

    def _answer(self, call: str, do: Any) -> None:
        fault = self.store.take_fault(call)
        kind = fault["kind"]
        if self.headers.get("Authorization") != f"Bearer {KEY}" or kind == "deny":
            return self._send(401, {"reason": "the key is wrong"})
        if kind == "busy":
            return self._send(503, {"reason": "busy"}, {"Retry-After": "1"})
        if kind == "lose_request":
            return self._hang_up()
        if kind == "die_before":
            os.kill(os.getpid(), signal.SIGKILL)
        status, body = do()
        if kind == "repeat":
            status, body = do()
        if kind == "die_after":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "lose_answer":
            return self._hang_up()
        if kind == "delay":
            time.sleep(fault["seconds"])
        return self._send(500, {}) if kind == "error" else self._send(status, body)

    def _device(self) -> tuple[int, Any]:
        options = self.store.options
        return 200, {
            "qubits": options.qubits,
            "max_shots": MAX_SHOTS,
            "recognises_tokens": options.recognises_tokens,
            "finds_tokens": options.finds_tokens,
        }

    def _submit(self, body: dict[str, Any]) -> tuple[int, Any]:
        reason = _rejection(body, self.store.options.qubits)
        if reason:
            return 422, {"reason": reason}
        return 201, {"id": self.store.submit(body["token"], body)}

    def _find(self, token: str) -> tuple[int, Any]:
        if not self.store.options.finds_tokens:
            return 404, {"reason": "this backend does not look for tokens"}
        return 200, {"id": self.store.find(token)}

    def _poll(self, job_id: str) -> tuple[int, Any]:
        status = self.store.poll(job_id)
        return (404, {}) if status is None else (200, {"status": status})

    def _result(self, job_id: str) -> tuple[int, Any]:
        job = self.store.job(job_id)
        return (404, {}) if job is None else (200, {"counts": _counts(job)})

    def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def _rejection(body: dict[str, Any], qubits: int) -> str | None:
    """Why a backend of so many qubits rejects a job; None if it does not."""
    try:
        circuit = _circuit(body)
    except Exception as error:
        return f"the program cannot be read: {error}"
    if circuit.num_qubits > qubits:
        return f"{circuit.num_qubits} qubits are more than {qubits}"
    return f"{body['shots']} shots are more than {MAX_SHOTS}" if body["shots"] > MAX_SHOTS else None


def _circuit(body: dict[str, Any]) -> Any:
    from qiskit import qasm3  # it takes a second to import, and the test's process needs only the class above

    return qasm3.loads(body["program"])


def _counts(body: dict[str, Any]) -> dict[str, int]:
    """Counts of Qiskit's reference simulator; the same at each request, as those of a job that ran once."""
    from qiskit.primitives import StatevectorSampler

    circuit = _circuit(body)
    [result] = StatevectorSampler(seed=body["seed"] or 1).run([circuit], shots=body["shots"]).result()
    counts: dict[str, int] = {}
    shots = [result.data[register.name].get_bitstrings() for register in reversed(circuit.cregs)]
    for groups in zip(*shots, strict=True):
        key = " ".join(groups)
        counts[key] = counts.get(key, 0) + 1
    return counts


def launch(_directory: Path, arguments: Sequence[str]) -> None:
    """Serve with these arguments; the fork server's processes run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("database", type=Path)
    parser.add_argument("--polls", type=int, default=2)
    parser.add_argument("--qubits", type=int, default=QUBITS)
    parser.add_argument("--recognises-tokens", action="store_true")
    parser.add_argument("--finds-tokens", action="store_true")
    options = parser.parse_args(arguments)
    import_qiskit()
    _Handler.store = _Store(options.database, options)
    ThreadingHTTPServer(("127.0.0.1", options.port), _Handler).serve_forever()


def import_qiskit() -> None:
    """Import it in the main thread: the process crashes if the first thread that uses Qiskit is another one."""
    importlib.import_module("qiskit.qasm3")
    importlib.import_module("qiskit.primitives")


if __name__ == "__main__":
    launch(ROOT, sys.argv[1:])
