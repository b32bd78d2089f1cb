"""Those who share a service: they sign in with a key or at an issuer, choose a project, and sign out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from ketline.domain.access.principals import Role
from tests.acceptance.processes import Api, Fleet, any_port, api_at, eventually, wait_until_healthy
from tests.acceptance.programs import BELL
from tests.acceptance.projects import database_in, new_key
from tests.browser.conftest import TEST_SECONDS, Open, Window, opening
from tests.issuer import AUDIENCE, Issuer, serving

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

WRONG_KEY = f"ktl_{'0' * 12}_{'0' * 64}"
BROKEN = BELL.replace("h q", "hh q")
PAGES = {
    Role.READER: ("/", "/ui/tasks", "/ui/devices", "/ui/usage"),
    Role.SUBMITTER: ("/", "/ui/tasks", "/ui/devices", "/ui/usage"),
    Role.OPERATOR: ("/", "/ui/tasks", "/ui/devices", "/ui/usage", "/ui/system"),
    Role.ADMINISTRATOR: ("/", "/ui/tasks", "/ui/devices", "/ui/usage", "/ui/system", "/ui/keys", "/ui/audit"),
}


@dataclass(frozen=True, slots=True)
class PrivateService:
    """A service that takes keys and the tokens of an issuer."""

    data: Path
    url: str
    issuer: Issuer

    async def key(self, role: Role, owner: str = "ada") -> str:
        return await new_key(database_in(self.data), "optics", role, owner)

    @asynccontextmanager
    async def client(self, token: str, **headers: str) -> AsyncIterator[Api]:
        given = {"Authorization": f"Bearer {token}", **headers}
        async with httpx.AsyncClient(base_url=self.url, headers=given, timeout=60) as http:
            yield Api(http)


async def _reads(api: Api) -> bool:
    return (await api.http.post("/validate", json={"qc": BELL})).status_code == 200


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def private(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PrivateService]:
    directory, port = tmp_path_factory.mktemp("private"), any_port()
    url = f"http://127.0.0.1:{port}"
    async with serving(Issuer(client_secret="s3cret")) as issuer:
        settings = {
            "KETLINE_AUTH": "keys,oidc",
            "KETLINE_OIDC_ISSUER": issuer.url,
            "KETLINE_OIDC_AUDIENCE": AUDIENCE,
            "KETLINE_OIDC_CLIENT_ID": "ketline-pages",
            "KETLINE_OIDC_CLIENT_SECRET": "s3cret",
            "KETLINE_OIDC_REDIRECT_URL": f"{url}/ui/sign-in/callback",
            "KETLINE_OIDC_GROUPS": "physicists=physics:submitter,chemists=chemistry:operator",
        }
        fleet = Fleet(directory, settings)
        try:
            data = directory / "data"
            process = await fleet.start("up", "--data-dir", str(data), "--port", str(port), KETLINE_WORKER_SLOTS="1")
            await process.logged("api.listening")
            async with api_at(port) as api:
                await wait_until_healthy(api)
            private = PrivateService(data, url, issuer)
            async with private.client(await private.key(Role.READER)) as api:
                # The first program waits until Qiskit is imported, longer than a page waits for its drawing.
                await eventually(lambda: _reads(api), "a service that reads programs")
            yield private
        finally:
            await fleet.end()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(private: PrivateService, browser: Browser, pictures: Path) -> AsyncIterator[Open]:
    async with opening(browser, private.url, pictures) as opened:
        yield opened


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def submit(page: Page, name: str) -> None:
    await page.goto("/")
    await page.get_by_label("Program").fill(BELL)
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.wait_for_url("**/ui/tasks/*")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(name)


async def choose(page: Page, project: str) -> None:
    await page.get_by_label("Project", exact=True).select_option(project)
    await page.get_by_role("button", name="Switch project").click()
    await expect(page.get_by_label("Project", exact=True)).to_have_value(project)


async def look(window: Window, name: str, *, scripts: bool) -> None:
    """Check the page as all pages are, and save what it looks like."""
    if scripts:
        await window.fits()
        await window.accessible()
    await window.picture(f"{name}{'' if scripts else '-no-scripts'}")


@pytest.mark.parametrize("scripts", [True, False])
async def test_member_signs_in_with_a_key_submits_and_signs_out(
    private: PrivateService, opened: Open, scripts: bool
) -> None:
    window = await opened("/ui/tasks?tag=x", scripts=scripts)
    page, name = window.page, f"of ada {uuid4().hex}"
    await expect(page.get_by_role("link", name="Sign in at 127.0.0.1")).to_be_visible()
    await look(window, "sign-in", scripts=scripts)
    await sign_in(page, WRONG_KEY)
    await expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
    await look(window, "sign-in-wrong-key", scripts=scripts)
    await sign_in(page, await private.key(Role.SUBMITTER))
    await page.wait_for_url("**/ui/tasks?tag=x")
    await expect(page.get_by_role("banner")).to_contain_text("ada submitter of optics")
    await expect(page.get_by_label("Project", exact=True)).to_have_count(0)
    await submit(page, name)
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/ui/sign-in")
    # The page of the task, the form and the list.
    for _ in range(3):
        await page.go_back()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert name not in await page.content()


@pytest.mark.parametrize("scripts", [True, False])
async def test_member_of_two_projects_signs_in_at_the_issuer_and_chooses_one(
    private: PrivateService, opened: Open, scripts: bool
) -> None:
    private.issuer.given = {"groups": ["physicists", "chemists"], "preferred_username": "grace"}
    window = await opened("/ui/tasks", scripts=scripts, small=True)
    page, name = window.page, f"of physics {uuid4().hex}"
    banner, system = page.get_by_role("banner"), page.get_by_role("link", name="System", exact=True)
    await page.get_by_role("link", name="Sign in at 127.0.0.1").click()
    await page.wait_for_url("**/ui/tasks")
    await expect(banner).to_contain_text("grace operator of")
    await expect(page.get_by_label("Project", exact=True)).to_have_value("chemistry")
    await expect(system).to_be_visible()
    await look(window, "two-projects", scripts=scripts)
    await choose(page, "physics")
    await expect(banner).to_contain_text("grace submitter of")
    await expect(system).to_have_count(0)
    await submit(page, name)
    await page.goto("/ui/tasks")
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    await choose(page, "chemistry")
    await page.wait_for_url("**/ui/tasks")
    await expect(page.get_by_role("link", name=name)).to_have_count(0)
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/ui/sign-in")


async def test_page_in_another_tab_stays_in_its_project(private: PrivateService, opened: Open) -> None:
    private.issuer.given = {"groups": ["physicists", "chemists"], "preferred_username": "grace"}
    window = await opened("/ui/tasks")
    await window.page.get_by_role("link", name="Sign in at 127.0.0.1").click()
    await choose(window.page, "physics")
    tab = await opened("/ui/tasks", tab=window)
    await choose(window.page, "chemistry")
    name, token = f"of physics {uuid4().hex}", private.issuer.token(**private.issuer.given)
    async with private.client(token, **{"X-Ketline-Project": "physics"}) as api:
        task_id = await api.submit(BELL, name=name, hold=True)
        await expect(tab.page.get_by_role("link", name=name)).to_be_visible()
        await expect(window.page.get_by_role("link", name=name)).to_have_count(0)
        await tab.page.get_by_label(f"Select {name}").check()
        await tab.page.get_by_role("button", name="Cancel …").click()
        await expect(tab.page.get_by_text("csrf_token_invalid")).to_be_visible()
        assert (await api.task(task_id))["status"] == "pending"


async def test_stream_of_another_tab_ends_when_the_key_is_revoked(private: PrivateService, opened: Open) -> None:
    def is_stream(request: Request) -> bool:
        return request.url.endswith("/tasks/events")

    key, administrator = await private.key(Role.SUBMITTER), await private.key(Role.ADMINISTRATOR, "root")
    window = await opened("/")
    await sign_in(window.page, key)
    await expect(window.page.get_by_role("banner")).to_contain_text("ada submitter of optics")
    tab = await opened("/", tab=window)
    async with tab.page.expect_response("**/tasks/events"):
        await tab.page.goto("/ui/tasks")
    async with private.client(administrator) as api, tab.page.expect_event("requestfinished", is_stream):
        assert (await api.http.delete(f"/keys/{key.split('_')[1]}")).status_code == 200
    await expect(tab.page.get_by_text("You are no longer signed in")).to_be_visible()
    await expect(tab.page.get_by_text("The service does not respond")).to_be_hidden()
    await tab.accessible()
    await tab.picture("signed-out")
    await tab.page.reload()
    await expect(tab.page.get_by_role("alert")).to_contain_text("Your session has ended")


@pytest.mark.parametrize("small", [True, False], ids=["small", "wide"])
@pytest.mark.parametrize("role", Role)
async def test_pages_of_each_role_fit(private: PrivateService, opened: Open, role: Role, small: bool) -> None:
    async with private.client(await private.key(Role.SUBMITTER)) as api:
        held = await api.submit(BELL, name="held", tags=["a"], hold=True)
        ended = [await api.submit(program, name="bell state", tags=["b"]) for program in (BELL, BROKEN)]
        for task_id in ended:
            await api.ended(task_id)
    key = await private.key(role, "ada.lovelace@analytical-engines.example")
    window = await opened("/ui/sign-in", small=small)
    await sign_in(window.page, key)
    await expect(window.page.get_by_role("banner")).to_contain_text(f"{role} of optics")
    size = "small" if small else "wide"
    for path in (*PAGES[role], "/ui/devices/heavy-hex-57", *(f"/ui/tasks/{task_id}" for task_id in (held, *ended))):
        await window.page.goto(path)
        await expect(window.page.get_by_text("Reading …").or_(window.page.get_by_text("Drawing …"))).to_be_hidden()
        await window.fits()
        await window.accessible()
        shown = {held: "held", ended[0]: "completed", ended[1]: "failed"}.get(path.rpartition("/")[2], path)
        await window.picture(f"{role}-{size}-{shown.strip('/').replace('/', '-') or 'submit'}")
