"""The sign-in of the pages: cookies, CSRF tokens, where it leads, and what each role sees."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from ketline.api.app import ApiOptions, create_app
from ketline.api.pages.sign_in import local_path
from ketline.api.requests.credentials import csrf_token
from ketline.api.requests.hosts import HostRule
from ketline.api.rights import RIGHTS
from ketline.domain.access.audit import Actor, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Role
from ketline.domain.access.rate_limits import parse_rate_limits
from ketline.ports.access.access import TokenVerifier
from ketline.rate_limiter import MemoryRateLimiter
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.keys import VerifyKey
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from tests.actors import TESTER
from tests.api_services import with_access
from tests.fake_access import FakeAuditLog, FakeSessionStore
from tests.fakes import FakeTaskRepository
from tests.forms import csrf_token_of

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
SESSION = "ketline_session"


@pytest.fixture
def protected(services: Services) -> Services:
    clock = SystemClock()
    verifiers: list[TokenVerifier] = [
        VerifySession(services.access.sessions.store),
        VerifyKey(services.access.keys.store, clock),
    ]
    return with_access(services, authenticate=Authenticate(verifiers, clock))


@pytest.fixture
def signed(protected: Services, options: ApiOptions) -> FastAPI:
    hosts = HostRule(names=frozenset({"ketline.test", "localhost", "127.0.0.1"}))
    return create_app(protected, replace(options, hosts=hosts))


@pytest.fixture
async def browser(signed: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(signed)
    async with httpx.AsyncClient(transport=transport, base_url="https://ketline.test", headers=BROWSER) as client:
        yield client


async def key(services: Services, role: Role = Role.SUBMITTER) -> str:
    return (
        await services.access.keys.create(project=DEFAULT_PROJECT, role=role, owner=Owner("ada lovelace"), actor=TESTER)
    ).text


async def sign_in(browser: httpx.AsyncClient, text: str, **fields: str) -> httpx.Response:
    form = await browser.get("/ui/sign-in", params=fields)
    return await browser.post("/ui/sign-in", data={"csrf_token": csrf_token_of(form), "key": text, **fields})


def cookie(response: httpx.Response, name: str) -> str:
    [found] = [line for line in response.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return found


async def test_browser_without_credentials_is_led_to_the_sign_in_and_back(
    browser: httpx.AsyncClient, protected: Services
) -> None:
    led = await browser.get("/ui/tasks?tag=a&order=submitted")
    assert led.status_code == 303
    form = await browser.get(led.headers["location"].replace("../ui", "/ui"))
    assert form.status_code == 200
    wanted = re.search(r'name="next" value="([^"]*)"', form.text)
    assert wanted is not None
    assert wanted[1] == "/ui/tasks?tag=a&amp;order=submitted"
    back = await sign_in(browser, await key(protected), next="/ui/tasks?tag=a")
    assert (back.status_code, back.headers["location"]) == (303, "../ui/tasks?tag=a")
    page = await browser.get("/ui/tasks")
    assert page.status_code == 200
    assert "ada lovelace" in page.text
    assert "default" in page.text


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/ui/tasks", {"Accept": "*/*"}),
        ("GET", "/ui/tasks", {"HX-Request": "true"}),
        ("GET", "/tasks", {}),
        ("POST", "/ui/submit", {}),
    ],
)
async def test_only_a_page_that_a_browser_opens_is_redirected(
    browser: httpx.AsyncClient, method: str, path: str, headers: Mapping[str, str]
) -> None:
    assert (await browser.request(method, path, headers=headers)).status_code == 401


async def test_cookie_is_out_of_reach_for_scripts_other_sites_and_plain_http(
    browser: httpx.AsyncClient, protected: Services
) -> None:
    set_to = cookie(await sign_in(browser, await key(protected)), SESSION).lower()
    assert {"httponly", "samesite=lax", "secure", "max-age=3600", "path=/"} <= set(set_to.split("; "))


@pytest.mark.parametrize(
    ("address", "peer", "headers", "secure"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", {}, False),
        ("http://localhost", "127.0.0.1", {}, False),
        ("http://localhost:8000", "172.18.0.1", {}, False),  # a port of a container, published on loopback
        ("https://localhost", "127.0.0.1", {}, True),
        ("http://ketline.test", "127.0.0.1", {}, True),
        ("http://localhost", "127.0.0.1", {"X-Forwarded-Proto": "https"}, True),
    ],
)
async def test_cookie_is_secure_but_on_plain_loopback(
    signed: FastAPI, address: str, peer: str, headers: Mapping[str, str], secure: bool
) -> None:
    transport = httpx.ASGITransport(signed, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=address) as client:
        form = await client.get("/ui/sign-in", headers=headers)
    assert ("secure" in cookie(form, "ketline_sign_in").lower().split("; ")) is secure


@pytest.mark.parametrize("text", ["", "ktl_", "ktl_" + "0" * 12 + "_" + "0" * 64, "kts_" + "0" * 64, "<script>"])
async def test_key_that_is_none_starts_no_session(browser: httpx.AsyncClient, text: str) -> None:
    rejected = await sign_in(browser, text)
    assert rejected.status_code == 401
    assert "not valid" in rejected.text
    assert "<script>" not in rejected.text
    assert SESSION not in browser.cookies


async def test_sign_in_needs_the_token_of_its_form(browser: httpx.AsyncClient, protected: Services) -> None:
    valid = await key(protected)
    await browser.get("/ui/sign-in")
    for token in ("", "0" * 64):
        rejected = await browser.post("/ui/sign-in", data={"csrf_token": token, "key": valid})
        assert (rejected.status_code, "csrf_token_invalid" in rejected.text) == (403, True)
    browser.cookies.clear()
    without_cookie = await browser.post("/ui/sign-in", data={"csrf_token": csrf_token(""), "key": valid})
    assert without_cookie.status_code == 403
    assert SESSION not in browser.cookies


async def test_form_of_a_session_needs_its_token(
    browser: httpx.AsyncClient, protected: Services, repository: FakeTaskRepository
) -> None:
    await sign_in(browser, await key(protected))
    fields = {"qc": "OPENQASM 3.0;", "shots": "5"}
    for given in ({}, {"csrf_token": ""}, {"csrf_token": "0" * 64}):
        for path in ("/ui/check", "/ui/bulk", "/ui/sign-out"):
            rejected = await browser.post(path, data={**fields, **given})
            assert (rejected.status_code, "csrf_token_invalid" in rejected.text) == (403, True)
        shown_again = await browser.post("/ui/submit", data={**fields, **given})
        assert (shown_again.status_code, fields["qc"] in shown_again.text) == (403, True)
        assert "The task was not submitted" in shown_again.text
        assert csrf_token_of(shown_again) == csrf_token_of(await browser.get("/"))
    assert not repository.submissions
    token = csrf_token_of(await browser.get("/"))
    sent = await browser.post("/ui/submit", data={**fields, "csrf_token": token})
    assert (sent.status_code, len(repository.submissions)) == (303, 1)


async def test_cookie_changes_nothing_through_the_api(
    browser: httpx.AsyncClient, protected: Services, repository: FakeTaskRepository
) -> None:
    await sign_in(browser, await key(protected, Role.ADMINISTRATOR))
    some_id = "7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"
    for method, path in RIGHTS:
        if method != "GET" and not path.startswith("/ui/"):
            response = await browser.request(method, re.sub(r"\{\w+\}", some_id, path), json={"qc": "x"})
            assert response.status_code == 401, (method, path)
    assert (await browser.get("/tasks")).status_code == 200
    assert not repository.submissions


async def test_bearer_token_needs_no_form_token_and_comes_before_the_cookie(
    browser: httpx.AsyncClient, protected: Services
) -> None:
    await sign_in(browser, await key(protected, Role.ADMINISTRATOR))
    bearer = {"Authorization": f"Bearer {await key(protected, Role.READER)}"}
    assert (await browser.post("/ui/check", data={"qc": "x"}, headers=bearer)).status_code == 200
    assert (await browser.get("/ui/system", headers=bearer)).status_code == 403


async def test_session_is_no_bearer_token_and_a_key_no_cookie(signed: FastAPI, protected: Services) -> None:
    text = await key(protected)
    session = await protected.access.sessions.start(await protected.access.authenticate(text), None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(signed), base_url="https://ketline.test") as client:
        assert (await client.get("/tasks", headers={"Authorization": f"Bearer {session}"})).status_code == 401
        assert (await client.get("/tasks", headers={"Cookie": f"{SESSION}={text}"})).status_code == 401
        assert (await client.get("/tasks", headers={"Cookie": f"{SESSION}={session}"})).status_code == 200


async def test_sign_out_ends_the_session(browser: httpx.AsyncClient, protected: Services) -> None:
    await sign_in(browser, await key(protected))
    session, token = browser.cookies[SESSION], csrf_token_of(await browser.get("/"))
    assert (await browser.post("/ui/sign-out", data={"csrf_token": ""})).status_code == 403
    ended = await browser.post("/ui/sign-out", data={"csrf_token": token})
    assert (ended.status_code, ended.headers["location"]) == (303, "sign-in")
    assert SESSION not in browser.cookies
    assert (await browser.get("/tasks", headers={"Cookie": f"{SESSION}={session}"})).status_code == 401


async def test_browser_keeps_no_pages_for_after_the_sign_out(browser: httpx.AsyncClient, protected: Services) -> None:
    await sign_in(browser, await key(protected))
    kept = {path: (await browser.get(path)).headers["cache-control"] for path in ("/ui/tasks", "/ui/usage", "/")}
    # What was typed in a form is restored only if the form may be stored.
    assert kept == {"/ui/tasks": "no-store", "/ui/usage": "no-store", "/": "private, no-cache"}
    copied = await browser.get("/?copy=7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b")
    assert copied.headers["cache-control"] == "no-store"
    ended = await browser.post("/ui/sign-out", data={"csrf_token": csrf_token_of(await browser.get("/"))})
    assert ended.headers["clear-site-data"] == '"cache"'


async def test_sign_in_and_sign_out_are_recorded_with_who_and_from_where(
    browser: httpx.AsyncClient, protected: Services
) -> None:
    text = await key(protected)
    await sign_in(browser, text)
    token = csrf_token_of(await browser.get("/"))
    await browser.post("/ui/sign-out", data={"csrf_token": token})
    store = protected.access.sessions.store
    assert isinstance(store, FakeSessionStore)
    ada = Actor(owner=Owner("ada lovelace"), key_id=text.split("_")[1], origin="127.0.0.1")
    assert store.actors == [ada, ada]


async def test_sign_in_is_a_request_of_its_key(protected: Services, options: ApiOptions) -> None:
    limiter = MemoryRateLimiter(parse_rate_limits("2/hour"))
    app = create_app(with_access(protected, rate_limiter=limiter), options)
    text, other = await key(protected), await key(protected)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://ketline.test", headers=BROWSER) as browser:
        responses = [await sign_in(browser, text) for _ in range(4)]
        assert [response.status_code for response in responses] == [303, 303, 429, 429]
        assert 0 < int(responses[-1].headers["retry-after"]) <= 3600
        assert (await sign_in(browser, other)).status_code == 303
    store = protected.access.sessions.store
    assert isinstance(store, FakeSessionStore)
    assert len(store.actors) == 3


async def test_rejected_sign_in_is_recorded_without_what_was_typed(
    browser: httpx.AsyncClient, protected: Services, audit_log: FakeAuditLog
) -> None:
    ended = await key(protected)
    await protected.access.keys.revoke(ended.split("_")[1], TESTER)
    for text in ("hunter2", ended, ended[:-1]):
        assert (await sign_in(browser, text)).status_code == 401
    await protected.access.rejected_sign_ins.record_counted()
    origin = Actor(origin="127.0.0.1")
    assert audit_log.records == [
        AuditRecord(action="sign_in.refused", actor=origin, notes=notes) for notes in ("API key", "2 more")
    ]


async def test_pages_hide_what_a_role_may_not_do(browser: httpx.AsyncClient, protected: Services) -> None:
    seen = {}
    for role in Role:
        await sign_in(browser, await key(protected, role))
        text = (await browser.get("/")).text
        seen[role] = (">Submit</button>" in text, ">System</a>" in text, f"{role} of" in text)
    assert seen == {
        Role.READER: (False, False, True),
        Role.SUBMITTER: (True, False, True),
        Role.OPERATOR: (True, True, True),
        Role.ADMINISTRATOR: (True, True, True),
    }


async def test_shared_link_of_the_form_has_no_token(browser: httpx.AsyncClient, protected: Services) -> None:
    """The form is also sent by GET, which puts all its fields but the buttons not used into the address."""
    await sign_in(browser, await key(protected))
    form = re.search(r'<form id="form".*?</form>', (await browser.get("/")).text, re.DOTALL)
    assert form is not None
    inputs = re.sub(r"<button[^>]*>", "", form[0])
    assert "csrf_token" in form[0]
    assert "csrf_token" not in inputs


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/ui/tasks",
        "/\\evil.example",
        "/ui/../../evil",
        "/ui/tasks\r\nSet-Cookie: a=b",
        "/ui/%2e%2e/evil",
        "/ui/.%2E/evil",
        "/ui/%2e/sign-out",
        "/ui/./sign-out",
        "/ui/.\\sign-out",
        "/ui/%73ign-out",
        "/ui/sign-out",
        "/tasks",
        "javascript:alert(1)",
        "",
    ],
)
def test_sign_in_leads_to_pages_of_this_service_only(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_sign_in_leads_to_the_page_that_was_wanted() -> None:
    for wanted in ("/ui/tasks?tag=a&name=b%2F*", "/ui/tasks?name=%2e%2e/..", "/ui/tasks/a%20b"):
        assert local_path(wanted) == wanted


async def test_there_is_no_sign_in_without_authentication(client: httpx.AsyncClient) -> None:
    response = await client.get("/ui/sign-in")
    assert (response.status_code, response.headers["location"]) == (303, "../")
