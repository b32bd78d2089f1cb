"""One task from its submission to its end, as it is watched."""

import pytest
from playwright.async_api import expect

from tests.acceptance.processes import Api
from tests.acceptance.programs import BELL, ENDLESS
from tests.browser.conftest import TEST_SECONDS, Open

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(TEST_SECONDS)]

BROKEN = BELL.replace("cx q[0], q[1];", "cx q[0],  r[1];")
WIDE = 'OPENQASM 3.0; include "stdgates.inc"; qubit[12] q; bit[12] c; h q; c = measure q;'
MARKUP = "<script>document.title='taken'</script><b>bold"


async def test_task_is_watched_to_its_end_without_reload(service: Api, opened: Open) -> None:
    busy = await service.submit(ENDLESS, timeout_s=600)
    waiting = await service.submit(BELL, name="watched", tags=["vqe", "run-7"], shots=1000)
    window = await opened(f"/ui/tasks/{waiting}")
    page = window.page
    status = page.get_by_role("heading", level=1).locator(".badge")
    await expect(status).to_have_text("pending")
    await expect(page.get_by_text("number 1 in the queue")).to_be_visible()
    await page.evaluate("window.sameDocument = true")
    await window.picture("task-pending")
    await service.http.post(f"/tasks/{busy}/cancel")
    await expect(status).to_have_text("completed")
    await expect(page.get_by_role("img", name="Histogram of 2 outcomes over 1000 shots")).to_be_visible()
    await expect(page.get_by_role("img", name="The circuit")).to_be_visible()
    await expect(page.get_by_role("cell", name="00", exact=True)).to_be_visible()
    assert await page.evaluate("window.sameDocument"), "the page was not loaded again"
    await window.accessible()
    await window.picture("task-completed")


async def test_cancel_rerun_and_edit_a_copy(service: Api, opened: Open) -> None:
    task_id = await service.submit(ENDLESS, timeout_s=600, seed=5)
    await service.reached(task_id, "processing")
    window = await opened(f"/ui/tasks/{task_id}")
    page = window.page
    status = page.get_by_role("heading", level=1).locator(".badge")
    await window.accessible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(status).to_have_text("cancelled")
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    await page.get_by_role("button", name="Rerun, same seed").click()
    await expect(page.get_by_text("Rerun of")).to_be_visible()
    assert task_id not in page.url
    await page.get_by_role("button", name="Cancel").click()
    await expect(status).to_have_text("cancelled")
    await page.get_by_role("link", name="Edit a copy").click()
    await expect(page.get_by_label("Seed")).to_have_value("")  # that of a task is as a rule one that nobody chose
    await expect(page.get_by_label("Program")).to_have_value(ENDLESS)


@pytest.mark.parametrize("scripts", [True, False])
async def test_failure_has_a_caret_in_the_source(service: Api, opened: Open, scripts: bool) -> None:
    task_id = await service.submit(BROKEN, name=MARKUP)
    await service.ended(task_id)
    window = await opened(f"/ui/tasks/{task_id}", scripts=scripts, dark=scripts)
    page = window.page
    await expect(page.get_by_text("parse_error in line 6")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(MARKUP)
    assert MARKUP in await page.title(), "it is shown, not run"
    source = page.get_by_role("region", name="Source of the program")
    await expect(source.locator("li.wrong").first).to_contain_text("cx q[0],  r[1];")
    await expect(source.get_by_text("here, column 11")).to_have_count(1)
    if scripts:
        await expect(page.get_by_text("There is no drawing")).to_be_visible()
        await window.accessible()
    await window.picture(f"task-failed-{'dark' if scripts else 'no-scripts'}")


async def test_result_on_a_dark_phone_and_by_bitstring(service: Api, opened: Open) -> None:
    wide = "\n".join(
        ["OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[12] q;", "bit[12] c;", "h q;", "c = measure q;"]
    )
    task_id = await service.submit(wide, shots=20_000, tags=["a"])
    await service.ended(task_id)
    window = await opened(f"/ui/tasks/{task_id}", dark=True, phone=True)
    page = window.page
    await expect(page.get_by_role("cell", name="others")).to_be_visible()
    await window.fits()
    await window.accessible()
    await window.picture("task-dark-phone")
    await page.get_by_role("link", name="by bitstring").click()
    await page.wait_for_url("**sort=bitstring")
    outcomes = await page.locator("td.outcome").all_inner_texts()
    assert outcomes[:-1] == sorted(outcomes[:-1])
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    path = await (await started.value).path()
    assert path.read_text().startswith("outcome,count")


async def test_without_scripts_a_result_is_read(service: Api, opened: Open) -> None:
    task_id = await service.submit(BELL)
    await service.ended(task_id)
    window = await opened(f"/ui/tasks/{task_id}", scripts=False)
    await expect(window.page.get_by_role("cell", name="11", exact=True)).to_be_visible()
    drawing = window.page.locator("#circuit img")
    await expect(drawing).to_be_visible()
    assert await drawing.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    await window.picture("task-no-scripts")


async def test_sweep_is_read_point_by_point(service: Api, opened: Open) -> None:
    program = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit q; bit c; rx(theta) q; c = measure q;'
    task_id = await service.submit(program, inputs={"theta": [0.0, 3.141592653589793]}, shots=50)
    await service.ended(task_id)
    window = await opened(f"/ui/tasks/{task_id}")
    page = window.page
    await expect(page.get_by_role("cell", name="0", exact=True)).to_be_visible()
    await window.accessible()
    await page.get_by_label("Point of the sweep").fill("1")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("cell", name="1", exact=True)).to_be_visible()
    await window.picture("task-sweep")


async def test_corrected_counts_are_beside_the_counts(service: Api, opened: Open) -> None:
    noise = {"name": "readout", "p01": 0.1, "p10": 0.2}
    task_id = await service.submit(BELL, shots=2000, seed=3, noise=noise, mitigation={"readout": True})
    await service.ended(task_id)
    window = await opened(f"/ui/tasks/{task_id}")
    page = window.page
    table = page.get_by_role("region", name="Table of corrected counts")
    await expect(table.get_by_role("row")).to_have_count(5)
    await expect(table.get_by_role("cell", name="11", exact=True)).to_be_visible()
    await expect(page.get_by_role("img", name="Histogram of the probabilities of 4 outcomes")).to_be_visible()
    await expect(page.get_by_role("img", name="Histogram of 4 outcomes over 2000 shots")).to_be_visible()
    await window.accessible()
    await window.picture("task-corrected")


async def test_large_circuit_is_drawn_as_text_and_a_larger_one_summed_up(service: Api, opened: Open) -> None:
    window = await opened("/")
    for qubits, said in ((40, "Text drawing of the circuit"), (200, "There is no drawing")):
        program = f'OPENQASM 3.0; include "stdgates.inc"; qubit[{qubits}] q; bit[{qubits}] c; h q; c = measure q;'
        task_id = await service.submit(program, shots=1)
        await window.page.goto(f"/ui/tasks/{task_id}")
        shown = window.page.locator("#circuit")
        await expect(shown.get_by_label(said).or_(shown.get_by_text(said))).to_be_visible()
        await window.accessible()
        await service.ended(task_id)


async def test_page_that_is_not_there_says_so(opened: Open) -> None:
    window = await opened("/ui/tasks/11111111-2222-4333-8444-555555555555", dark=True)
    await expect(window.page.get_by_role("heading", name="Task not found")).to_be_visible()
    await window.accessible()
    await window.picture("not-found")
