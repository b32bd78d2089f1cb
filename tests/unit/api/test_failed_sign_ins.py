"""Keys and tokens that stand for nobody, sent too often from one address: 429, but who works from there continues."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.audit import Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Principal, Role
from ketline.domain.access.rate_limits import parse_rate_limits
from ketline.domain.errors import CredentialsInvalid, DatabaseUnavailable
from ketline.ports.access.access import SignInAttempt, TokenVerifier
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.failures import FailedSignIns
from ketline.service.access.keys import VerifyKey
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from tests.actors import TESTER
from tests.api_services import with_access
from tests.fake_access import FakeAuditLog, FakeKeyStore
from tests.forms import csrf_token_of

MOST = 3
WRONG = f"ktl_{'0' * 12}_{'0' * 64}"
Connect = Callable[..., httpx.AsyncClient]


class RejectingProvider:
    """An identity provider that signs nobody in."""

    name = "id.example.org"

    async def begin(self) -> tuple[str, SignInAttempt]:
        return "https://id.example.org/", SignInAttempt("state", "nonce", "verifier")

    async def finish(self, code: str, attempt: SignInAttempt) -> Principal:
        raise CredentialsInvalid("The code is not valid.")


@pytest.fixture
def protected(services: Services) -> Services:
    clock = SystemClock()
    verifiers: list[TokenVerifier] = [
        VerifySession(services.access.sessions.store),
        VerifyKey(services.access.keys.store, clock),
    ]
    limits = parse_rate_limits(f"{MOST}/hour")
    return with_access(
        services,
        authenticate=Authenticate(verifiers, clock),
        failed_sign_ins=FailedSignIns(limits, clock),
        provider=RejectingProvider(),
    )


@pytest.fixture
async def connect(protected: Services, options: ApiOptions) -> AsyncIterator[Connect]:
    """Opens clients of one application, each with its address: `connect("192.0.2.1")`."""
    app = create_app(protected, options)
    async with AsyncExitStack() as clients:

        def client(address: str = "192.0.2.1", **headers: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(address, 1234))
            one = httpx.AsyncClient(transport=transport, base_url="https://ketline.test", headers=headers)
            clients.push_async_callback(one.aclose)
            return one

        yield client


async def _key(services: Services) -> str:
    created = await services.access.keys.create(
        project=DEFAULT_PROJECT, role=Role.SUBMITTER, owner=Owner("ada"), actor=TESTER
    )
    return created.text


async def _read(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/tasks", headers={"Authorization": f"Bearer {token}"})


async def _sign_in(browser: httpx.AsyncClient, key: str) -> httpx.Response:
    token = csrf_token_of(await browser.get("/ui/sign-in"))
    return await browser.post("/ui/sign-in", data={"key": key, "next": "/", "csrf_token": token})


async def _exhaust(client: httpx.AsyncClient) -> None:
    assert {(await _read(client, WRONG)).status_code for _ in range(MOST)} == {401}


@pytest.mark.parametrize("token", [WRONG, "hunter2", "eyJhbGciOiJub25lIn0.e30."])
async def test_tokens_that_stand_for_nobody_are_limited_by_address(connect: Connect, token: str) -> None:
    client = connect()
    responses = [await _read(client, token) for _ in range(MOST + 2)]
    assert [response.status_code for response in responses] == [401] * MOST + [429] * 2
    rejected = responses[-1]
    assert rejected.json()["code"] == "too_many_failed_sign_ins"
    assert 0 < int(rejected.headers["retry-after"]) <= 1200
    assert rejected.headers["ratelimit-policy"] == f'"failed-sign-ins";q={MOST};w=3600'
    assert rejected.headers["ratelimit"] == f'"failed-sign-ins";r=0;t={rejected.headers["retry-after"]}'
    assert (await _read(connect("192.0.2.2"), token)).status_code == 401


async def test_address_over_its_limit_learns_of_no_key_whether_it_is_valid(
    connect: Connect, protected: Services
) -> None:
    await _exhaust(connect())
    valid = await _key(protected)
    assert (await _read(connect(), valid)).status_code == 429
    assert (await _read(connect("192.0.2.2"), valid)).status_code == 200


async def test_those_who_work_from_the_address_are_not_locked_out(connect: Connect, protected: Services) -> None:
    valid = await _key(protected)
    assert (await _read(connect(), valid)).status_code == 200
    browser = connect(accept="text/html")
    assert (await _sign_in(browser, valid)).status_code == 303
    await _exhaust(connect())
    assert (await _read(connect(), valid)).status_code == 200
    assert (await browser.get("/ui/tasks")).status_code == 200
    assert (await connect().get("/livez", headers={"Authorization": f"Bearer {WRONG}"})).status_code == 200
    await protected.access.keys.revoke(valid.split("_")[1], TESTER)
    protected.access.authenticate.forget(valid)
    assert (await _read(connect(), valid)).status_code == 429


async def test_requests_without_a_token_or_with_an_ended_session_do_not_count(connect: Connect) -> None:
    client = connect()
    ended = {"Cookie": f"ketline_session=kts_{'0' * 64}"}
    for headers in ({}, ended):
        assert {(await client.get("/tasks", headers=headers)).status_code for _ in range(2 * MOST)} == {401}
    assert (await _read(client, WRONG)).status_code == 401


async def test_tokens_that_cannot_be_verified_now_do_not_count(connect: Connect, protected: Services) -> None:
    store = protected.access.keys.store
    assert isinstance(store, FakeKeyStore)
    store.error = DatabaseUnavailable("away")
    assert {(await _read(connect(), WRONG)).status_code for _ in range(2 * MOST)} == {503}
    store.error = None
    assert (await _read(connect(), WRONG)).status_code == 401


async def test_sign_ins_on_the_page_count_and_are_recorded(
    connect: Connect, protected: Services, audit_log: FakeAuditLog
) -> None:
    browser = connect(accept="text/html")
    responses = [await _sign_in(browser, key) for key in (WRONG, "hunter2", "", WRONG, WRONG)]
    assert [response.status_code for response in responses] == [401] * MOST + [429] * 2
    assert "Too many failed sign-ins" in responses[-1].text
    assert 0 < int(responses[-1].headers["retry-after"]) <= 1200
    assert (await _sign_in(browser, await _key(protected))).status_code == 429
    assert (await _sign_in(connect("192.0.2.2", accept="text/html"), await _key(protected))).status_code == 303
    await protected.access.rejected_sign_ins.record_counted()
    origin = Actor(origin="192.0.2.1")
    assert audit_log.records == [
        AuditRecord(action="sign_in.refused", actor=origin, notes=notes) for notes in ("API key", "5 more")
    ]


async def test_sign_ins_at_the_provider_count(connect: Connect) -> None:
    browser = connect(accept="text/html")
    statuses = []
    for query in ("state=state&code=x", "state=state", "state=another&code=x", "state=state&code=x"):
        await browser.get("/ui/sign-in/provider")
        statuses.append((await browser.get(f"/ui/sign-in/callback?{query}")).status_code)
    assert statuses == [401] * MOST + [429]
