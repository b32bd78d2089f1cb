"""Alerts of a real Prometheus server that scrapes real processes: what an operator would be called for.

Their pauses (`for`) are left out here; tests/prometheus/alerts_test.yaml has them.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import aio_pika
import httpx
import pytest
from sqlalchemy import Connection, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import open_database
from ketline.db.schema.migrate import migrate
from ketline.db.schema.tables import tasks
from tests.acceptance.conftest import Distributed, distributed_on
from tests.acceptance.processes import Api, Fleet, any_port, eventually
from tests.acceptance.programs import BELL
from tests.acceptance.test_simulators import kill_simulators, without_descriptors
from tests.servers import PostgresServer, PrometheusServer, RabbitServer

RULES = (Path(__file__).parents[2] / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8")
AGE = timedelta(hours=1)
DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy/grafana/ketline.json").read_text(encoding="utf-8"))
VARIABLES = {"$__rate_interval": "1m", "$job": "ketline.*", "$instance": ".*"}
# Nobody is rejected here.
WITHOUT_DATA = {"Rejected for credentials or quotas"}


def _expressions() -> Iterator[tuple[str, str]]:
    """The title of each panel with each of its expressions, as Grafana sends them."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


EXPRESSIONS = list(_expressions())

# It goes by the last minutes, in which the tests beside this one may have had the processors.
OF_A_BUSY_MACHINE = {"KetlineEventLoopSlow"}

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture
async def private(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> tuple[PostgresServer, Distributed]:
    """A service on a database server of its own, which keeps its data over a stop."""
    database = await private_postgres_server(durable=True)
    await database.create_database("ketline")
    await migrate(database.url("ketline"))
    return database, distributed_on(fleet, tmp_path, database.url("ketline"), rabbit_server.url)


async def grow_old(database: PostgresServer) -> None:
    """Have every task be submitted long ago."""

    def work(connection: Connection) -> None:
        connection.execute(update(tasks).values(submitted_at=from_now(-AGE.total_seconds())))

    async with open_database(database.url("ketline")) as opened:
        await opened.write(work)


async def dead_letter(rabbit: RabbitServer, queue: str) -> None:
    connection = await aio_pika.connect(rabbit.url)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"no message of Ketline's"), f"{queue}.dead")


async def submit_conversion(api: Api) -> None:
    response = await api.http.post("/tasks", json={"qc": BELL, "kind": "convert", "target": "qpy"})
    assert response.status_code == 202, response.text


async def fires(prometheus: PrometheusServer, *names: str) -> None:
    async def look() -> bool:
        return set(names) <= await prometheus.firing()

    await eventually(look, f"alerts {names}", pause_seconds=0.5)


async def ends(prometheus: PrometheusServer, *names: str) -> None:
    async def look() -> bool:
        return not set(names) & await prometheus.firing()

    await eventually(look, f"the end of the alerts {names}", pause_seconds=0.5)


async def test_faults_of_a_service_are_alerts_until_they_are_repaired(
    private: tuple[PostgresServer, Distributed], rabbit_server: RabbitServer
) -> None:
    database, service = private
    worker_port, metrics_port = any_port(), any_port()
    await service.start_api(KETLINE_METRICS_PORT=str(metrics_port))
    worker = await service.start_worker(
        KETLINE_WORKER_PORT=str(worker_port), KETLINE_WORKER_KINDS="simulate", KETLINE_WORKER_BEAT_S="0.3"
    )
    targets = {
        "ketline-api": [f"127.0.0.1:{metrics_port}"],
        "ketline-worker": [f"127.0.0.1:{worker_port}", f"127.0.0.1:{any_port()}"],
    }
    rules = re.sub(r"for: \w+", "for: 0s", RULES)
    async with service.api() as api, PrometheusServer(targets, rules=rules) as prometheus:
        await api.ended(await api.submit(BELL))
        await fires(prometheus, "KetlineProcessDown")

        async def all_else_works() -> bool:
            return await prometheus.firing() - OF_A_BUSY_MACHINE == {"KetlineProcessDown"}

        # Without their pauses alerts fire for a moment while processes start.
        await eventually(all_else_works, "no alert but that of the target that does not exist", pause_seconds=0.5)
        await submit_conversion(api)  # nobody takes it
        await grow_old(database)
        await dead_letter(rabbit_server, service.fleet.environment["TASK_QUEUE_NAME"])
        await fires(prometheus, "KetlineNoWorkers", "KetlineOldestTaskTooOld", "KetlineDeadLetters")
        with without_descriptors(worker):
            # No task has to find out: such a worker may be unable to reach its database for a claim.
            await kill_simulators(worker)
            await fires(prometheus, "KetlineSimulatorsCannotStart")
        await ends(prometheus, "KetlineSimulatorsCannotStart")
        await service.start_worker("other", KETLINE_WORKER_KINDS="convert")
        await ends(prometheus, "KetlineNoWorkers", "KetlineOldestTaskTooOld")
        await database.stop()

        async def requests_fail() -> bool:
            assert (await api.http.get("/tasks")).status_code == httpx.codes.SERVICE_UNAVAILABLE
            return "KetlineRequestsFailing" in await prometheus.firing()

        await eventually(requests_fail, "an alert about requests", pause_seconds=0.2)
        await fires(prometheus, "KetlineDependencyDown", "KetlineMeasurementsMissing")
        await database.start()
        await ends(prometheus, "KetlineDependencyDown", "KetlineMeasurementsMissing")


async def test_every_panel_of_the_dashboard_has_data_of_a_live_service(distributed: Distributed) -> None:
    worker_port, metrics_port = any_port(), any_port()
    await distributed.start_api(KETLINE_METRICS_PORT=str(metrics_port))
    await distributed.start_worker(KETLINE_WORKER_PORT=str(worker_port))
    targets = {"ketline-api": [f"127.0.0.1:{metrics_port}"], "ketline-worker": [f"127.0.0.1:{worker_port}"]}
    async with distributed.api() as api, PrometheusServer(targets, rules=RULES) as prometheus:
        missing = {title for title, _ in EXPRESSIONS}

        async def look() -> bool:
            await api.ended(await api.submit("OPENQASM 3.0; nothing"))
            await api.http.get("/nothing")
            for title, expression in EXPRESSIONS:
                if title in missing and await prometheus.query(expression):
                    missing.discard(title)
            return missing <= WITHOUT_DATA

        try:
            await eventually(look, "a dashboard with data", 60, pause_seconds=1)
        except AssertionError as error:
            raise AssertionError(f"no data: {missing - WITHOUT_DATA}") from error
