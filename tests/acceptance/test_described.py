"""Whatever is sent to a real service, its answers are those that its own OpenAPI document describes."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from ketline.api.app import ApiOptions, create_app
from ketline.ports.operations.metrics import NoMetrics
from ketline.ports.operations.tracing import NO_TRACING
from ketline.schemas.legacy import ResultShape
from ketline.service.services import Services
from tests.acceptance.processes import running_service
from tests.acceptance.programs import BELL
from tests.forking.client import ForkServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
END_SECONDS = 60

EXAMPLES, EXAMPLES_OF_LONG_RUNS = 12, 40
EXPLORING = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _described(shape: ResultShape = ResultShape.FULL) -> dict[str, Any]:
    """The OpenAPI document; what the services are does not matter to it."""
    options = ApiOptions(
        default_shots=1024, max_shots=100_000, max_program_bytes=1 << 20, version="0", result_shape=shape
    )
    access = SimpleNamespace(authenticate=None, rate_limiter=None)
    services = SimpleNamespace(access=access, metrics=NoMetrics(), tracing=NO_TRACING)
    return create_app(cast("Services", services), options).openapi()


OPERATIONS: list[Any] = list(schemathesis.openapi.from_dict(_described()).get_all_operations())
assert all(isinstance(found, Ok) for found in OPERATIONS)
# A stream without an end is looked at elsewhere.
OPERATIONS = [found.ok() for found in OPERATIONS if found.ok().path != "/tasks/events"]


@pytest.fixture(scope="session")
def exploring(long_run: bool) -> settings:
    """How much of each operation is explored."""
    return settings(EXPLORING, max_examples=EXAMPLES_OF_LONG_RUNS if long_run else EXAMPLES)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """The address of an embedded service."""
    with running_service(tmp_path_factory.mktemp("described"), fork_server) as url:
        yield url


@pytest.fixture(scope="module")
def task_ids(url: str) -> list[str]:
    return _ended_tasks(url)


def _ended_tasks(url: str) -> list[str]:
    """Tasks that have ended, each in another way."""
    bodies: list[dict[str, object]] = [
        {"qc": BELL, "shots": 50},
        {"qc": BELL, "shots": 50, "memory": True},
        {"qc": "OPENQASM 3.0; nonsense;"},
    ]
    with httpx.Client(base_url=url, timeout=END_SECONDS) as client:
        responses = [client.post("/tasks", json=body, headers={"Prefer": "wait=60"}) for body in bodies]
    assert [response.json()["status"] for response in responses] == ["completed", "completed", "failed"]
    return [response.json()["task_id"] for response in responses]


def _takes_something(operation: Any) -> bool:
    return any(len(part.items) for part in (operation.path_parameters, operation.query, operation.headers)) or bool(
        len(operation.body.items)
    )


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        pytest.param(operation, mode, id=f"{operation.label}-{mode.value}")
        for operation in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or _takes_something(operation)
    ],
)
def test_answers_are_as_described(operation: Any, mode: GenerationMode, url: str, exploring: settings) -> None:
    @exploring
    @given(operation.as_strategy(generation_mode=mode))
    def explore(case: Any) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS)

    explore()
    # Tasks of other tests are to run.
    assert httpx.delete(f"{url}/admin/pauses").json() == {"pauses": []}


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if "{task_id}" in one.path], ids=lambda operation: operation.label
)
def test_answers_about_real_tasks_are_as_described(
    operation: Any, url: str, task_ids: list[str], exploring: settings
) -> None:
    @exploring
    @given(operation.as_strategy(), st.sampled_from(task_ids))
    def explore(case: Any, task_id: str) -> None:
        case.path_parameters["task_id"] = task_id
        case.call_and_validate(base_url=url, checks=CHECKS)

    explore()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_answers_of_a_service_with_the_plain_shape_are_as_described(
    mode: GenerationMode, tmp_path: Path, exploring: settings, fork_server: ForkServer
) -> None:
    operation = schemathesis.openapi.from_dict(_described(ResultShape.PLAIN))["/tasks/{task_id}"]["GET"]
    with running_service(tmp_path, fork_server, KETLINE_RESULT_SHAPE="plain") as url:
        ids = _ended_tasks(url)

        @exploring
        @given(operation.as_strategy(generation_mode=mode), st.sampled_from([*ids, None]))
        def explore(case: Any, task_id: str | None) -> None:
            if task_id is not None:
                case.path_parameters["task_id"] = task_id
            case.call_and_validate(base_url=url, checks=CHECKS)

        explore()
