"""A batch runs like so many tasks, in both modes."""

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.programs import BELL
from tests.blocks import long_after

COUNT = 30


@pytest.fixture(params=long_after(1, ["distributed", "embedded"]))
async def service(
    request: pytest.FixtureRequest, embedded: Embedded, distributed: Distributed
) -> Embedded | Distributed:
    """Runs the test once in each mode, embedded with `--long`; the service is started."""
    if request.param == "embedded":
        await embedded.up()
        return embedded
    await distributed.start_api()
    await distributed.start_worker()
    return distributed


async def test_every_task_of_a_batch_is_run(service: Embedded | Distributed) -> None:
    tasks = [{"qc": BELL, "shots": 10 + number} for number in range(COUNT)]
    tasks[7] = {"qc": "OPENQASM 3.0; nonsense;", "shots": 1}
    async with service.api() as api:
        response = await api.http.post("/tasks/batch", json={"tasks": tasks})
        assert response.status_code == 202, response.text
        ended = [await api.ended(task["task_id"]) for task in response.json()["tasks"]]
    assert [task["status"] for task in ended] == ["completed"] * 7 + ["failed"] + ["completed"] * (COUNT - 8)
    assert [task["shots"] for task in ended] == [task["shots"] for task in tasks]
