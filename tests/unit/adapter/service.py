"""A service of nothing but responses, for tests of what the adapter sends and reads."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from ketline.client import Client

DESCRIPTION: Mapping[str, Any] = {
    "name": "ketline-aer",
    "description": "A simulator",
    "versions": {"ketline": "1.2.3"},
    "gates": ["h", "x", "cx", "rx"],
    "limits": {"max_qubits": 5, "max_shots": 2000, "max_program_bytes": 1 << 20, "max_result_megabytes": 16},
}
DEVICE: Mapping[str, Any] = {
    "name": "pair",
    "description": "Two qubits",
    "qubits": [{}, {"t1_us": 50.0}],
    "gates": [{"name": "sx", "qubits": [0]}, {"name": "cz", "qubits": [0, 1], "error": 0.01}],
}
SUBMITTED_AT, COMPLETED_AT = "2026-01-02T03:04:05Z", "2026-01-02T03:04:07Z"


class ScriptedService:
    """Accepts every task and keeps what was requested.

    Tasks have these results in order, further ones the last of them; without any, all fail.
    """

    def __init__(self, *results: Mapping[str, Any]) -> None:
        self.results = results
        self.requests: list[str] = []
        self.tasks: list[dict[str, Any]] = []

    def client(self) -> Client:
        """A client of this service."""
        return Client("http://ketline.test", transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(f"{request.method} {path}")
        if path == "/backends":
            return httpx.Response(200, json={"backends": [DESCRIPTION]})
        if path == "/devices":
            return httpx.Response(200, json={"devices": [{"name": "pair", "description": "Two qubits"}]})
        if path == "/devices/pair":
            return httpx.Response(200, json=DEVICE)
        if path == "/workers":
            return httpx.Response(200, json={"workers": []})
        if path == "/tasks/stats":
            return httpx.Response(200, json={"counted_at": SUBMITTED_AT, "counts": {"pending": 3}, "rates": []})
        body = json.loads(request.content)
        if path == "/tasks":
            return httpx.Response(202, json=self._accept(body))
        if path == "/tasks/batch":
            return httpx.Response(202, json={"tasks": list(map(self._accept, body["tasks"]))})
        ended = [self._ended(task_id) for task_id in body["task_ids"]]
        return httpx.Response(200, json={"tasks": ended, "unread": [], "missing": []})

    def _accept(self, body: dict[str, Any]) -> dict[str, Any]:
        self.tasks.append(body)
        return {"task_id": str(UUID(int=len(self.tasks))), "submitted_at": SUBMITTED_AT, "correlation_id": "c"}

    def _ended(self, task_id: str) -> dict[str, Any]:
        number = UUID(task_id).int - 1
        body = self.tasks[number]
        task = {
            "task_id": task_id,
            "submitted_at": SUBMITTED_AT,
            "completed_at": COMPLETED_AT,
            "shots": body.get("shots", 1024),
            "seed": body.get("seed"),
            "correlation_id": "c",
        }
        if not self.results:
            return {**task, "status": "failed", "error": {"code": "timeout", "message": "too slow"}}
        return {
            **task,
            "status": "completed",
            "result": {**self.results[min(number, len(self.results) - 1)], "shots": task["shots"]},
        }
