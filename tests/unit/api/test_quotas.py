"""What a submission gets that a quota does not permit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ketline.api.app import create_app
from ketline.api.services import ApiOptions
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner
from ketline.domain.access.quotas import ProjectQuotas, Quota
from ketline.domain.errors import QuotaExceeded, QuotaExhausted
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec
from ketline.service.services import Services
from tests.actors import TESTER
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector

BODY = {"qc": "OPENQASM 3.0;"}
TOMORROW = datetime(2026, 1, 3, tzinfo=UTC)
SHOTS = QuotaExhausted(
    "It is free again tomorrow.",
    quota="shots_per_day",
    scope="owner",
    used=900,
    limit=1000,
    free_at=TOMORROW,
    retry_after=timedelta(seconds=3599.5),
)
WAITING = QuotaExhausted("Three wait.", quota="waiting", scope="project", used=3, limit=3)
PRIORITY = QuotaExceeded("Too high.", quota="priority", scope="project", used=7, limit=5)


async def test_exhausted_quota_says_what_is_used_and_when_it_is_free(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = SHOTS
    response = await client.post("/tasks", json=BODY)
    assert response.status_code == 429
    problem = response.json()
    assert (problem["code"], problem["detail"]) == ("quota_exhausted", "It is free again tomorrow.")
    assert {name: problem[name] for name in ("quota", "quota_of", "used", "limit", "free_at")} == {
        "quota": "shots_per_day",
        "quota_of": "owner",
        "used": 900,
        "limit": 1000,
        "free_at": "2026-01-03T00:00:00.000000Z",
    }
    assert response.headers["retry-after"] == "3600"
    assert response.headers["ratelimit-policy"] == '"shots_per_day";q=1000;w=86400'
    assert response.headers["ratelimit"] == '"shots_per_day";r=100;t=3600'


async def test_quota_of_waiting_tasks_is_free_when_tasks_end(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = WAITING
    response = await client.post("/tasks/batch", json={"tasks": [BODY]})
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert response.headers["ratelimit-policy"] == '"waiting";q=3'
    assert response.headers["ratelimit"] == '"waiting";r=0;t=5'
    assert "free_at" not in response.json()


async def test_request_that_no_wait_helps_is_forbidden(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = PRIORITY
    response = await client.post("/tasks", json=BODY)
    assert (response.status_code, response.json()["code"]) == (403, "quota_exceeded")
    assert (response.json()["used"], response.json()["limit"]) == (7, 5)
    assert "retry-after" not in response.headers
    assert "ratelimit" not in response.headers


async def test_form_says_which_quota_it_was(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.error = WAITING
    response = await client.post("/ui/submit", data={"qc": BODY["qc"]})
    assert response.status_code == 429
    assert "Three wait." in response.text


async def test_reruns_of_a_list_say_which_quota_it_was(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = (await client.post("/tasks", json=BODY)).json()["task_id"]
    repository.error = WAITING
    response = await client.post("/ui/bulk", data={"action": "rerun", "task": task_id, "confirmed": "yes"})
    assert "was not run again: Three wait." in response.text


async def test_only_a_project_with_quotas_is_stored_within_them(
    client: httpx.AsyncClient, services: Services, repository: FakeTaskRepository
) -> None:
    await client.post("/tasks", json=BODY)
    await services.access.projects.change(
        DEFAULT_PROJECT, quotas=ProjectQuotas(project={Quota.WAITING: 3}), actor=TESTER
    )
    await services.submit.quotas.refresh()
    await client.post("/tasks", json=BODY)
    await client.post("/tasks/batch", json={"tasks": [BODY]})
    assert repository.limited == [False, True, True]


@pytest.mark.parametrize(
    ("quota", "requested", "stored"), [(20.0, None, 20.0), (20.0, 7.5, 7.5), (20.0, 30.0, 30.0), (400.0, None, None)]
)
async def test_task_without_a_time_limit_has_that_of_the_quota(
    client: httpx.AsyncClient,
    services: Services,
    repository: FakeTaskRepository,
    quota: float,
    requested: float | None,
    stored: float | None,
) -> None:
    await services.access.projects.change(
        DEFAULT_PROJECT, quotas=ProjectQuotas(project={Quota.TIMEOUT_S: quota}), actor=TESTER
    )
    await services.submit.quotas.refresh()
    await client.post("/tasks", json=BODY | ({} if requested is None else {"timeout_s": requested}))
    assert repository.submissions[-1].spec.time_limit_seconds == stored


async def test_priority_of_a_stored_task_stays_within_the_quota(client: httpx.AsyncClient, services: Services) -> None:
    task_id = (await client.post("/tasks", json=BODY)).json()["task_id"]
    await services.access.projects.change(
        DEFAULT_PROJECT, quotas=ProjectQuotas(project={Quota.PRIORITY: 5}), actor=TESTER
    )
    await services.submit.quotas.refresh()
    response = await client.patch(f"/tasks/{task_id}", json={"priority": 6})
    assert (response.status_code, response.json()["quota"]) == (403, "priority")
    assert (await client.patch(f"/tasks/{task_id}", json={"priority": 5})).status_code == 200


async def test_task_may_have_as_many_qubits_as_the_quota_when_it_was_submitted(
    client: httpx.AsyncClient, services: Services, repository: FakeTaskRepository
) -> None:
    task_id = (await client.post("/tasks", json=BODY)).json()["task_id"]
    await services.access.projects.change(
        DEFAULT_PROJECT, quotas=ProjectQuotas(project={Quota.QUBITS: 20}), actor=TESTER
    )
    await services.submit.quotas.refresh()
    await client.post("/tasks", json=BODY)
    await client.post("/tasks/batch", json={"tasks": [BODY]})
    await client.post(f"/tasks/{task_id}/rerun")
    assert [one.spec.max_qubits for one in repository.submissions] == [None, 20, 20, 20]


async def test_validation_is_within_the_quotas_of_the_sender(
    client: httpx.AsyncClient, services: Services, inspector: FakeInspector
) -> None:
    quotas = ProjectQuotas(project={Quota.QUBITS: 20, Quota.TIMEOUT_S: 7})
    await services.access.projects.change(DEFAULT_PROJECT, quotas=quotas, actor=TESTER)
    await client.post("/validate", json=BODY)
    for fields in ({}, {"kind": "convert", "target": "qir"}):
        await client.post("/ui/check", data={"qc": BODY["qc"], **fields})
    assert [spec.max_qubits for spec in inspector.inspected] == [20, 20, 20]
    assert inspector.inspected[0].time_limit_seconds == 7


@pytest.mark.parametrize(
    ("quotas", "owner", "limits"),
    [
        (ProjectQuotas(project={Quota.QUBITS: 9}, owner={Quota.QUBITS: 5}), Owner("ada"), (None, 5)),
        (ProjectQuotas(project={Quota.QUBITS: 4}, owner={Quota.QUBITS: 5}), Owner("ada"), (None, 4)),
        (ProjectQuotas(owner={Quota.QUBITS: 5, Quota.TIMEOUT_S: 3}), Owner("ada"), (3, 5)),
        (ProjectQuotas(owner={Quota.QUBITS: 5, Quota.TIMEOUT_S: 3}), None, (None, None)),
    ],
)
async def test_limits_of_a_task_are_the_smaller_quotas_of_project_and_owner(
    services: Services, quotas: ProjectQuotas, owner: Owner | None, limits: tuple[float | None, int | None]
) -> None:
    await services.access.projects.change(DEFAULT_PROJECT, quotas=quotas, actor=TESTER)
    spec = await services.submit.limited(TaskSpec(circuit="qubit q;", shots=1), owner)
    assert (spec.time_limit_seconds, spec.max_qubits) == limits


async def test_program_for_a_backend_may_have_any_number_of_qubits(services: Services) -> None:
    await services.access.projects.change(
        DEFAULT_PROJECT, quotas=ProjectQuotas(project={Quota.QUBITS: 5}), actor=TESTER
    )
    spec = TaskSpec(circuit="qubit q;", shots=1, kind=TaskKind.RUN, backend="other")
    assert (await services.submit.limited(spec, None)).max_qubits is None


async def test_defaults_are_shown_beside_the_quotas_of_a_project_and_apply(
    services: Services, options: ApiOptions, repository: FakeTaskRepository
) -> None:
    defaults = ProjectQuotas(project={Quota.WAITING: 9, Quota.QUBITS: 20}, owner={Quota.PRIORITY: 0})
    quotas = replace(services.submit.quotas, defaults=defaults)
    app = create_app(replace(services, submit=replace(services.submit, quotas=quotas)), options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        await client.post("/tasks", json=BODY)
        changed = (await client.patch("/projects/default", json={"quotas": {"qubits": 25}})).json()
        assert (changed["quotas"], changed["owner_quotas"]) == ({"qubits": 25}, {})
        assert (changed["default_quotas"], changed["default_owner_quotas"]) == ({"waiting": 9}, {"priority": 0})
        assert (await client.get("/projects/default")).json() == changed
        assert (await client.get("/projects")).json()["projects"] == [changed]
        await quotas.refresh()
        await client.post("/tasks", json=BODY)
    assert [one.spec.max_qubits for one in repository.submissions] == [20, 25]
    assert repository.limited == [True, True]
