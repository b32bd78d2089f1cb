"""An upgrade and the way back without a pause: processes of both versions at once, under load, with tasks in flight."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from ketline.db.schema.migrate import schema_state
from tests.acceptance.conftest import Distributed, distributed_on
from tests.acceptance.earlier_version import BASE_SCHEMA, SourceMissing, environment_of, unpack_base
from tests.acceptance.processes import Fleet, KetlineProcess, any_port, eventually
from tests.acceptance.programs import long_program
from tests.acceptance.steady_load import CLIENTS, SteadyLoad, verified
from tests.blocks import long_after
from tests.servers import PostgresServer

pytestmark = pytest.mark.timeout(600)

TASKS = 20
# Some seconds: it runs while its worker is told to stop.
IN_FLIGHT = long_program(rounds=60)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the version before."""
    try:
        return unpack_base(tmp_path_factory.mktemp("base"))
    except SourceMissing as error:
        pytest.fail(str(error))


class Versions:
    """The same service in two versions, and how an operator replaces processes of one by those of the other."""

    def __init__(self, earlier: Distributed, present: Distributed, load: SteadyLoad) -> None:
        self.earlier = earlier
        self.present = present
        self.load = load

    async def replace_worker(self, running: KetlineProcess, by: Distributed, name: str) -> KetlineProcess:
        """Start a worker, and stop one that runs a program; it ends the program, or hands it back."""
        async with by.client(self.load.ports[0]) as api:
            task_id = await api.submit(IN_FLIGHT, shots=8)
            await api.reached(task_id, "processing", "completed")
        started = await by.start_worker(name)
        assert await running.stop() == 0
        await self.load.accepts(TASKS)
        return started

    async def replace_api(self, running: KetlineProcess, by: Distributed) -> KetlineProcess:
        """Start an API on another port, lead all clients there, and stop the one that they had."""
        port = any_port()
        started = await by.start_api(port)
        async with by.api(port):
            pass  # it is healthy
        self.load.ports.append(port)
        await self.load.accepts(TASKS)
        del self.load.ports[0]
        await self.load.accepts(2 * CLIENTS)
        assert await running.stop() == 0
        return started


@pytest.fixture
async def versions(
    base: Path, fleet: type[Fleet], tmp_path: Path, postgres_server: PostgresServer, request: pytest.FixtureRequest
) -> AsyncIterator[Versions]:
    """On an empty database and a queue of their own."""
    name = f"upgrade_{uuid4().hex}"
    await postgres_server.create_database(name)
    broker_url = request.getfixturevalue(request.param).url
    present = distributed_on(fleet, tmp_path, postgres_server.url(name), broker_url)
    queue = present.fleet.environment["TASK_QUEUE_NAME"]
    environment = {
        "DATABASE_URL": postgres_server.url(name),
        "KETLINE_QUEUE_URL": broker_url,
        "TASK_QUEUE_NAME": queue,
        **environment_of(base),
    }
    earlier = Distributed(Fleet(tmp_path, environment))
    earlier.port = any_port()
    yield Versions(earlier, present, SteadyLoad([earlier.port]))
    for service in (earlier, present):
        await service.fleet.end()
    await postgres_server.drop_database(name)


async def run_command(service: Distributed, *arguments: str) -> str:
    process = await service.fleet.start(*arguments)
    assert await process.process.wait() == 0, process.output.read_text()
    return process.output.read_text()


@pytest.mark.parametrize("versions", long_after(1, ["rabbit_server", "redis_server"]), indirect=True)
async def test_upgrade_and_return_under_load(versions: Versions) -> None:
    """No request fails, no task is lost or recorded twice, and none fails."""
    earlier, present, load = versions.earlier, versions.present, versions.load
    url = present.fleet.environment["DATABASE_URL"]
    await run_command(earlier, "migrate")
    assert (await schema_state(url)).current == BASE_SCHEMA
    api = await earlier.start_api()
    workers = [await earlier.start_worker("earlier-1"), await earlier.start_worker("earlier-2")]
    processes = [api, *workers]
    async with load.running():
        await load.accepts(TASKS)
        # Up: the schema, then workers, then APIs.
        assert "Stop all" not in await run_command(present, "migrate", "--check")
        await run_command(present, "migrate")
        assert (await schema_state(url)).pending == ()
        await load.accepts(TASKS)
        workers = [
            await versions.replace_worker(worker, present, f"present-{number}") for number, worker in enumerate(workers)
        ]
        api = await versions.replace_api(api, present)
        processes += [api, *workers]
        await all_readable(present, load)
        # Down, in the other order.
        api = await versions.replace_api(api, earlier)
        workers = [
            await versions.replace_worker(worker, earlier, f"again-{number}") for number, worker in enumerate(workers)
        ]
        processes += [api, *workers]
        await run_command(present, "migrate", "--to", BASE_SCHEMA)
        assert (await schema_state(url)).current == BASE_SCHEMA
        await load.accepts(TASKS)
        await all_readable(earlier, load)
    tasks = await verified(url, load)
    assert load.retried_at == [], "no request failed"
    owners = {line.worker for task in tasks for line in task.lines("completed")}
    assert {"earlier-1", "present-0", "again-0"} <= owners
    for process in processes:
        assert not [line for line in process.log_lines() if line["event"].endswith("crashed")], process.output
    print(f"{len(tasks)} tasks, longest pause between two that were accepted {load.longest_pause():.2f} s")


async def all_readable(service: Distributed, load: SteadyLoad) -> None:
    """Tasks of both versions are shown and listed by the API that clients have now."""
    async with service.client(load.ports[-1]) as api:
        for acknowledged in load.acknowledged[:: max(1, len(load.acknowledged) // TASKS)]:

            async def completed(task_id: str = acknowledged.task_id) -> bool:
                return bool((await api.task(task_id))["status"] == "completed")

            await eventually(completed, "an accepted task completes")
        listed = await api.http.get("/tasks", params={"limit": 100})
        assert listed.status_code == 200, listed.text
