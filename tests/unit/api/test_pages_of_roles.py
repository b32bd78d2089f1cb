"""What each role sees on every page: no button and no link that it may not use."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.api.rights import RIGHTS
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Role
from ketline.domain.attempts.dead_letters import DeadLetter
from ketline.domain.devices.device import Device, DeviceQubit
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.ports.access.access import TokenVerifier
from ketline.runtime.clock import SystemClock
from ketline.schemas.types import BELL
from ketline.service.access.authentication import Authenticate
from ketline.service.access.keys import NewKey, VerifyKey
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from tests.actors import TESTER
from tests.api_services import with_access
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeDeadLetterBox

HOST = "https://ketline.test"
# Those who may not open a page are not offered it either.
PAGES = ("/", "/ui/tasks", "/ui/devices", "/ui/usage", "/ui/system", "/ui/keys", "/ui/audit")


class Offers(HTMLParser):
    """The requests that a page offers: its links, and what its buttons send."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.form: tuple[str, str] | None = None
        self.found: set[tuple[str, str]] = set()
        self.boxes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._add("GET", given["href"])
        elif tag == "form":
            self.form = given.get("method", "get").upper(), given["action"]
        elif tag == "button" and self.form is not None and given.get("type", "submit") == "submit":
            self._add(given.get("formmethod", self.form[0]).upper(), given.get("formaction", self.form[1]))
        elif tag == "input" and given.get("name") == "task":
            self.boxes += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None

    def _add(self, method: str, to: str) -> None:
        if not to.startswith("#"):
            self.found.add((method, urlsplit(urljoin(self.address, to)).path))


@pytest.fixture
def protected(services: Services) -> Services:
    clock = SystemClock()
    verifiers: list[TokenVerifier] = [
        VerifySession(services.access.sessions.store),
        VerifyKey(services.access.keys.store, clock),
    ]
    return with_access(services, authenticate=Authenticate(verifiers, clock))


@pytest.fixture
async def browser(protected: Services, options: ApiOptions) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(protected, options))
    async with httpx.AsyncClient(transport=transport, base_url=HOST, headers={"Accept": "text/html"}) as client:
        yield client


async def key(services: Services, role: Role) -> NewKey:
    return await services.access.keys.create(project=DEFAULT_PROJECT, role=role, owner=Owner("ada"), actor=TESTER)


def route_of(method: str, path: str) -> tuple[str, str]:
    """The row of the table of rights for a request, of which a path without parameters comes first."""
    rows = [row for row in RIGHTS if row[0] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", row[1]), path)]
    assert rows, f"{method} {path} is no route"
    return min(rows, key=lambda row: row[1].count("{"))


def _is_page(path: str) -> bool:
    return path == "/" or path.startswith("/ui/")


async def offers_of(browser: httpx.AsyncClient, path: str) -> Offers:
    page = await browser.get(path)
    assert page.status_code == 200, page.text
    offers = Offers(HOST + path)
    offers.feed(page.text)
    return offers


@pytest.fixture
async def tasks(browser: httpx.AsyncClient, protected: Services, catalogue: FakeTaskCatalogue) -> list[str]:
    """The pages of a task that waits, one that is held, and one that has ended."""
    bearer = {"Authorization": f"Bearer {(await key(protected, Role.SUBMITTER)).text}"}
    for body in ({}, {"hold": True}, {}):
        sent = await browser.post("/tasks", json={"qc": BELL, **body}, headers=bearer)
        assert sent.status_code == 202
    known = catalogue.repository.tasks
    last = next(reversed(known))
    known[last] = replace(known[last], status=TaskStatus.COMPLETED, completed_at=datetime.now(UTC), counts={"0": 1})
    return [f"/ui/tasks/{task_id}" for task_id in known]


@pytest.fixture
async def device(protected: Services) -> str:
    """The page of a device that the project stored."""
    await protected.devices.put(Device(name="mine", qubits=(DeviceQubit(),), gates=()), TESTER)
    return "/ui/devices/mine"


@pytest.mark.parametrize("role", Role)
async def test_pages_offer_a_role_all_that_it_may_do_and_nothing_else(
    browser: httpx.AsyncClient,
    protected: Services,
    dead_letters: FakeDeadLetterBox,
    tasks: Sequence[str],
    device: str,
    role: Role,
) -> None:
    dead_letters.letters = [DeadLetter(reason="delivery_limit", task_id=TaskId(uuid4()))]
    session = await protected.access.sessions.start(
        await protected.access.authenticate((await key(protected, role)).text), None
    )
    browser.cookies.set("ketline_session", session, domain="ketline.test", path="/")
    may_open = [path for path in PAGES if role.includes(RIGHTS["GET", path] or role)]
    offered: set[tuple[str, str]] = set()
    for path in (*may_open, *tasks, device):
        offered |= (await offers_of(browser, path)).found
    routes = {route_of(method, path) for method, path in offered}
    too_much = {route for route in routes if not role.includes(RIGHTS[route] or role)}
    assert not too_much
    permitted = {route for route, needed in RIGHTS.items() if needed is not None and role.includes(needed)}
    missing = {(method, path) for method, path in permitted if _is_page(path) and method == "POST"} - routes
    # It is for members of several projects.
    assert missing == {("POST", "/ui/choose-project")}
    assert set(may_open) <= {path for _, path in offered} | {"/"}


@pytest.mark.parametrize("role", Role)
async def test_only_those_who_may_change_tasks_select_them(
    browser: httpx.AsyncClient, protected: Services, tasks: Sequence[str], role: Role
) -> None:
    session = await protected.access.sessions.start(
        await protected.access.authenticate((await key(protected, role)).text), None
    )
    browser.cookies.set("ketline_session", session, domain="ketline.test", path="/")
    boxes = (await offers_of(browser, "/ui/tasks")).boxes
    assert boxes == (len(tasks) if role.includes(Role.SUBMITTER) else 0)


async def test_page_of_the_sign_in_offers_nobody_what_needs_a_higher_role(browser: httpx.AsyncClient) -> None:
    found = (await offers_of(browser, "/ui/sign-in")).found
    assert ("POST", "/ui/sign-in") in found
    assert ("GET", "/ui/system") not in found
