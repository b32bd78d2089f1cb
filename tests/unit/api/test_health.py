from datetime import UTC, datetime

import httpx
import pytest

from ketline.domain.errors import (
    DatabaseAccessDenied,
    DatabaseConnectionsExhausted,
    DatabaseFileLost,
    DatabaseFull,
    DatabaseNotMigrated,
    DatabaseReadOnly,
    DatabaseTlsFailed,
    DatabaseUnavailable,
    KetlineError,
    QueueUnavailable,
)
from tests.fakes import FakeTaskPublisher, FakeTaskRepository

DATABASE_DOWN = DatabaseUnavailable("gone")
QUEUE_DOWN = QueueUnavailable("gone")


@pytest.mark.parametrize(
    ("database", "queue", "code", "status"),
    [
        (None, None, 200, "healthy"),
        (DATABASE_DOWN, None, 503, "unhealthy"),
        (None, QUEUE_DOWN, 503, "unhealthy"),
        (DATABASE_DOWN, QUEUE_DOWN, 503, "unhealthy"),
    ],
)
async def test_health_tells_what_answers(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    publisher: FakeTaskPublisher,
    database: KetlineError | None,
    queue: KetlineError | None,
    code: int,
    status: str,
) -> None:
    repository.error, publisher.error = database, queue
    response = await client.get("/health")
    body = response.json()
    assert (response.status_code, response.headers["content-type"]) == (code, "application/json")
    assert abs((datetime.fromisoformat(body.pop("timestamp")) - datetime.now(UTC)).total_seconds()) < 60
    assert body == {
        "status": status,
        "database_status": "disconnected" if database else "connected",
        "queue_status": "disconnected" if queue else "connected",
        **({"database_problem": "database_unavailable"} if database else {}),
        **({"queue_problem": "queue_unavailable"} if queue else {}),
    }
    assert response.headers["cache-control"] == "no-store"


async def test_livez_asks_nothing(
    client: httpx.AsyncClient, repository: FakeTaskRepository, publisher: FakeTaskPublisher
) -> None:
    repository.error, publisher.error = DATABASE_DOWN, QUEUE_DOWN
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_ready_when_all_is_well(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "missing": [], "stopping": False})


async def test_still_ready_with_the_queue_down(client: httpx.AsyncClient, publisher: FakeTaskPublisher) -> None:
    publisher.error = QUEUE_DOWN
    response = await client.get("/readyz")
    body = {"status": "ready", "missing": ["queue"], "stopping": False, "queue_problem": "queue_unavailable"}
    assert (response.status_code, response.json()) == (200, body)


async def test_not_ready_while_the_database_takes_no_writes(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = DatabaseReadOnly("at db.internal")
    response = await client.get("/readyz")
    assert response.status_code == 503
    body = {"status": "not_ready", "missing": ["database"], "stopping": False, "database_problem": "database_read_only"}
    assert response.json() == body


@pytest.mark.parametrize(
    "error",
    [
        DatabaseAccessDenied,
        DatabaseReadOnly,
        DatabaseFull,
        DatabaseFileLost,
        DatabaseNotMigrated,
        DatabaseConnectionsExhausted,
        DatabaseTlsFailed,
    ],
)
async def test_each_reason_is_a_503_with_its_code(
    client: httpx.AsyncClient, repository: FakeTaskRepository, error: type[DatabaseUnavailable]
) -> None:
    repository.error = error("at db.internal")
    for path in ("/health", "/readyz"):
        response = await client.get(path)
        assert (response.status_code, response.json()["database_problem"]) == (503, error.code)
    response = await client.post("/tasks", json={"qc": "x"})
    assert (response.status_code, response.json()["code"]) == (503, error.code)
    assert response.headers["Retry-After"] == "2"
    assert "internal" not in response.text


async def test_not_ready_while_stopping(client: httpx.AsyncClient, stopping: list[bool]) -> None:
    stopping.append(True)
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "not_ready", "missing": [], "stopping": True})


async def test_version_is_that_of_the_process_and_its_image(client: httpx.AsyncClient) -> None:
    response = await client.get("/version")
    assert (response.status_code, response.json()) == (200, {"version": "1.2.3", "revision": "76cb73e"})
    assert response.headers["cache-control"] == "no-store"
