"""Quotas as an operator runs the service: of many submissions at once to two processes, and of a program's qubits."""

import asyncio
from collections import Counter
from typing import Any

from ketline.db.access import SqlProjectStore
from ketline.db.engine.database import open_database
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.access.quotas import ProjectQuotas, Quota
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import any_port, eventually
from tests.acceptance.programs import BELL
from tests.actors import TESTER

ROOM, SUBMISSIONS = 7, 100


async def test_a_hundred_submissions_to_two_processes_store_seven(distributed: Distributed, postgres_url: str) -> None:
    """No worker runs, so that all tasks wait."""
    async with open_database(postgres_url) as database:
        quotas = ProjectQuotas(project={Quota.WAITING: ROOM})
        await SqlProjectStore(database).change(DEFAULT_PROJECT, quotas=quotas, actor=TESTER)
    ports = (distributed.port, any_port())
    for port in ports:
        await distributed.start_api(port)
    async with distributed.client(ports[0]) as one, distributed.client(ports[1]) as other:
        submissions = (api.http.post("/tasks", json={"qc": BELL}) for api in [one, other] * (SUBMISSIONS // 2))
        responses = await asyncio.gather(*submissions)
        stored = (await other.http.get("/tasks")).json()["tasks"]
    assert Counter(response.status_code for response in responses) == {202: ROOM, 429: SUBMISSIONS - ROOM}
    assert {(response.url.port, response.json()["code"]) for response in responses if response.status_code == 429} == {
        (port, "quota_exhausted") for port in ports
    }
    accepted = {response.json()["task_id"] for response in responses if response.status_code == 202}
    assert {task["task_id"] for task in stored} == accepted


async def test_program_of_more_qubits_than_the_quota_fails_as_its_validation_said(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await api.http.patch("/projects/default", json={"quotas": {"qubits": 1}})

        async def diagnostics() -> Any:
            return (await api.http.post("/validate", json={"qc": BELL})).json()["diagnostics"]

        [error] = await eventually(diagnostics, "a diagnostic, as soon as the quota is known")
        task = await api.ended(await api.submit(BELL))
    assert (error["severity"], error["code"]) == ("error", "quota_exceeded")
    assert (task["status"], task["error"]["code"]) == ("failed", error["code"])
    assert (
        task["error"]["message"]
        == error["message"]
        == ("the program declares 2 qubits; the quota 'qubits' of its project or its owner is 1")
    )
    assert [line["status"] for line in task["status_history"]] == ["pending", "processing", "failed"]
