"""Short programs get through while long ones occupy all slots; in real processes, in both modes."""

from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, eventually
from tests.acceptance.programs import BELL, ENDLESS

# Most of its shots have outcomes of their own at the resets, so that few share a state: by prediction it takes minutes,
# in the memory of a slot.
CHAIN = " ".join(f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(17))
ROUNDS = " ".join(f"ry(1.3) q; {CHAIN} reset q[{qubit}];" for qubit in range(14))
LONG = f'OPENQASM 3.0; include "stdgates.inc"; qubit[18] q; bit[18] c; {ROUNDS} c = measure q;'
MANY_SHOTS = 20_000
SHORT_TASKS = 50
# The other acceptance tests do without a short slot.
WITH_SHORT_SLOT = {"KETLINE_SHORT_TASK_S": "2"}
# A busy machine may take its time; without the way for short programs they wait as long as the long ones take.
SHORT_SECONDS = 60.0


async def processing(api: Api, task_ids: list[str], count: int) -> list[str] | None:
    """Those of the tasks that run, once so many do."""
    tasks = [await api.task(task_id) for task_id in task_ids]
    running = [task["task_id"] for task in tasks if task["status"] == "processing"]
    return running if len(running) == count else None


def put_back(task: dict[str, Any]) -> list[str]:
    """The causes for which a task was put back."""
    return [line["cause"] for line in task["status_history"] if line["status"] == "pending" and "cause" in line]


async def known_to_be_long(api: Api, task_ids: list[str]) -> bool:
    return all([put_back(await api.task(task_id)) == ["long_program"] for task_id in task_ids])


async def cancel(api: Api, task_ids: list[str]) -> None:
    for task_id in task_ids:
        assert (await api.http.post(f"/tasks/{task_id}/cancel")).status_code == 200


async def short_ones_get_through(api: Api) -> None:
    """Two long programs run, two more and an endless one wait; short ones overtake these, and they run in turn."""
    long = [await api.submit(LONG, shots=MANY_SHOTS, method="statevector", max_attempts=1) for _ in range(4)]
    running = await eventually(lambda: processing(api, long, 2), "all slots run long programs")
    long.append(await api.submit(ENDLESS, max_attempts=1))
    waiting = [task_id for task_id in long if task_id not in running]
    short = [await api.submit(BELL) for _ in range(SHORT_TASKS)]
    for task in [await api.ended(task_id) for task_id in short]:
        assert task["status"] == "completed"
        assert task["profile"]["queued_seconds"] < SHORT_SECONDS
    await eventually(lambda: known_to_be_long(api, waiting), "each long one is put back, once")
    assert await processing(api, running, 2) == running
    await cancel(api, running)
    next_ones = await eventually(lambda: processing(api, waiting, 2), "the next ones take their slots")
    assert next_ones == waiting[:2], "those that came first"
    await cancel(api, waiting)


async def test_short_programs_get_through_in_the_embedded_service(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="2", **WITH_SHORT_SLOT)
    async with embedded.api() as api:
        await short_ones_get_through(api)
    line = await process.logged("task.deferred")
    assert (line["cause"], line["delay_seconds"]) == ("long_program", 0)


@pytest.mark.long
async def test_short_programs_get_through_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker(slots=2, **WITH_SHORT_SLOT)
    async with distributed.api() as api:
        await short_ones_get_through(api)


async def test_long_programs_have_all_slots_of_all_workers(distributed: Distributed) -> None:
    """What the short slot of one worker has put back is there for the slots of another."""
    await distributed.start_api()
    await distributed.start_worker("worker-1", slots=1, **WITH_SHORT_SLOT)
    async with distributed.api() as api:
        long = [await api.submit(LONG, shots=MANY_SHOTS, method="statevector") for _ in range(3)]
        [first] = await eventually(lambda: processing(api, long, 1), "the slot runs one")
        waiting = [task_id for task_id in long if task_id != first]
        await eventually(lambda: known_to_be_long(api, waiting), "the others are known to be long")
        await distributed.start_worker("worker-2", slots=2, **WITH_SHORT_SLOT)
        await eventually(lambda: processing(api, long, 3), "the slots of the other worker run them")
        await cancel(api, long)
