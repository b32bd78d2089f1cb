"""The pages of all tasks and of the system, without a browser."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from ketline.domain.attempts.dead_letters import DeadLetter
from ketline.domain.attempts.worker import CurrentTask, LiveWorker, WorkerIdentity
from ketline.domain.errors import DatabaseReadOnly, DatabaseUnavailable, QueueUnavailable
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Order, Position
from ketline.domain.tasks.task import Task
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeDeadLetterBox, FakeTaskPublisher, FakeTaskRepository
from tests.inspectors import FakeWorkerRegistry

MARKUP = "<script>alert(1)</script>\"'"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PART = {"HX-Request": "true"}


def task(name: str | None = None, tags: Sequence[str] = (), status: TaskStatus = TaskStatus.PENDING) -> Task:
    made = Task(
        task_id=TaskId(uuid4()),
        shots=1000,
        status=status,
        submitted_at=NOW,
        correlation_id=CorrelationId("c"),
        attempt=0,
        completed_at=NOW + timedelta(seconds=2) if status.terminal else None,
        failure=Failure(code=FailureCode.TIMEOUT, message="late") if status is TaskStatus.FAILED else None,
    )
    return replace(made, labels=replace(made.labels, name=name, tags=tags))


def put(catalogue: FakeTaskCatalogue, *tasks: Task, more: bool = False) -> None:
    """Let the list have these tasks, and continue or not."""
    catalogue.repository.tasks = {one.task_id: one for one in tasks}
    catalogue.next = Position(at=NOW, task_id=TaskId(uuid4())) if more else None


def shown(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))


async def test_list_shows_tasks_with_what_was_said_of_them(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue
) -> None:
    put(catalogue, task("run 1", ["vqe"]), task(status=TaskStatus.FAILED))
    page = await client.get("/ui/tasks")
    assert page.headers["content-type"].startswith("text/html")
    text = shown(page.text)
    for part in ("run 1", "vqe", "pending", "failed timeout", "2026-01-02 03:04:05", "2 s", "1,000"):
        assert part in text
    assert 'hx-sse:connect="../tasks/events"' in page.text


async def test_empty_lists_say_what_to_do(client: httpx.AsyncClient) -> None:
    assert "There are no tasks yet. Submit a program." in shown((await client.get("/ui/tasks")).text)
    assert "No tasks match these filters." in shown((await client.get("/ui/tasks?status=failed")).text)


async def test_filters_are_those_of_the_api(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    query = "status=failed&status=cancelled&tag=a&tag=b&name=run*&order=completed_at&error_code=timeout&limit=7"
    page = await client.get(f"/ui/tasks?{query}")
    assert page.status_code == 200
    asked = catalogue.queries[-1]
    assert (asked.which.statuses, asked.which.tags) == ((TaskStatus.FAILED, TaskStatus.CANCELLED), ("a", "b"))
    assert (asked.which.name_prefix, asked.which.error_code) == ("run", FailureCode.TIMEOUT)
    assert (asked.order, asked.limit) == (Order.FIRST_ENDED_FIRST, 7)
    assert page.text.count(" checked") == 2
    for part in (
        'value="run"',
        'value="a, b"',
        "first ended first",
        'events?tag=a&amp;tag=b"',
        "<option selected>timeout",
    ):
        assert part in page.text


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("search=&tag=&order=-submitted_at&error_code=&worker=&submitted_after=", "tasks"),
        ("search=run+1&status=failed", "tasks?name=run+1%2A&status=failed"),
        ("search=run*", "tasks?name=run%2A"),
        ("tag=a,+b,a", "tasks?tag=a&tag=b"),
        ("submitted_after=2026-01-02T03:04", "tasks?submitted_after=2026-01-02T03%3A04%3A00Z"),
        ("search=+11111111-2222-4333-8444-555555555555", "tasks/11111111-2222-4333-8444-555555555555"),
    ],
)
async def test_filled_in_form_becomes_a_plain_address(client: httpx.AsyncClient, query: str, address: str) -> None:
    response = await client.get(f"/ui/tasks?{query}")
    assert (response.status_code, response.headers["location"]) == (303, address)
    if "/" not in address:
        assert (await client.get(f"/ui/{address}")).status_code == 200, "and there it ends"


@pytest.mark.parametrize(
    "query",
    ["status=odd", "limit=0", "cursor=x", "submitted_after=soon", "order=random", "colour=red", "limit=1&limit=2"],
)
async def test_wrong_filter_is_shown_beside_the_form(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, query: str
) -> None:
    page = await client.get(f"/ui/tasks?{query}")
    assert page.status_code == 422
    assert 'role="alert">' in page.text
    assert 'aria-label="Filters"' in page.text
    assert catalogue.queries == []


async def test_pages_follow_each_other_by_cursors(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    put(catalogue, task("one"), more=True)
    first = await client.get("/ui/tasks?tag=a&limit=1")
    assert "First page" not in first.text
    found = re.search(r'href="\.\./(ui/tasks\?[^"]*cursor=[^"]*)" rel="next"', first.text)
    assert found
    place = catalogue.next
    put(catalogue, task("two"))
    second = await client.get("/" + unescape(found[1]))
    assert second.status_code == 200
    assert catalogue.queries[-1].after == place
    assert 'href="../ui/tasks?tag=a&amp;limit=1">← First page' in second.text
    assert 'rel="next"' not in second.text


async def test_short_page_says_that_the_list_goes_on(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    put(catalogue, more=True)
    page = await client.get("/ui/tasks?name=rare")
    assert "No matching tasks on this page" in page.text
    assert 'rel="next"' in page.text


async def test_names_and_tags_are_escaped(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    put(catalogue, task(MARKUP, [MARKUP]))
    page = await client.get(f"/ui/tasks?tag={quote(MARKUP)}&name={quote(MARKUP)}")
    assert "<script>" not in page.text
    assert MARKUP in unescape(page.text)


async def test_open_list_gets_the_list_alone(client: httpx.AsyncClient) -> None:
    part = await client.get("/ui/tasks?status=failed", headers=PART)
    assert part.text.startswith('<div id="list"')
    assert 'hx-get="../ui/tasks?status=failed"' in part.text


async def test_list_without_a_database_says_so(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.error = DatabaseUnavailable("at db.internal")
    page = await client.get("/ui/tasks")
    assert (page.status_code, "db.internal" in page.text) == (503, False)


async def submitted(client: httpx.AsyncClient, repository: FakeTaskRepository, count: int) -> list[TaskId]:
    for _ in range(count):
        await client.post("/tasks", json={"qc": "x", "seed": 1})
    return [one.task_id for one in repository.submissions]


@pytest.mark.parametrize("action", ["cancel", "rerun"])
async def test_nothing_is_done_before_it_is_confirmed(
    client: httpx.AsyncClient, repository: FakeTaskRepository, action: str
) -> None:
    ids = await submitted(client, repository, 2)
    page = await client.post("/ui/bulk", data={"action": action, "task": list(map(str, ids)), "back": "status=pending"})
    assert f"{action.capitalize()} 2 tasks?" in shown(page.text)
    assert 'href="../ui/tasks?status=pending"' in page.text
    assert all(f'name="task" value="{one}"' in page.text for one in ids)
    assert len(repository.submissions) == 2
    assert {one.status for one in repository.tasks.values()} == {TaskStatus.PENDING}


async def test_picked_tasks_are_cancelled(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    first, second, third = await submitted(client, repository, 3)
    repository.change(second, TaskStatus.COMPLETED)
    unknown = uuid4()
    data = {"action": "cancel", "confirmed": "yes", "task": [str(one) for one in (first, second, unknown, first)]}
    text = shown((await client.post("/ui/bulk", data=data)).text)
    assert "Cancelled: 1 of 3" in text
    assert f"{second} had ended: it is completed" in text
    assert f"{unknown} was not found" in text
    assert repository.tasks[first].status is TaskStatus.CANCELLED
    assert repository.tasks[third].status is TaskStatus.PENDING


async def test_picked_tasks_are_run_again_until_too_many_wait(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    ids = await submitted(client, repository, 3)
    data = {"action": "rerun", "confirmed": "yes", "task": list(map(str, ids))}
    text = shown((await client.post("/ui/bulk", data=data)).text)
    assert "Rerun: 2 of 3" in text, "the backlog holds five"
    assert "was not run again: too many tasks wait" in text
    again = repository.submissions[3:]
    assert [one.rerun_of for one in again] == ids[:2]
    assert all(str(one.task_id) in text for one in again)
    assert all(one.spec.options.seed != 1 for one in again)


async def test_picked_tasks_without_a_database(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    [task_id] = await submitted(client, repository, 1)
    repository.error = DatabaseUnavailable("at db.internal")
    data = {"action": "cancel", "confirmed": "yes", "task": str(task_id)}
    text = shown((await client.post("/ui/bulk", data=data)).text)
    assert "Cancelled: 0 of 1" in text
    assert "may be unchanged: The database does not respond" in text


async def test_nothing_picked_is_nothing_done(client: httpx.AsyncClient) -> None:
    page = await client.post("/ui/bulk", data={"action": "cancel", "confirmed": "yes"})
    assert (page.status_code, "No tasks selected" in page.text) == (200, True)


@pytest.mark.parametrize(
    "data",
    [
        {"task": str(uuid4())},
        {"action": "burn", "task": str(uuid4())},
        {"action": "cancel", "task": "7"},
        {"action": "cancel", "task": [str(uuid4()) for _ in range(201)]},
    ],
)
async def test_unknown_forms_are_rejected(client: httpx.AsyncClient, data: dict[str, object]) -> None:
    assert (await client.post("/ui/bulk", data=data)).status_code == 400


async def test_way_back_leads_to_a_list_and_nowhere_else(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    [task_id] = await submitted(client, repository, 1)
    for back in ("//evil.example", "https://evil.example", "javascript:alert(1)", '"><script>'):
        page = await client.post("/ui/bulk", data={"action": "cancel", "task": str(task_id), "back": back})
        assert "<script>" not in page.text
        assert all(one.startswith(("../", "#")) for one in re.findall(r'(?:href|action)="([^"]*)"', page.text))


def worker(name: str, *left: float) -> LiveWorker:
    tasks = [
        CurrentTask(
            task_id=TaskId(uuid4()),
            attempt=2,
            claimed_at=NOW,
            running_seconds=12.5,
            lease_expires_at=NOW,
            lease_seconds_left=seconds,
        )
        for seconds in left
    ]
    identity = WorkerIdentity(worker_id=WorkerId(name), slots=2, version="1.2.3")
    return LiveWorker(identity=identity, started_at=NOW, last_seen_at=NOW, tasks=tasks)


async def test_system_shows_figures_and_workers(client: httpx.AsyncClient, workers: FakeWorkerRegistry) -> None:
    workers.workers = [worker("w-1", 9.5, -3.0), worker("w-<b>")]
    page = await client.get("/ui/system")
    text = shown(page.text)
    assert "Database and queue respond, 2 workers alive." in text
    assert "2 running, 2 slots" in text
    assert "for 12.5 s, attempt 2, lease expires in 9.5 s" in text
    assert "lease expired 3 s ago" in text
    assert "<b>" not in page.text
    for title in ("Waiting", "Longest wait", "Completed per minute", "Failed per minute"):
        assert title in text


async def test_system_without_workers_says_so_loudly(client: httpx.AsyncClient) -> None:
    text = shown((await client.get("/ui/system")).text)
    assert "No worker is alive." in text
    assert "ketline worker" in text


async def test_system_is_there_without_database_and_queue(
    client: httpx.AsyncClient, repository: FakeTaskRepository, publisher: FakeTaskPublisher, workers: FakeWorkerRegistry
) -> None:
    repository.error = DatabaseUnavailable("at db.internal")
    publisher.error = QueueUnavailable("at mq.internal")
    workers.error = DatabaseUnavailable("at db.internal")
    page = await client.get("/ui/system")
    assert page.status_code == 200
    assert "The database does not respond." in page.text
    assert "The queue does not respond." in page.text
    assert "No worker is alive" not in page.text, "that is not known"
    assert "internal" not in page.text


async def test_system_says_why_the_database_cannot_be_used(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = DatabaseReadOnly("at db.internal")
    page = await client.get("/ui/system")
    assert page.status_code == 200
    assert "Database read-only." in page.text
    assert "The database does not respond" not in page.text
    assert "internal" not in page.text


async def test_system_survives_figures_that_cannot_be_read(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry
) -> None:
    workers.error = DatabaseUnavailable("slow")
    page = await client.get("/ui/system")
    assert (page.status_code, "could not be read" in page.text) == (200, True)


async def test_system_says_that_the_process_stops(client: httpx.AsyncClient, stopping: list[bool]) -> None:
    stopping.append(True)
    assert "This process is stopping." in (await client.get("/ui/system", headers=PART)).text


async def test_system_shows_what_was_set_aside_and_puts_it_back(
    client: httpx.AsyncClient, dead_letters: FakeDeadLetterBox
) -> None:
    readable = TaskId(uuid4())
    dead_letters.letters = [
        DeadLetter(reason="<b>rejected</b>", at=datetime.now(UTC), problem="the message is not JSON"),
        DeadLetter(reason="delivery_limit", task_id=readable),
    ]
    page = (await client.get("/ui/system")).text
    assert "<b>rejected" not in page
    assert "<b>rejected</b>: the message is not JSON" in shown(page)
    assert f"ui/tasks/{readable}" in page
    assert (await client.get("/ui/system")).text.count("Dead letters") == 1
    assert dead_letters.looks == 1, "pages that are open share a look"
    response = await client.post("/ui/dead-letters/requeue")
    assert (response.status_code, response.headers["location"]) == (303, "../system")
    left = (await client.get("/ui/system")).text
    assert str(readable) not in left
    assert "not JSON" in left
    assert "Requeue" not in left


async def test_system_has_no_table_of_messages_without_dead_letters_or_during_an_outage(
    client: httpx.AsyncClient, dead_letters: FakeDeadLetterBox
) -> None:
    assert "Dead letters" not in (await client.get("/ui/system")).text
    dead_letters.error = QueueUnavailable("away")
    rejected = await client.post("/ui/dead-letters/requeue")
    assert rejected.status_code == 503
    assert "Queue unavailable" in rejected.text


async def test_requeue_from_another_site_is_rejected(
    client: httpx.AsyncClient, dead_letters: FakeDeadLetterBox
) -> None:
    dead_letters.letters = [DeadLetter(reason="delivery_limit", task_id=TaskId(uuid4()))]
    response = await client.post("/ui/dead-letters/requeue", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert dead_letters.letters
