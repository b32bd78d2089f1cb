"""A newcomer's way: write a program, see what is wrong with it, submit it."""

import re

import pytest
from playwright.async_api import expect

from tests.acceptance.programs import BELL
from tests.browser.conftest import TEST_SECONDS, Open

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

BROKEN = BELL.replace("h q[0];", "hh q[0];")


async def test_program_is_checked_as_one_writes_and_submitted(opened: Open) -> None:
    window = await opened("/")
    page = window.page
    await expect(page.get_by_text("Valid: 2 qubits, depth 3")).to_be_visible()
    await window.accessible()
    await window.picture("submit")

    await page.get_by_label("Program").fill(BROKEN)
    await expect(page.get_by_text("parse_error in line 5, column 1: gate 'hh' is not defined")).to_be_visible()
    await expect(page.locator("#editor mark").first).to_have_text(re.compile("hh"))
    caret = page.locator("#preview li", has=page.locator(".caret"))
    await expect(caret).to_have_count(1)
    await window.accessible()
    await window.picture("submit-broken")
    await page.get_by_role("button", name="Go to line").click()
    await expect(page.get_by_label("Program")).to_be_focused()

    await page.get_by_label("Program").fill(BELL)
    await expect(page.get_by_role("img", name="The circuit")).to_be_visible()
    await page.get_by_label("Name").fill("from the page")
    await page.get_by_label("Program").press("Control+Enter")
    await page.wait_for_url("**/ui/tasks/*")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("from the page")


async def test_address_brings_the_form_back(opened: Open) -> None:
    window = await opened("/")
    page = window.page
    await page.get_by_label("Shots", exact=True).fill("321")
    await page.get_by_label("Tags").fill("a, b")
    await page.get_by_role("button", name="Link to this form").click()
    await page.wait_for_url("**shots=321**")
    other = await opened(page.url)
    await expect(other.page.get_by_label("Shots", exact=True)).to_have_value("321")
    await expect(other.page.get_by_label("Tags")).to_have_value("a, b")
    await expect(other.page.get_by_label("Program")).to_have_value(re.compile("A Bell pair"))


@pytest.mark.parametrize("scripts", [True, False])
async def test_program_is_converted_with_the_fields_of_a_conversion(opened: Open, scripts: bool) -> None:
    window = await opened("/", scripts=scripts)
    page = window.page
    await expect(page.get_by_label("Convert to")).to_be_hidden()
    await page.get_by_label("What to do").select_option("convert")
    await expect(page.get_by_label("Shots", exact=True)).to_be_hidden()
    await expect(page.get_by_label("Profile of QIR")).to_be_hidden()
    await page.get_by_label("Convert to").select_option("qir")
    await page.get_by_label("Profile of QIR").select_option("adaptive")
    if scripts:
        await expect(page.get_by_text("✓ Readable")).to_be_visible()
        await window.accessible()
        await window.picture("submit-conversion")
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.wait_for_url("**/ui/tasks/*")
    output = page.get_by_role("region", name="Output of the conversion")
    if not scripts:
        while not await output.is_visible():
            await page.reload()
    await expect(output).to_contain_text("__quantum__qis__h__body")
    if scripts:
        await window.accessible()
        await window.fits()
        await window.picture("conversion")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    assert (await download.value).suggested_filename.endswith(".ll")
    await page.get_by_role("link", name="Edit a copy").click()
    await expect(page.get_by_label("Profile of QIR")).to_have_value("adaptive")


async def test_keyboard_reaches_everything_and_is_caught_nowhere(opened: Open) -> None:
    window = await opened("/")
    page = window.page
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.get_by_label("Program").focus()
    for label in ("What to do", "Shots", "Seed", "Method", "Name", "Priority", "Tags"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_label(label, exact=label == "Shots")).to_be_focused()
    await page.keyboard.type("typed")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/ui/tasks/*")
    await expect(page.get_by_role("link", name="typed")).to_be_visible()


async def test_what_was_typed_is_there_when_one_comes_back(opened: Open) -> None:
    window = await opened("/")
    page = window.page
    await page.get_by_label("Program").fill(BELL)
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/ui/tasks/*")
    await page.go_back()
    await expect(page.get_by_label("Program")).to_have_value(BELL)
    await expect(page.locator("#editor code")).to_have_text(BELL.rstrip("\n"))
    await page.get_by_label("Program").fill("// " + "x" * 60_000)
    await expect(page.get_by_role("button", name="Link to this form")).to_be_disabled()
    await expect(page.get_by_text("Too long for a link")).to_be_visible()


async def test_dark_phone_reads_it_too(opened: Open) -> None:
    window = await opened("/?example=teleportation", dark=True, phone=True)
    await expect(window.page.get_by_text("How it would run")).to_be_visible()
    await window.fits()
    await window.accessible()
    await window.picture("submit-dark-phone")


async def test_without_scripts_it_checks_and_submits(opened: Open) -> None:
    window = await opened("/", scripts=False)
    page = window.page
    await page.get_by_label("Program").fill(BROKEN)
    await page.get_by_role("button", name="Check and draw").click()
    await expect(page.get_by_text("gate 'hh' is not defined")).to_be_visible()
    await window.picture("submit-no-scripts")
    await page.get_by_label("Program").fill(BELL)
    await page.get_by_label("Shots", exact=True).fill("0")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_text("Shots must be at least 1.", exact=True)).to_be_visible()
    await page.get_by_label("Shots", exact=True).fill("100")
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/ui/tasks/*")
