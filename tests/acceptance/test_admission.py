"""Large programs take turns on a machine of two slots, and small ones run meanwhile; in real processes."""

from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, eventually
from tests.acceptance.programs import BELL, long_program

TWO_SLOTS = {"KETLINE_WORKER_SLOTS": "2"}
QUBITS = 22
CHAIN = " ".join(f"cx q[{qubit + 1}], q[{qubit}];" for qubit in range(QUBITS - 1))
ENDLESS_LARGE = (
    f'OPENQASM 3.0; include "stdgates.inc"; qubit[{QUBITS}] q; bit c; bit[{QUBITS}] d; '
    f"while (!c) {{ ry(0.3) q; {CHAIN} reset q[0]; c = measure q[0]; }} d = measure q;"
)
# A busy machine may take its time, but not as long as a large program.
BELL_SECONDS = 10.0


def moment(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["transitioned_at"])


def ran(task: dict[str, Any]) -> tuple[datetime, datetime]:
    """When the attempt began that ended the task, and when it ended."""
    *_, began, ended = task["status_history"]
    assert (began["status"], ended["status"]) == ("processing", "completed")
    return moment(began), moment(ended)


def give_backs(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in task["status_history"] if line.get("cause") == "machine_busy"]


async def bell_runs_at_once(api: Api) -> None:
    task = await api.ended(await api.submit(BELL))
    assert task["status"] == "completed"
    assert task["profile"]["queued_seconds"] < BELL_SECONDS


async def turned_away(api: Api, *task_ids: str) -> str | None:
    """The first of these tasks that was given back because another runs."""
    for task_id in task_ids:
        if give_backs(await api.task(task_id)):
            return task_id
    return None


async def cancelled(api: Api, task_id: str) -> datetime:
    assert (await api.http.post(f"/tasks/{task_id}/cancel")).status_code == 200
    return moment((await api.ended(task_id))["status_history"][-1])


async def take_turns(api: Api) -> None:
    """One large program runs for ever: others wait for their turn without a slot, and without losing an attempt."""
    endless = [await api.submit(ENDLESS_LARGE, shots=1) for _ in range(2)]
    other = await eventually(lambda: turned_away(api, *endless), "one of two is turned away")
    [holder] = [task_id for task_id in endless if task_id != other]
    waiting = await api.submit(long_program(QUBITS, 1), method="statevector", max_attempts=1)
    await eventually(lambda: turned_away(api, waiting), "a third is turned away")
    [line, *_] = give_backs(await api.task(waiting))
    assert line["status"] == "pending"
    assert line["notes"].endswith("waits for programs that run now")
    for _ in range(3):
        await bell_runs_at_once(api)
    assert (await api.task(holder))["status"] == "processing"
    await cancelled(api, other)
    freed_at = await cancelled(api, holder)
    began_at, _ = ran(await api.ended(waiting))
    assert began_at > freed_at


async def test_large_programs_take_turns_in_the_embedded_service(embedded: Embedded) -> None:
    process = await embedded.up(**TWO_SLOTS)
    async with embedded.api() as api:
        await take_turns(api)
    line = await process.logged("task.deferred")
    assert line["correlation_id"]
    assert 1 <= line["delay_seconds"] <= 30


@pytest.mark.long
async def test_large_programs_take_turns_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker(slots=2)
    async with distributed.api() as api:
        await take_turns(api)


@pytest.mark.long
async def test_two_programs_of_24_qubits_never_run_at_once(embedded: Embedded) -> None:
    await embedded.up(**TWO_SLOTS)
    async with embedded.api() as api:
        large = [await api.submit(long_program(24, 2), method="statevector", max_attempts=1) for _ in range(2)]
        await bell_runs_at_once(api)
        tasks = [await api.ended(task_id) for task_id in large]
        assert [task["profile"]["method"] for task in tasks] == ["statevector"] * 2
        first, second = sorted(map(ran, tasks))
        assert first[1] <= second[0]
        assert any(give_backs(task) for task in tasks)
