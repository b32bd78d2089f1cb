"""Held tasks in real processes, in both modes: they outlive restarts, and run once when they are released."""

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api
from tests.acceptance.programs import BELL


async def held_beside_others(api: Api) -> str:
    """A held task that others have come after and ended before."""
    held = await api.submit(BELL, hold=True)
    for other in [await api.submit(BELL) for _ in range(3)]:
        assert (await api.ended(other))["status"] == "completed"
    return held


async def runs_once_when_released(api: Api, held: str) -> None:
    task = await api.task(held)
    assert (task["status"], task["hold"], len(task["status_history"])) == ("pending", True, 1)
    for _ in range(2):
        assert (await api.http.post(f"/tasks/{held}/enqueue")).status_code == 200
    task = await api.ended(held)
    assert [line["status"] for line in task["status_history"]] == ["pending", "processing", "completed"]


async def test_held_task_outlives_a_kill_of_the_embedded_service(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        held = await held_beside_others(api)
    await process.kill()
    await embedded.up()
    async with embedded.api() as api:
        await runs_once_when_released(api, held)


async def test_held_task_waits_in_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        held = await held_beside_others(api)
        await runs_once_when_released(api, held)
