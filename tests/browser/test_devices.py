"""The pages of devices, with and without JavaScript."""

import json

import pytest
from playwright.async_api import expect

from tests.browser.conftest import TEST_SECONDS, Open

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

PAIR = {
    "name": "browser-pair",
    "qubits": [{"t1_us": 120.0, "t2_us": 90.0}, {}],
    "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.004}],
}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_device_is_stored_shown_and_removed(opened: Open, scripts: bool) -> None:
    window = await opened("/ui/devices", scripts=scripts, dark=scripts)
    page = window.page
    await page.get_by_label("JSON of the device").fill(json.dumps({**PAIR, "gates": [{"name": "ccx"}]}))
    await page.get_by_role("button", name="Store").click()
    await expect(page.get_by_role("alert").filter(has_text="gates/0/name must be one of")).to_be_visible()
    await page.get_by_label("JSON of the device").fill(json.dumps(PAIR))
    await page.get_by_role("button", name="Store").click()
    await page.wait_for_url("**/ui/devices/browser-pair")
    await expect(page.get_by_role("img", name="Couplings of 2 qubits")).to_be_visible()
    await expect(page.get_by_role("region", name="Table of couplings")).to_contain_text("0.004")
    await window.fits()
    await page.get_by_role("button", name="Remove").click()
    await page.wait_for_url("**/ui/devices")
    await expect(page.get_by_role("link", name="grid-25")).to_be_visible()
    await expect(page.get_by_role("link", name="browser-pair")).to_be_hidden()
