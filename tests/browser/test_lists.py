"""Many tasks at once, as those look at them who run the service."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.acceptance.processes import Api
from tests.acceptance.programs import BELL, ENDLESS
from tests.browser.conftest import TEST_SECONDS, Open

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

# Whether the next request for the list is stopped.
STOPPED = """() => { window.stopped = new Promise(told =>
    document.addEventListener("htmx:before:request", event => told(event.defaultPrevented), {once: true})) }"""
BROKEN = BELL.replace("h q", "hh q")


async def test_list_is_filtered_paged_and_follows_changes(service: Api, opened: Open) -> None:
    tag = uuid4().hex
    ids = [await service.submit(BELL, name=f"run {number}", tags=[tag]) for number in range(4)]
    ids.append(await service.submit(BROKEN, name="wrong <b>", tags=[tag, "odd"]))
    for task_id in ids:
        await service.ended(task_id)
    window = await opened("/ui/tasks")
    page = window.page
    rows = page.locator("table.tasks tbody tr")
    await page.get_by_label("Tags").fill(tag)
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(rows).to_have_count(5)
    await window.accessible()
    await window.picture("tasks")

    await page.get_by_label("failed").check()
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("wrong <b>")
    await expect(page).to_have_url(re.compile("status=failed"))
    await page.get_by_label("failed").uncheck()
    await page.get_by_label("Search").fill("run")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(rows).to_have_count(4)

    await service.submit(BELL, name="run of later", tags=[tag])
    await expect(rows).to_have_count(5)
    await expect(rows.first).to_contain_text("run of later")
    await expect(rows.first).to_contain_text("completed")
    await page.get_by_role("button", name="Pause").click()
    await page.evaluate(STOPPED)
    await service.submit(BELL, name="run unseen", tags=[tag])
    assert await page.evaluate("window.stopped"), "the list still asks for new tasks"
    await expect(rows).to_have_count(5)
    await page.get_by_role("button", name="Resume").click()
    await expect(rows).to_have_count(6)
    await expect(rows.first).to_contain_text("completed")

    await page.goto(f"/ui/tasks?tag={tag}&limit=4")
    await page.get_by_role("link", name="Next page").click()
    await expect(rows).to_have_count(3)
    await page.get_by_role("link", name="First page").click()
    await expect(rows).to_have_count(4)
    await page.get_by_label("Search").fill(ids[0])
    await page.get_by_label("Search").press("Enter")
    await page.wait_for_url(f"**/ui/tasks/{ids[0]}")


@pytest.mark.parametrize("scripts", [True, False])
async def test_picked_tasks_are_cancelled_and_run_again(service: Api, opened: Open, scripts: bool) -> None:
    tag = uuid4().hex
    ids = [await service.submit(ENDLESS, tags=[tag], name=f"endless {number}", timeout_s=600) for number in range(3)]
    window = await opened(f"/ui/tasks?tag={tag}", scripts=scripts, phone=True, dark=True)
    page = window.page
    if scripts:
        await window.fits()
        await window.accessible()
        await window.picture("tasks-dark-phone")
    for number in (0, 2):
        await page.get_by_label(f"Select endless {number}").check()
    await page.get_by_role("button", name="Cancel …").click()
    await expect(page.get_by_role("heading", name="Cancel 2 tasks?")).to_be_visible()
    if scripts:
        await window.accessible()
    await window.picture("confirm")
    await page.get_by_role("button", name="Cancel 2 tasks").click()
    await expect(page.get_by_role("heading", name="Cancelled: 2 of 2")).to_be_visible()
    await window.picture("outcomes")
    assert [(await service.task(one))["status"] == "cancelled" for one in ids] == [True, False, True]
    await page.get_by_role("link", name="Back to the list").click()
    await expect(page.locator("tbody .badge.cancelled")).to_have_count(2)
    await page.get_by_label("Select endless 1").check()
    await page.get_by_role("button", name="Rerun …").click()
    await page.get_by_role("button", name="Rerun 1 task").click()
    await expect(page.get_by_text("runs again as")).to_be_visible()
    listed = (await service.http.get("/tasks", params={"tag": tag})).json()["tasks"]
    assert len(listed) == 4


async def test_system_shows_the_worker_at_work(service: Api, opened: Open) -> None:
    task_id = await service.submit(ENDLESS, timeout_s=600)
    await service.reached(task_id, "processing")
    window = await opened("/ui/system")
    page = window.page
    await expect(page.get_by_text("1 worker alive")).to_be_visible()
    await expect(page.get_by_text("1 running, 1 slot and 1 for conversions")).to_be_visible()
    await expect(
        page.get_by_role("region", name="Table of workers").get_by_role("link", name=task_id[-8:])
    ).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("Waiting: since"))).to_be_visible()
    await window.accessible()
    await window.picture("system")
    await service.http.post(f"/tasks/{task_id}/cancel")
    await expect(page.get_by_text("0 running, 1 slot and 1 for conversions")).to_be_visible()
    other = await opened("/ui/system", dark=True, phone=True)
    await other.fits()
    await other.accessible()
    await other.picture("system-dark-phone")


async def test_open_page_says_when_the_service_does_not_answer_and_when_it_does_again(opened: Open) -> None:
    window = await opened("/ui/system")
    page = window.page
    notice = page.get_by_text("The service does not respond")
    await expect(notice).to_be_hidden()
    await page.route("**/ui/system", lambda route: route.abort())
    await expect(notice).to_be_visible()
    await window.accessible()
    await page.unroute_all()
    await expect(notice).to_be_hidden()
