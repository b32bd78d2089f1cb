"""A worker's health endpoints say whether it can run tasks."""

import httpx

from ketline.prometheus_metrics import PrometheusMetrics
from ketline.service.health.check import CheckHealth
from ketline.service.health.scrape import Scrape
from ketline.service.health.simulators import SimulatorStatus
from ketline.worker.health import create_health_app
from tests.fakes import FakeTaskPublisher, FakeTaskRepository


async def test_worker_whose_simulators_cannot_be_started_is_not_ready() -> None:
    simulators = SimulatorStatus(1)
    check = CheckHealth(FakeTaskRepository(), FakeTaskPublisher(), 1.0, simulators=simulators)
    app = create_health_app(check, lambda: False, Scrape(PrometheusMetrics(), check))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as client:
        assert (await client.get("/readyz")).status_code == 200, "they are being started"
        simulators.failed(0, "too many open files")
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert response.json() == {
            "status": "not_ready",
            "missing": ["simulators"],
            "stopping": False,
            "simulator_problem": "too many open files",
        }
        assert (await client.get("/livez")).status_code == 200
        simulators.started(0)
        assert (await client.get("/readyz")).json() == {"status": "ready", "missing": [], "stopping": False}
