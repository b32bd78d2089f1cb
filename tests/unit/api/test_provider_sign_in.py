"""The sign-in of a browser at an identity provider, which runs on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.audit import Actor, AuditRecord
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import Owner
from ketline.oidc.code_flow import CodeFlow
from ketline.oidc.keys import IssuerKeys
from ketline.oidc.verifier import VerifyJwt
from ketline.ports.access.access import TokenVerifier
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.keys import VerifyKey
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fake_access import FakeAuditLog, FakeSessionStore
from tests.issuer import Issuer, serving

CLIENT = "ketline-pages"
RIGHTS = parse_groups("physics=physics:submitter")
CALLBACK = "https://ketline.test/ui/sign-in/callback"


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving(Issuer(client_secret="s3cret")) as issuer:
        yield issuer


@pytest.fixture
async def flow(issuer: Issuer) -> AsyncIterator[CodeFlow]:
    async with httpx.AsyncClient(timeout=5) as to_issuer:
        verify = VerifyJwt(IssuerKeys(issuer.url, to_issuer, least_seconds=0.0), CLIENT, "groups", RIGHTS)
        yield CodeFlow(verify=verify, client_id=CLIENT, client_secret="s3cret", redirect_url=CALLBACK)


@asynccontextmanager
async def browser_of(services: Services, options: ApiOptions) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the pages of these services."""
    transport = httpx.ASGITransport(create_app(services, options))
    async with httpx.AsyncClient(
        transport=transport, base_url="https://ketline.test", headers={"Accept": "text/html"}
    ) as browser:
        yield browser


@pytest.fixture
async def browser(services: Services, options: ApiOptions, flow: CodeFlow) -> AsyncIterator[httpx.AsyncClient]:
    authenticate = Authenticate([VerifySession(services.access.sessions.store, RIGHTS)], SystemClock())
    async with browser_of(with_access(services, authenticate=authenticate, provider=flow), options) as browser:
        yield browser


async def come_back(browser: httpx.AsyncClient, **parameters: str) -> str:
    """Go to the issuer, and return the address to which it sends the browser back."""
    sent = await browser.get("/ui/sign-in/provider", params=parameters)
    assert sent.status_code == 303
    async with httpx.AsyncClient() as elsewhere:
        return (await elsewhere.get(sent.headers["location"])).headers["location"]


async def test_browser_signs_in_at_the_provider(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    form = await browser.get("/ui/sign-in?next=/ui/tasks?tag=a")
    assert "Sign in at 127.0.0.1" in form.text
    issuer.given = {"preferred_username": "ada lovelace"}
    signed_in = await browser.get(await come_back(browser, next="/ui/tasks?tag=a"))
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "../../ui/tasks?tag=a")
    page = await browser.get("/ui/tasks")
    assert page.status_code == 200
    assert "ada lovelace" in page.text
    assert "physics" in page.text
    assert (await browser.get("/ui/system")).status_code == 403


async def test_request_to_the_provider_has_what_makes_the_answer_one_of_its_own(browser: httpx.AsyncClient) -> None:
    asked = []
    for _ in range(2):
        sent = await browser.get("/ui/sign-in/provider")
        asked.append(dict(parse_qsl(urlsplit(sent.headers["location"]).query)))
        browser.cookies.clear()
    one, two = asked
    assert (one["response_type"], one["client_id"], one["redirect_uri"]) == ("code", CLIENT, CALLBACK)
    assert (one["code_challenge_method"], len(one["code_challenge"])) == ("S256", 43)
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != two[name]


async def test_answer_to_another_browser_signs_nobody_in(browser: httpx.AsyncClient) -> None:
    """Else a page of another site could sign a browser in as somebody else."""
    address = await come_back(browser)
    browser.cookies.clear()
    assert (await browser.get(address)).status_code == 401
    await browser.get("/ui/sign-in/provider")
    assert (await browser.get(address)).status_code == 401
    assert "ketline_session" not in browser.cookies


async def test_code_counts_once(browser: httpx.AsyncClient) -> None:
    address = await come_back(browser)
    kept = browser.cookies["ketline_attempt"]
    assert (await browser.get(address)).status_code == 303
    browser.cookies.clear()
    again = await browser.get(address, headers={"Cookie": f"ketline_attempt={kept}"})
    assert again.status_code == 401


@pytest.mark.parametrize(
    "given",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"groups": []},
        {"exp": 1},
        {"iss": "https://evil.example"},
        {"azp": "another"},
    ],
    ids=str,
)
async def test_id_token_of_another_sign_in_service_or_user_is_rejected(
    browser: httpx.AsyncClient, issuer: Issuer, given: dict[str, Any]
) -> None:
    issuer.given = given
    rejected = await browser.get(await come_back(browser))
    assert rejected.status_code == 401
    assert "ketline_session" not in browser.cookies


async def test_sign_in_at_the_provider_is_recorded(
    browser: httpx.AsyncClient, issuer: Issuer, services: Services, audit_log: FakeAuditLog
) -> None:
    issuer.given = {"preferred_username": "ada lovelace"}
    await browser.get(await come_back(browser))
    store = services.access.sessions.store
    assert isinstance(store, FakeSessionStore)
    assert store.actors == [Actor(owner=Owner("ada lovelace"), origin="127.0.0.1")]
    issuer.given = {"groups": []}
    await browser.get(await come_back(browser))
    await browser.get("/ui/sign-in/callback?state=another&code=secret")
    await services.access.rejected_sign_ins.record_counted()
    origin = Actor(origin="127.0.0.1")
    assert audit_log.records == [
        AuditRecord(action="sign_in.refused", actor=origin, notes=notes) for notes in ("identity provider", "1 more")
    ]


async def test_provider_that_is_down_or_denies_is_told(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    address = await come_back(browser)
    state = dict(parse_qsl(urlsplit(address).query))["state"]
    issuer.down = True
    assert (await browser.get(address)).status_code == 503
    issuer.down = False
    denied = await browser.get(f"/ui/sign-in/callback?error=access_denied&state={state}")
    assert (denied.status_code, "did not sign you in" in denied.text) == (401, True)


async def test_there_is_no_provider_unless_it_is_set_up(client: httpx.AsyncClient) -> None:
    for path in ("provider", "callback"):
        assert (await client.get(f"/ui/sign-in/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("keys", "issuer_too", "shown"),
    [
        (True, False, {"key"}),
        (False, True, {"issuer"}),
        (True, True, {"key", "issuer"}),
        (False, False, {"nothing"}),
    ],
)
async def test_page_offers_the_ways_to_sign_in_that_are_accepted(
    services: Services, options: ApiOptions, flow: CodeFlow, keys: bool, issuer_too: bool, shown: set[str]
) -> None:
    verifiers: list[TokenVerifier] = [VerifySession(services.access.sessions.store)]
    if keys:
        verifiers.append(VerifyKey(services.access.keys.store, SystemClock()))
    authenticate = Authenticate(verifiers, SystemClock())
    offering = replace(
        services, access=replace(services.access, authenticate=authenticate, provider=flow if issuer_too else None)
    )
    async with browser_of(offering, options) as browser:
        text = (await browser.get("/ui/sign-in")).text
    marks = {"key": 'name="key"', "issuer": "ui/sign-in/provider", "nothing": "Browsers cannot sign in"}
    assert {name for name, mark in marks.items() if mark in text} == shown
