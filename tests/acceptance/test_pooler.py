"""The whole service behind PgBouncer in transaction mode, which gives each transaction any of a few sessions."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import distributed_on
from tests.acceptance.processes import Fleet, any_port
from tests.acceptance.programs import BELL
from tests.acceptance.steady_load import SteadyLoad, verified
from tests.servers import PgBouncer, PostgresServer, RedisServer

pytestmark = pytest.mark.timeout(300)

SESSIONS = 4
TASKS = 60


async def test_service_behind_a_pooler(
    fleet: type[Fleet],
    tmp_path: Path,
    redis_server: RedisServer,
    postgres_with_template: PostgresServer,
    postgres_url: str,
) -> None:
    """One API hears of changes at the address of the server itself; another has only the pooler, and polls."""
    name = postgres_url.rpartition("/")[2]
    async with PgBouncer(postgres_with_template, sessions=SESSIONS) as pooler:
        service = distributed_on(fleet, tmp_path, pooler.url(name), redis_server.url)
        direct: dict[str, Any] = {"KETLINE_DATABASE_DIRECT_URL": postgres_url}
        migration = await service.fleet.start("migrate", **direct)
        assert await migration.process.wait() == 0
        other_port = any_port()
        listening = await service.start_api(**direct)
        polling = await service.start_api(other_port)
        workers = [await service.start_worker("one", slots=2), await service.start_worker("two")]
        load = SteadyLoad([service.port, other_port])
        async with load.running():
            await load.accepts(TASKS)
            for port in (service.port, other_port):
                async with service.api(port) as api:
                    waited = await api.http.post("/tasks", json={"qc": BELL}, headers={"Prefer": "wait=60"})
                    assert waited.json()["status"] == "completed", waited.text
            sessions = await postgres_with_template.fetch(
                f"SELECT application_name FROM pg_stat_activity WHERE datname = '{name}'"
            )
        assert not load.retried_at
        await verified(postgres_url, load)
        names = [row["application_name"] for row in sessions]
        assert names.count("ketline-listener") == 1
        assert len(names) - 1 <= SESSIONS, "the pooler's, however many the processes have"
        await polling.logged("listener.through_pooler")
        assert not [line for line in listening.log_lines() if line["event"] == "listener.through_pooler"]
        for process in (listening, polling, *workers):
            await process.logged("database.connections_through_pooler")
            assert not [line for line in process.log_lines() if line["event"].endswith(("crashed", "failed"))]
