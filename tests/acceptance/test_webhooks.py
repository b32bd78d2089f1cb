"""Webhooks in real processes: messages arrive signed, and at least once whatever is killed."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from ketline.db.engine.clock import now
from ketline.db.engine.database import open_database
from ketline.db.schema.tables import deliveries
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, KetlineProcess, eventually
from tests.acceptance.programs import BELL, ENDLESS
from tests.receivers import ACCEPTED, Received, answer, receiving

ALLOWED: dict[str, Any] = {"KETLINE_WEBHOOK_ALLOW": "127.0.0.0/8", "KETLINE_WEBHOOK_TIMEOUT_S": "1"}
NONE: dict[str, Any] = {"KETLINE_WEBHOOK_CONCURRENCY": "0"}
TASKS, MAX_FAULTS = 24, 2


async def secret_of(api: Api, project: str = "default") -> str:
    return str((await api.http.get(f"/projects/{project}/webhook-secret")).json()["secret"])


async def delivered(api: Api, task_id: str) -> dict[str, object]:
    async def look() -> dict[str, object] | None:
        found = (await api.http.get(f"/tasks/{task_id}/deliveries")).json()["deliveries"]
        return next((one for one in found if one["state"] == "delivered"), None)

    return await eventually(look, f"delivery of {task_id}")


async def test_message_arrives_signed_when_a_task_has_ended(embedded: Embedded) -> None:
    await embedded.up(**ALLOWED)
    async with receiving() as receiver, embedded.api() as api:
        task_id = await api.submit(BELL, callback=receiver.url, name="bell")
        [received] = await receiver.after(1)
        message = received.verified(await secret_of(api))
        task = await api.ended(task_id)
        assert (message["type"], message["data"]["task_id"]) == ("task.completed", task_id)
        assert message["timestamp"] == message["data"]["completed_at"] == task["completed_at"]
        assert message["data"]["name"] == "bell"
        assert "result" not in message["data"]
        found = await delivered(api, task_id)
        assert (found["message_id"], found["attempts"], found["last_status"]) == (received.message_id, 1, 204)
        again = await api.http.post(f"/tasks/{task_id}/redeliver")
        assert again.status_code == 202
        repeated = (await receiver.after(2))[1]
        assert (repeated.message_id, repeated.body) == (received.message_id, received.body)


async def test_private_address_is_rejected_without_a_request(embedded: Embedded) -> None:
    """A name of loopback passes the check of the submission, which resolves none."""
    process = await embedded.up()
    async with receiving() as receiver, embedded.api() as api:
        rejected = await api.http.post("/tasks", json={"qc": BELL, "callback": receiver.url})
        assert (rejected.status_code, rejected.json()["code"]) == (422, "invalid_request")
        await api.submit(BELL, callback=f"https://localhost:{receiver.port}/")
        line = await process.logged("webhook.failed")
        assert line["error"] == "rejected: its host has no public address"
        assert receiver.connections == 0


async def test_message_is_delivered_again_when_its_process_is_killed_before_it_records_the_answer(
    distributed: Distributed, postgres_url: str
) -> None:
    """The receiver has the message, and its answer is lost with the process: the next one sends it with the same id."""
    hold = True

    def respond(received: Received) -> bytes | None:
        return None if hold else ACCEPTED

    async with receiving(respond) as receiver:
        await distributed.start_worker(**NONE)
        patient = {**ALLOWED, "KETLINE_WEBHOOK_TIMEOUT_S": "60"}
        first = await distributed.start_api(**patient)
        async with distributed.api() as api:
            task_id = await api.submit(BELL, callback=receiver.url)
            await receiver.after(1)
        await first.kill()
        hold = False
        async with open_database(postgres_url) as database:
            # The lease of the killed process would end in a minute.
            end = update(deliveries).values(next_at=now())
            await database.write(lambda connection: connection.execute(end).rowcount)
        await distributed.start_api(**patient)
        async with distributed.api() as api:
            lost, again = await receiver.after(2)
            found = await delivered(api, task_id)
        assert (again.message_id, again.body) == (lost.message_id, lost.body)
        assert found["attempts"] == 2


@pytest.mark.parametrize("seed", [7])
async def test_every_task_is_delivered_at_least_once_whatever_is_killed(distributed: Distributed, seed: int) -> None:
    """Kills of APIs and workers, and a receiver that fails, hangs and breaks off, for tasks that end in every way."""
    chance = random.Random(seed)
    accepted: list[Received] = []
    faults: Counter[str] = Counter()

    def respond(received: Received) -> bytes | None:
        fault = chance.choice(["none", "error", "hang", "cut", "accepted and cut"])
        faults[received.message_id] += 1
        if faults[received.message_id] > MAX_FAULTS:  # the pauses between attempts double
            fault = "none"
        if fault in ("none", "accepted and cut"):
            accepted.append(received)
        return {"none": ACCEPTED, "error": answer(500), "hang": None}.get(fault, b"")

    async with receiving(respond) as receiver:
        processes = [await distributed.start_api(**ALLOWED)]
        processes += [await distributed.start_worker(f"worker-{number}", **ALLOWED) for number in range(2)]
        async with distributed.api() as api:
            secret = await secret_of(api)
            tasks = await _submit(api, receiver.url)
        for number in range(4):
            await receiver.after(4 * number + 1)
            await _replace(distributed, processes, chance.randrange(3))
        async with distributed.api() as api:
            await _cancel(api, tasks)
            await receiver.until(lambda _: {_task_of(one, secret) for one in accepted} == set(tasks), 180.0)
            for task_id in tasks:
                await delivered(api, task_id)
                assert (await api.task(task_id))["completed_at"]
    ids: dict[str, set[str]] = {}
    for received in receiver.requests:
        ids.setdefault(_task_of(received, secret), set()).add(received.message_id)
    assert set(ids) == set(tasks)
    assert all(len(of_task) == 1 for of_task in ids.values())


async def _submit(api: Api, url: str) -> Sequence[str]:
    """Tasks that complete, that fail, and that never end by themselves."""
    programs = [BELL] * (TASKS - 6) + ["OPENQASM 3.0; wrong"] * 4 + [ENDLESS] * 2
    items = [{"qc": program, "callback": url} for program in programs]
    key = {"Idempotency-Key": uuid4().hex}
    stored = await api.http.post("/tasks/batch", json={"tasks": items}, headers=key)
    assert stored.status_code == 202
    return [task["task_id"] for task in stored.json()["tasks"]]


async def _replace(distributed: Distributed, processes: list[KetlineProcess], which: int) -> None:
    await processes[which].kill()
    if which:
        processes[which] = await distributed.start_worker(f"worker-{uuid4().hex[:6]}", **ALLOWED)
    else:
        processes[which] = await distributed.start_api(**ALLOWED)


async def _cancel(api: Api, tasks: Sequence[str]) -> None:
    for task_id in tasks[-2:]:
        answered: httpx.Response = await api.http.post(f"/tasks/{task_id}/cancel")
        assert answered.status_code in (200, 409)


def _task_of(received: Received, secret: str) -> str:
    return str(received.verified(secret)["data"]["task_id"])
