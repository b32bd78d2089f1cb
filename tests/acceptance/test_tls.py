"""The service's own TLS, with a throwaway certificate."""

import os
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.conftest import distributed_on
from tests.acceptance.processes import Fleet, running_service
from tests.acceptance.programs import BELL
from tests.servers import PostgresServer, RabbitServer
from tests.servers.certificates import Authority

HEALTH_CHECK = Path(__file__).parents[2] / "healthcheck.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings that name a certificate of 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("tls")
    return _certificate(directory, "-nodes")


def _certificate(directory: Path, *protection: str) -> dict[str, str]:
    cert, key = directory / "cert.pem", directory / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    named = ["-subj", "/CN=throwaway", "-addext", "subjectAltName=IP:127.0.0.1", *protection]
    subprocess.run([*request, *named, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return {"KETLINE_TLS_CERT": str(cert), "KETLINE_TLS_KEY": str(key)}


def test_service_speaks_https_alone(tmp_path: Path, files: dict[str, str]) -> None:
    trusted = ssl.create_default_context(cafile=files["KETLINE_TLS_CERT"])
    with running_service(tmp_path, **files) as url:
        assert url.startswith("https://127.0.0.1:")
        with httpx.Client(base_url=url, verify=trusted, timeout=60) as client:
            task = client.post("/tasks", json={"qc": BELL, "shots": 10}, headers={"Prefer": "wait=60"}).json()
            assert task["status"] == "completed"
            assert client.get(f"/tasks/{task['task_id']}/counts").status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http") + "/livez")
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            httpx.get(url + "/livez")
        command = [sys.executable, "-m", "ketline", "stats", "--url", url]
        trusting = {**os.environ, "SSL_CERT_FILE": files["KETLINE_TLS_CERT"]}
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=trusting)
        assert "completed" in shown.stdout
        rejected = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert (rejected.returncode, rejected.stdout) == (3, "")
        assert "certificate is not valid" in rejected.stderr
        assert "Traceback" not in rejected.stderr


def _health_check(url: str, port_variable: str, **settings: str) -> int:
    """The exit status of the container image's health check on a service at `url`."""
    environment = {"KETLINE_PORT": "1", port_variable: str(urlsplit(url).port), **settings}
    command = [sys.executable, "-IS", str(HEALTH_CHECK)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment).returncode


def test_health_check_of_the_image_uses_https_where_the_api_does(tmp_path: Path, files: dict[str, str]) -> None:
    with running_service(tmp_path, **files) as url:
        assert _health_check(url, "KETLINE_PORT", **files) == 0
        assert _health_check(url, "KETLINE_PORT") == 1
    assert _health_check(url, "KETLINE_PORT", **files) == 1


def test_health_check_of_the_image_uses_http_for_a_worker(tmp_path: Path, files: dict[str, str]) -> None:
    with running_service(tmp_path) as url:
        assert _health_check(url, "KETLINE_PORT") == 0
        assert _health_check(url, "KETLINE_WORKER_PORT", **files) == 0


@pytest.mark.parametrize("case", ["missing", "swapped", "encrypted", "alone"])
def test_files_that_cannot_be_used_end_the_start(tmp_path: Path, files: dict[str, str], case: str) -> None:
    cert, key = files.values()
    given = {
        "missing": {**files, "KETLINE_TLS_KEY": str(tmp_path / "no-such-file")},
        "swapped": {"KETLINE_TLS_CERT": key, "KETLINE_TLS_KEY": cert},
        "encrypted": _certificate(tmp_path, "-passout", "pass:hunter2"),
        "alone": {"KETLINE_TLS_CERT": cert},
    }[case]
    command = [sys.executable, "-m", "ketline", "up", "--data-dir", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env={**os.environ, **given}
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "KETLINE_TLS_KEY" in done.stderr
    assert "Traceback" not in done.stderr


async def test_every_connection_of_a_service_over_tls(
    fleet: type[Fleet],
    tmp_path: Path,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    """To the database and the broker with verification, and from a client that trusts the authority only."""
    authority = Authority(tmp_path)
    certificate = authority.sign("server", "localhost", "127.0.0.1")
    database = await private_postgres_server()
    await database.create_database("ketline")
    await database.use_certificate(certificate)
    async with RabbitServer(certificate=certificate) as broker:
        service = distributed_on(
            fleet,
            tmp_path,
            f"postgresql://postgres@localhost:{database.port}/ketline?sslmode=verify-full&sslrootcert="
            f"{authority.certificate}",
            f"amqps://guest:guest@localhost:{broker.tls_port}/?cafile={authority.certificate}",
        )
        assert await (await service.fleet.start("migrate")).process.wait() == 0
        served: dict[str, Any] = {"KETLINE_TLS_CERT": str(certificate.cert), "KETLINE_TLS_KEY": str(certificate.key)}
        api = await service.start_api(**served)
        await service.start_worker()
        await api.logged("broker.connected")
        trusting = ssl.create_default_context(cafile=authority.certificate)
        url = f"https://localhost:{service.port}"
        async with httpx.AsyncClient(base_url=url, verify=trusting, timeout=120) as client:
            submitted = await client.post("/tasks", json={"qc": BELL, "shots": 10}, headers={"Prefer": "wait=60"})
            assert submitted.json()["status"] == "completed", submitted.text
        sessions = await database.fetch(
            "SELECT application_name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = 'ketline'"
        )
        assert {row["ssl"] for row in sessions} == {True}
        assert "ketline-listener" in {row["application_name"] for row in sessions}
