"""A throwaway Prometheus server, and the tool that checks its rules."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers.binaries import find_prometheus
from tests.servers.ports import free_ports
from tests.servers.process import Account, ServerProcess
from tests.servers.server import Server


class PrometheusServer(Server):
    """Prometheus on 127.0.0.1, which scrapes every three seconds and evaluates rules every second.

    `targets` are addresses by the name of a job, `tokens` bearer tokens likewise, and `rules` is the text of a file of
    rules.
    """

    NAME = "Prometheus"
    START_SECONDS = 60.0
    POLL_SECONDS = 0.1

    def __init__(
        self, targets: Mapping[str, Sequence[str]], *, rules: str, tokens: Mapping[str, str] | None = None
    ) -> None:
        account = Account.of_service("prometheus")
        directory = account.make_directory()
        (self.port,) = free_ports(1)
        (directory / "rules.yaml").write_text(rules)
        jobs = [_job(name, addresses, (tokens or {}).get(name)) for name, addresses in targets.items()]
        config = {
            "global": {"scrape_interval": "3s", "scrape_timeout": "3s", "evaluation_interval": "1s"},
            "rule_files": [str(directory / "rules.yaml")],
            "scrape_configs": jobs,
        }
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._process = ServerProcess(
            [
                str(find_prometheus() / "prometheus"),
                f"--config.file={directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            directory=directory,
            account=account,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            stop_signal=signal.SIGTERM,
        )

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now."""
        found: list[dict[str, Any]] = (await self._get("/api/v1/query", query=expression))["result"]
        return found

    async def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = (await self._get("/api/v1/alerts"))["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    async def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            response = await client.get(path, params=parameters)
            assert response.status_code == 200, response.text
            data: dict[str, Any] = response.json()["data"]
            return data

    async def _answers(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
                return (await client.get("/-/ready")).status_code == 200
        except httpx.HTTPError:
            return False


def promtool(*arguments: str | Path) -> str:
    """Run promtool, and return what it prints; an assertion fails if it finds a fault."""
    command = [str(find_prometheus() / "promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _job(name: str, addresses: Sequence[str], token: str | None) -> dict[str, object]:
    credentials = {} if token is None else {"authorization": {"credentials": token}}
    return {"job_name": name, "static_configs": [{"targets": list(addresses)}], **credentials}
