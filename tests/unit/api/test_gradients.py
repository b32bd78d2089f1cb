"""Gradients of tasks over HTTP: what is accepted, and how results are shown."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from ketline.client.decoding import read_task
from ketline.domain.ids import TaskId
from ketline.domain.results.gradients import Gradient, GradientMethod
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_pages import cells, complete, submitted
from tests.unit.api.test_results import STORED, TASK_ID

BODY = {"qc": "input float t; qubit q;", "inputs": {"t": 0.3, "s": 1}, "observables": [{"Z": 1}]}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (True, Gradient()),
        ({}, Gradient()),
        (["t"], Gradient(inputs=("t",))),
        ({"method": "adjoint"}, Gradient(method=GradientMethod.ADJOINT)),
        (
            {"inputs": ["t", "s"], "method": "parameter_shift"},
            Gradient(inputs=("t", "s"), method=GradientMethod.PARAMETER_SHIFT),
        ),
        (False, None),
        (None, None),
    ],
)
async def test_gradient_is_stored(
    client: httpx.AsyncClient, repository: FakeTaskRepository, given: Any, stored: Gradient | None
) -> None:
    response = await client.post("/tasks", json={**BODY, "gradient": given})
    assert response.status_code == 202
    assert repository.submissions[0].spec.options.gradient == stored
    view = (await client.get(response.headers["location"])).json()
    assert view.get("gradient") == (None if stored is None else stored.as_json())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gradient": 1}, "true, a list of names"),
        ({"gradient": "t"}, "true, a list of names"),
        ({"gradient": {"of": ["t"]}}, "true, a list of names"),
        ({"gradient": {"method": "finite"}}, "automatic, adjoint, parameter_shift"),
        ({"gradient": {"method": ["adjoint"]}}, "automatic, adjoint, parameter_shift"),
        ({"gradient": []}, "at least one"),
        ({"gradient": [""]}, "names of inputs"),
        ({"gradient": [3]}, "names of inputs"),
        ({"gradient": {"inputs": "t"}}, "names of inputs"),
        ({"gradient": ["t", "t"]}, "each input once"),
        ({"gradient": [f"t{number}" for number in range(1001)]}, "at most 1000"),
        ({"gradient": ["u"]}, "names 'u', which has no value"),
        ({"gradient": True, "observables": []}, "needs observables"),
        ({"gradient": True, "inputs": {}}, "needs inputs"),
        ({"gradient": {"method": "adjoint"}, "noise": {"name": "readout", "p01": 0.1, "p10": 0.1}}, "parameter_shift"),
        ({"gradient": {"method": "adjoint"}, "shots": 10}, "parameter_shift"),
        ({"gradient": {"method": "adjoint"}, "device": "line-27"}, "parameter_shift"),
        ({"gradient": True, "shots": 10, "device": "line-27", "mitigation": {"readout": True}}, "mitigation"),
        ({"gradient": True, "observables": [], "inputs": {}, "kind": "convert", "target": "qpy"}, "no meaning"),
    ],
)
async def test_contradictions_are_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, change: dict[str, Any], words: str
) -> None:
    response = await client.post("/tasks", json={**BODY, **change})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request"), problem
    assert all(error["pointer"].startswith("#/gradient") for error in problem["errors"])
    assert words in problem["detail"]
    assert repository.submissions == []


async def test_another_gradient_is_another_submission(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first, again, other = [
        await client.post("/tasks", json={**BODY, "gradient": gradient}, headers=key)
        for gradient in (True, {"method": "automatic"}, ["t"])
    ]
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json() == again.json()


POINT: Any = [{"a": [0.5, 0.25], "t": -1.0}]


@pytest.mark.parametrize(("values", "gradients"), [([0.5], POINT), ([[0.5], [1.0]], [POINT, POINT])])
async def test_result_has_gradients(
    client: httpx.AsyncClient, repository: FakeTaskRepository, values: list[Any], gradients: list[Any]
) -> None:
    repository.tasks[TASK_ID] = replace(
        STORED, counts=None, memory=None, expectation_values=values, gradients=gradients
    )
    view = (await client.get(f"/tasks/{TASK_ID}")).json()
    assert view["result"] == {"expectation_values": values, "gradients": gradients, "success": True}
    found = read_task(view).result
    assert found is not None
    assert found.gradients == gradients


async def test_page_has_a_row_for_each_derivative(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    fields = {"observables": '[{"Z": 1}]', "inputs": '{"t": 0.3}', "gradient": "true"}
    task_id = await submitted(client, **fields)
    assert repository.submissions[-1].spec.options.gradient == Gradient()
    complete(repository, task_id, {})
    task = repository.tasks[TaskId(task_id)]
    repository.tasks[task.task_id] = replace(task, counts=None, expectation_values=[0.5], gradients=POINT)
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    table = page[page.index("The derivative of each observable") : page.index("Timeline")]
    assert cells(table, "td") == ["0", "a[0]", "0.500000", "0", "a[1]", "0.250000", "0", "t", "-1.000000"]
    copied = (await client.get("/", params={"copy": str(task_id)})).text
    assert "&#34;method&#34;: &#34;automatic&#34;" in copied


async def test_gradient_that_is_not_json_is_a_field_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/ui/submit", data={"qc": BODY["qc"], "shots": "10", "gradient": "theta"})
    assert response.status_code == 422
    assert "Gradient must be JSON" in response.text
