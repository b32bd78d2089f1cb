"""Callbacks of submissions, deliveries and signing secrets over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import UUID, uuid4

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.callback_url import CallbackRule
from ketline.domain.webhooks.deliveries import Delivery, DeliveryId, DeliveryState
from ketline.service.services import Services
from tests.fake_webhooks import FakeDeliveryLog
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_pages import PROGRAM, submitted

URL = "https://example.org/hooks"
TASK = TaskId(UUID(int=5))


def delivery(number: int, state: DeliveryState = DeliveryState.DEAD, task_id: TaskId | None = None) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(UUID(int=number)),
        task_id=task_id or TaskId(uuid4()),
        project=DEFAULT_PROJECT,
        event="task.completed",
        url=URL,
        state=state,
        attempts=3,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        last_status=503,
        last_error="the receiver answered 503",
    )


@pytest.fixture
def deliveries(services: Services) -> FakeDeliveryLog:
    assert isinstance(services.deliveries, FakeDeliveryLog)
    return services.deliveries


async def test_callback_is_stored_and_shown(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks", json={"qc": "x", "callback": URL})
    assert response.status_code == 202
    assert repository.submissions[0].spec.callback == URL
    assert (await client.get(response.headers["location"])).json()["callback"] == URL


async def test_callbacks_of_a_batch_are_its_tasks_own(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    body = {"tasks": [{"qc": "x", "callback": URL}, {"qc": "x"}]}
    assert (await client.post("/tasks/batch", json=body)).status_code == 202
    assert [one.spec.callback for one in repository.submissions] == [URL, None]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "https://"),
        ("https://ada:secret@example.org/", "user name"),
        ("http://example.org/", "is not permitted"),
        ("https://127.0.0.1/", "is not permitted"),
        ("https://[::ffff:10.0.0.1]/", "is not permitted"),
        ("", "must not be empty"),
    ],
)
async def test_callback_that_is_never_called_is_rejected(client: httpx.AsyncClient, url: str, why: str) -> None:
    response = await client.post("/tasks", json={"qc": "x", "callback": url})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/callback"
    assert why in error["detail"]
    assert "secret" not in error["detail"]


async def test_rejected_callback_of_a_batch_is_pointed_to(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/tasks/batch", json={"tasks": [{"qc": "x"}, {"qc": "x", "callback": "http://a.example"}]}
    )
    assert [error["pointer"] for error in response.json()["errors"]] == ["#/tasks/1/callback"]


async def test_allowed_network_may_be_called(services: Services, options: ApiOptions) -> None:
    allowing = replace(options, callbacks=CallbackRule((ip_network("127.0.0.0/8"),)))
    app = create_app(services, allowing)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test") as client:
        response = await client.post("/tasks", json={"qc": "x", "callback": "http://127.0.0.1:9000/"})
    assert response.status_code == 202


async def test_callback_of_a_project_applies_to_its_tasks(
    client: httpx.AsyncClient, services: Services, repository: FakeTaskRepository
) -> None:
    changed = await client.patch("/projects/default", json={"callback": URL})
    assert (changed.status_code, changed.json()["callback"]) == (200, URL)
    await services.submit.callbacks.refresh()
    await client.post("/tasks", json={"qc": "x"})
    taken = await client.patch("/projects/default", json={"callback": None})
    assert "callback" not in taken.json()
    await services.submit.callbacks.refresh()
    await client.post("/tasks", json={"qc": "x"})
    assert [one.project_callback for one in repository.submissions] == [True, False]
    kept = await client.patch("/projects/default", json={"callback": URL})
    kept = await client.patch("/projects/default", json={"weight": 2})
    assert kept.json()["callback"] == URL
    rejected = await client.patch("/projects/default", json={"callback": "https://10.0.0.1/"})
    assert (rejected.status_code, rejected.json()["code"]) == (422, "invalid_request")


async def test_deliveries_of_a_task_are_shown(client: httpx.AsyncClient, deliveries: FakeDeliveryLog) -> None:
    deliveries.tasks.add(TASK)
    assert (await client.get(f"/tasks/{TASK}/deliveries")).json() == {"deliveries": []}
    deliveries.known.append(delivery(7, task_id=TASK))
    [shown] = (await client.get(f"/tasks/{TASK}/deliveries")).json()["deliveries"]
    assert shown == {
        "delivery_id": "00000000-0000-0000-0000-000000000007",
        "message_id": "msg_00000000000000000000000000000007",
        "task_id": str(TASK),
        "event": "task.completed",
        "url": URL,
        "state": "dead",
        "attempts": 3,
        "created_at": "2026-01-02T00:00:00.000000Z",
        "last_status": 503,
        "last_error": "the receiver answered 503",
    }


async def test_unknown_deliveries_are_told_apart(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/tasks/{TASK}/deliveries")
    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")
    response = await client.post(f"/tasks/{TASK}/redeliver")
    assert (response.status_code, response.json()["code"]) == (404, "delivery_not_found")


async def test_delivery_is_repeated(client: httpx.AsyncClient, deliveries: FakeDeliveryLog) -> None:
    deliveries.known.append(delivery(7, task_id=TASK))
    response = await client.post(f"/tasks/{TASK}/redeliver")
    assert (response.status_code, response.json()["state"]) == (202, "waiting")


async def test_dead_deliveries_are_listed_and_repeated(client: httpx.AsyncClient, deliveries: FakeDeliveryLog) -> None:
    deliveries.known += [delivery(number) for number in range(1, 6)]
    deliveries.known.append(delivery(9, DeliveryState.DELIVERED))
    seen, address = [], "/deliveries?state=dead&limit=2"
    while address:
        page = await client.get(address)
        seen += [one["delivery_id"][-1] for one in page.json()["deliveries"]]
        address = page.json().get("next")
        assert (f'<{address}>; rel="next"' == page.headers.get("link")) is (address is not None)
    assert seen == ["5", "4", "3", "2", "1"]
    assert (await client.post("/deliveries/redeliver")).json() == {"repeated": 5}
    assert (await client.get("/deliveries?state=dead")).json() == {"deliveries": []}
    assert (await client.get("/deliveries?state=lost")).status_code == 422


async def test_secret_is_read_and_rotated(client: httpx.AsyncClient) -> None:
    read = await client.get("/projects/default/webhook-secret")
    assert (read.status_code, read.headers["cache-control"]) == (200, "no-store")
    assert read.json()["secret"].startswith("whsec_")
    assert "previous" not in read.json()
    rotated = await client.post("/projects/default/webhook-secret")
    assert rotated.json()["previous"] == read.json()["secret"] != rotated.json()["secret"]
    again = await client.post("/projects/default/webhook-secret", json={"overlap_s": 60})
    until = datetime.fromisoformat(again.json()["previous_until"])
    assert 0 < (until - datetime.now(UTC)).total_seconds() <= 60
    long = await client.post("/projects/default/webhook-secret", json={"overlap_s": 10**9})
    assert (long.status_code, long.json()["code"]) == (422, "invalid_request")
    for method in (client.get, client.post):
        unknown = await method("/projects/nobody/webhook-secret")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "project_unknown")


async def test_callback_of_the_form_is_stored_shown_and_copied(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, callback=URL)
    assert repository.submissions[0].spec.callback == URL
    assert f"<dt>Callback</dt><dd><code>{URL}</code>" in (await client.get(f"/ui/tasks/{task_id}")).text
    assert URL in (await client.get("/", params={"copy": str(task_id)})).text


async def test_rejected_callback_is_an_error_of_its_field(client: httpx.AsyncClient) -> None:
    response = await client.post("/ui/submit", data={"qc": PROGRAM, "shots": "10", "callback": "https://127.0.0.1/"})
    assert response.status_code == 422
    assert "is not permitted: its host has no public address" in response.text
