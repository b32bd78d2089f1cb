"""The choice of a project on the pages, by a user whose groups give roles in several."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.groups import groups_with_rights, memberships, parse_groups
from ketline.domain.access.principals import Owner, Principal, member
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.access.sessions import VerifySession
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fakes import FakeTaskRepository
from tests.forms import csrf_token_of

RIGHTS = parse_groups("chemists=chemistry:reader,physicists=physics:operator,others=biology:submitter")
OTHER_RIGHTS = parse_groups("chemists=chemistry:reader,physicists=astronomy:operator")
SESSION = "ketline_session"
SOME_ID = "7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"

Opening = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def user(*groups: str) -> Principal:
    found = groups_with_rights(RIGHTS, groups)
    roles, end = memberships(RIGHTS, found), datetime.now(UTC) + timedelta(minutes=5)
    return member(roles, owner=Owner("ada"), expires_at=end, groups=found)


@pytest.fixture
def opened(services: Services, options: ApiOptions) -> Opening:
    """Opens a browser with the cookie of a session on an API process with these rights."""

    @asynccontextmanager
    async def opened(session: str, rights: str = "") -> AsyncIterator[httpx.AsyncClient]:
        verify = VerifySession(services.access.sessions.store, OTHER_RIGHTS if rights else RIGHTS)
        app = create_app(
            with_access(services, authenticate=Authenticate([verify], SystemClock())),
            options,
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://ketline.test", headers={"Accept": "text/html"}
        ) as browser:
            browser.cookies.set(SESSION, session, domain="ketline.test", path="/")
            yield browser

    return opened


@pytest.fixture
async def session(services: Services) -> str:
    return await services.access.sessions.start(user("physicists", "chemists"), None)


async def choose(browser: httpx.AsyncClient, project: str, **fields: str) -> httpx.Response:
    token = csrf_token_of(await browser.get("/ui/tasks"))
    return await browser.post("/ui/choose-project", data={"csrf_token": token, "project": project, **fields})


def offered(text: str) -> list[tuple[str, bool]]:
    form = re.search(r"<form[^>]*ui/choose-project.*?</form>", text, re.DOTALL)
    options = re.findall(r'<option value="([^"]*)"( selected)?>', form[0]) if form else []
    return [(project, bool(selected)) for project, selected in options]


async def project_of(browser: httpx.AsyncClient, **headers: str) -> tuple[str, str]:
    response = (await browser.get("/whoami", headers=headers)).json()
    return response["project"], response["role"]


async def test_chosen_project_counts_with_its_role_in_every_process_at_once(opened: Opening, session: str) -> None:
    async with opened(session) as browser, opened(session) as other:
        assert await project_of(other) == ("chemistry", "reader")
        text = (await browser.get("/ui/tasks")).text
        assert offered(text) == [("chemistry", True), ("physics", False)]
        assert "reader of" in text
        moved = await choose(browser, "physics", next="/ui/tasks")
        assert (moved.status_code, moved.headers["location"]) == (303, "../ui/tasks")
        text = (await browser.get("/ui/tasks")).text
        assert offered(text) == [("chemistry", False), ("physics", True)]
        assert "operator of" in text
        assert (await browser.get("/ui/system")).status_code == 200
        other.cookies.set(SESSION, browser.cookies[SESSION], domain="ketline.test", path="/")
        assert await project_of(other) == ("physics", "operator")


async def test_choice_ends_the_former_token_and_keeps_the_end(
    opened: Opening, services: Services, session: str
) -> None:
    verify = VerifySession(services.access.sessions.store, RIGHTS)
    end = (await verify(session)).expires_at
    async with opened(session) as browser:
        moved = await choose(browser, "physics")
        assert browser.cookies[SESSION] != session
        assert (await verify(browser.cookies[SESSION])).expires_at == end
        age = re.search(r"Max-Age=(\d+)", moved.headers["set-cookie"])
        assert age is not None
        assert 3500 < int(age[1]) <= 3600
        browser.cookies.set(SESSION, session, domain="ketline.test", path="/")
        assert (await browser.get("/tasks")).status_code == 401


async def test_form_that_was_opened_in_the_former_project_is_rejected(
    opened: Opening, session: str, repository: FakeTaskRepository
) -> None:
    """It would otherwise be sent to a project that its page does not show."""
    async with opened(session) as browser:
        await choose(browser, "physics")
        token = csrf_token_of(await browser.get("/"))
        await choose(browser, "chemistry")
        await choose(browser, "physics")
        rejected = await browser.post("/ui/submit", data={"qc": "OPENQASM 3.0;", "csrf_token": token})
    assert (rejected.status_code, "The task was not submitted" in rejected.text) == (403, True)
    assert not repository.submissions


async def test_open_page_goes_on_in_the_project_that_it_shows(opened: Opening, session: str) -> None:
    async with opened(session) as browser:
        page = (await browser.get("/ui/tasks")).text
        assert """hx-headers:inherited='{"X-Ketline-Project": "chemistry"}'""" in page
        await choose(browser, "physics")
        assert await project_of(browser, **{"X-Ketline-Project": "chemistry"}) == ("chemistry", "reader")
        assert await project_of(browser) == ("physics", "operator")


@pytest.mark.parametrize("project", ["biology", "nowhere", "", "default", "PHYSICS"])
async def test_project_of_others_and_of_nobody_is_rejected_alike(opened: Opening, session: str, project: str) -> None:
    async with opened(session) as browser:
        rejected = await choose(browser, project)
        assert (rejected.status_code, "project_unknown" in rejected.text) == (404, True)
        assert await project_of(browser) == ("chemistry", "reader")


async def test_choice_needs_the_token_of_its_form(opened: Opening, session: str) -> None:
    async with opened(session) as browser:
        for token in ("", "0" * 64):
            rejected = await browser.post("/ui/choose-project", data={"project": "physics", "csrf_token": token})
            assert rejected.status_code == 403
        assert await project_of(browser) == ("chemistry", "reader")


@pytest.mark.parametrize(
    ("project", "wanted", "location"),
    [
        ("physics", "/", "../"),
        ("physics", "/ui/usage", "../ui/usage"),
        ("physics", "/ui/system", "../ui/system"),
        ("chemistry", "/ui/system", "../ui/tasks"),
        ("physics", f"/ui/tasks/{SOME_ID}", "../ui/tasks"),
        ("physics", "/tasks", "../ui/tasks"),
        ("physics", "//evil.example/", "../ui/tasks"),
        ("physics", "https://evil.example/", "../ui/tasks"),
        ("physics", "/docs", "../ui/tasks"),
        ("physics", "", "../ui/tasks"),
    ],
)
async def test_choice_leads_to_the_same_page_if_there_is_one(
    opened: Opening, session: str, project: str, wanted: str, location: str
) -> None:
    async with opened(session) as browser:
        await choose(browser, "physics")
        moved = await choose(browser, project, next=wanted)
        assert (moved.status_code, moved.headers["location"]) == (303, location)


async def test_member_of_one_project_sees_no_choice(opened: Opening, services: Services) -> None:
    async with opened(await services.access.sessions.start(user("chemists"), None)) as browser:
        text = (await browser.get("/ui/tasks")).text
    assert (offered(text), "choose-project" in text, "hx-headers" in text) == ([], False, False)
    assert re.search(r"reader of</span>\s*chemistry", text)


async def test_session_ends_when_the_groups_no_longer_give_its_project(
    opened: Opening, services: Services, session: str
) -> None:
    """The user is not put into another project without notice."""
    async with opened(session) as browser, opened(session, rights="others") as restarted:
        await choose(browser, "physics")
        restarted.cookies.set(SESSION, browser.cookies[SESSION], domain="ketline.test", path="/")
        led = await restarted.get("/ui/tasks")
        assert led.status_code == 303
        form = await restarted.get(led.headers["location"].replace("../ui", "/ui"))
        assert (form.status_code, "no longer have rights in its project" in form.text) == (200, True)
        assert (await restarted.get("/tasks")).status_code == 401
    async with opened(
        await services.access.sessions.start(user("chemists", "physicists"), None), rights="others"
    ) as browser:
        assert await project_of(browser) == ("chemistry", "reader")
        assert offered((await browser.get("/ui/tasks")).text) == [("astronomy", False), ("chemistry", True)]


async def test_form_that_an_open_page_loads_later_counts_in_its_own_project(
    opened: Opening, session: str, repository: FakeTaskRepository
) -> None:
    """Its cookie is the present one by then, but its project is not."""
    async with opened(session) as browser:
        await choose(browser, "physics")
        later = await browser.get("/ui/tasks", headers={"HX-Request": "true", "X-Ketline-Project": "chemistry"})
        fields = {"csrf_token": csrf_token_of(later), "action": "cancel", "task": SOME_ID}
        rejected = await browser.post("/ui/bulk", data=fields)
        assert (rejected.status_code, "csrf_token_invalid" in rejected.text) == (403, True)
        present = csrf_token_of(await browser.get("/ui/tasks", headers={"HX-Request": "true"}))
        assert (await browser.post("/ui/bulk", data={**fields, "csrf_token": present})).status_code == 200


async def test_two_choices_at_once_leave_one_session(opened: Opening, session: str) -> None:
    async with opened(session) as browser:
        fields = {"csrf_token": csrf_token_of(await browser.get("/")), "project": "physics"}
        choices = (browser.post("/ui/choose-project", data=fields) for _ in range(2))
        responses = await asyncio.gather(*choices)
    # The later one has either the former cookie, or the new one beside the form of the former.
    assert sorted(response.status_code for response in responses) in ([303, 401], [303, 403])


async def test_first_page_of_nobody_does_not_speak_of_an_ended_session(opened: Opening) -> None:
    async with opened("none") as browser:
        assert "session has ended" not in (await browser.get("/ui/sign-in")).text
