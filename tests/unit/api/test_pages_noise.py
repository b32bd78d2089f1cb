"""Noise on the pages: the form, a copy of a task, and what the page of a task says."""

import html
import json

import httpx
import pytest

from tests.fakes import FakeTaskRepository
from tests.unit.api.test_pages import PROGRAM, submitted

READOUT = '{"name": "readout", "p01": 0.01, "p10": 0.03}'


async def test_noise_of_the_form_is_stored_and_copied(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, noise=READOUT)
    assert repository.submissions[0].spec.options.noise == json.loads(READOUT)
    page = (await client.get("/", params={"copy": str(task_id)})).text
    assert READOUT in html.unescape(page)


@pytest.mark.parametrize(
    ("noise", "shown"),
    [
        (READOUT, "readout (p01 0.01, p10 0.03)"),
        (f'[{{"name": "depolarizing"}}, {READOUT}]', "depolarizing, readout (p01 0.01, p10 0.03)"),
        ('{"model": {"errors": []}}', "a model of 0 errors"),
    ],
)
async def test_page_of_a_task_says_its_noise(client: httpx.AsyncClient, noise: str, shown: str) -> None:
    task_id = await submitted(client, noise=noise)
    assert f"<dt>Noise</dt><dd>{shown}</dd>" in (await client.get(f"/ui/tasks/{task_id}")).text


@pytest.mark.parametrize("noise", ["readout", '{"name": "readout", "p01": 2, "p10": 0}', "[" * 10_000])
async def test_other_text_is_a_field_error(client: httpx.AsyncClient, noise: str) -> None:
    response = await client.post("/ui/submit", data={"qc": PROGRAM, "shots": "10", "noise": noise})
    assert response.status_code == 422
    assert "Noise must be" in response.text
