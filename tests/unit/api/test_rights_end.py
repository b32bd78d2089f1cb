"""Open event streams and long polls end when the rights of their sender do."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Role
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.ports.access.access import TokenVerifier
from ketline.runtime.clock import SystemClock
from ketline.schemas.types import BELL
from ketline.service.access.authentication import Authenticate
from ketline.service.access.keys import NewKey, VerifyKey
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from ketline.service.tasks.watch import Watch
from tests.actors import TESTER
from tests.api_services import with_access
from tests.fake_access import FakeKeyStore
from tests.fakes import FakeTaskRepository

SECONDS = 10.0
# What revocation promises.
MAX_SECONDS = 2.0
PATHS = ["/tasks/events", "/tasks/{}/events", "/tasks/{}?wait=30"]


@pytest.fixture
def protected(services: Services) -> Services:
    clock = SystemClock()
    verifiers: list[TokenVerifier] = [
        VerifySession(services.access.sessions.store),
        VerifyKey(services.access.keys.store, clock),
    ]
    return with_access(services, authenticate=Authenticate(verifiers, clock))


@pytest.fixture
async def http(protected: Services, options: ApiOptions) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(protected, options))
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test") as client:
        yield client


@pytest.fixture
async def key(protected: Services) -> NewKey:
    return await protected.access.keys.create(
        project=DEFAULT_PROJECT, role=Role.SUBMITTER, owner=Owner("ada"), actor=TESTER
    )


@pytest.fixture
def bearer(key: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.text}"}


@pytest.fixture
async def task_id(http: httpx.AsyncClient, repository: FakeTaskRepository, bearer: dict[str, str]) -> TaskId:
    await http.post("/tasks", json={"qc": BELL}, headers=bearer)
    return repository.submissions[-1].task_id


@asynccontextmanager
async def waiting(
    watch: Watch, request: Coroutine[Any, Any, httpx.Response]
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """The request, under way and waiting."""
    sent = asyncio.create_task(request)
    async with asyncio.timeout(SECONDS):
        while not watch.watched:
            assert not sent.done(), sent.result()
            await asyncio.sleep(0)
        yield sent
        await sent


@pytest.mark.parametrize("path", PATHS)
async def test_revoked_key_ends_what_is_open(
    http: httpx.AsyncClient,
    protected: Services,
    watch: Watch,
    key: NewKey,
    bearer: dict[str, str],
    task_id: TaskId,
    path: str,
) -> None:
    async with waiting(watch, http.get(path.format(task_id), headers=bearer)) as sent:
        await protected.access.keys.revoke(key.key.key_id, TESTER)
        started = time.monotonic()
        response = await sent
    assert time.monotonic() - started < MAX_SECONDS
    assert response.status_code == (401 if "wait" in path else 200)
    assert "wait" not in path or response.json()["code"] == "credentials_invalid"


@pytest.mark.parametrize("path", PATHS)
async def test_expiry_ends_what_is_open_also_while_nobody_can_verify_it(
    http: httpx.AsyncClient, protected: Services, watch: Watch, task_id: TaskId, path: str
) -> None:
    short = await protected.access.keys.create(
        project=DEFAULT_PROJECT, role=Role.READER, owner=Owner("ada"), lifetime=timedelta(seconds=0.5), actor=TESTER
    )
    started, headers = time.monotonic(), {"Authorization": f"Bearer {short.text}"}
    async with waiting(watch, http.get(path.format(task_id), headers=headers)) as sent:
        assert isinstance(protected.access.keys.store, FakeKeyStore)
        protected.access.keys.store.error = DatabaseUnavailable("down")
        await sent
    assert time.monotonic() - started < 0.5 + MAX_SECONDS


async def test_ended_session_ends_the_stream_of_its_page(
    http: httpx.AsyncClient, protected: Services, watch: Watch, key: NewKey
) -> None:
    session = await protected.access.sessions.start(await protected.access.authenticate(key.text), None)
    headers = {"Cookie": f"ketline_session={session}"}
    async with waiting(watch, http.get("/tasks/events", headers=headers)) as sent:
        await protected.access.sessions.end(session, TESTER)
        started = time.monotonic()
        assert (await sent).status_code == 200
    assert time.monotonic() - started < MAX_SECONDS


async def test_wait_for_many_ends_with_the_key(
    http: httpx.AsyncClient, protected: Services, watch: Watch, key: NewKey, bearer: dict[str, str], task_id: TaskId
) -> None:
    request = http.post("/tasks/ended", json={"task_ids": [str(task_id)]}, headers={**bearer, "Prefer": "wait=30"})
    async with waiting(watch, request) as sent:
        await protected.access.keys.revoke(key.key.key_id, TESTER)
        assert (await sent).status_code == 401


async def test_stream_outlives_a_database_that_is_down(
    http: httpx.AsyncClient,
    protected: Services,
    watch: Watch,
    repository: FakeTaskRepository,
    bearer: dict[str, str],
    task_id: TaskId,
) -> None:
    store = protected.access.keys.store
    assert isinstance(store, FakeKeyStore)
    async with waiting(watch, http.get(f"/tasks/{task_id}/events", headers=bearer)) as sent:
        store.error = DatabaseUnavailable("down")
        failed = store.failures
        async with asyncio.timeout(SECONDS):
            while store.failures == failed:  # noqa: ASYNC110 - another task of this loop fails
                await asyncio.sleep(0)
        assert not sent.done()
        store.error = None
        repository.change(task_id, TaskStatus.COMPLETED)
        watch.on_change([Change(task_id=task_id, status=TaskStatus.COMPLETED)])
        assert "completed" in (await sent).text
