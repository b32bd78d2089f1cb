"""What administrators do to single tasks, on PostgreSQL and SQLite: never is an outcome recorded twice."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from ketline.db.audit import SqlAuditLog
from ketline.db.engine.database import Database
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.interventions import Requeued
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.errors import TaskEnded, TaskNotFound, TaskRunning, TaskWaits
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from tests.actors import TESTER
from tests.contract.test_hold import held
from tests.contract.test_labels import in_an_hour
from tests.contract.test_repository import CRASH, LEASE, RESULT, WORKER, claimed, move_back, submission
from tests.specs import respecified

WORKER_ONE = WorkerIdentity(worker_id=WORKER, slots=1, version="1.0")


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


@pytest.fixture
def interventions(database: Database) -> SqlTaskInterventions:
    return SqlTaskInterventions(database)


async def is_alive(database: Database) -> None:
    """Have it be that the worker sends heartbeats."""
    await SqlWorkerRegistry(database).beat(WORKER_ONE, None, timedelta(seconds=15))


async def notes_of_audit(database: Database) -> list[tuple[str, str | None]]:
    entries = (await SqlAuditLog(database).find(None, None, 100)).entries
    return [(str(one.record.action), one.record.notes) for one in entries][::-1]


async def test_pending_task_is_due_again_at_once(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, database: Database
) -> None:
    new = submission()
    await repository.add(new, taken=True)
    assert await repository.take_due(10) == []
    for _ in range(2):
        assert await interventions.requeue(new.task_id, TESTER) is Requeued.PUBLISHED
    assert [one.task_id for one in await repository.take_due(10)] == [new.task_id]
    assert len((await repository.get(new.task_id)).history) == 1
    assert await notes_of_audit(database) == [("task.requeued", "published")] * 2


async def test_requeue_ends_the_delay_after_an_attempt(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions
) -> None:
    claim = await claimed(repository)
    assert await repository.retry(claim.lease, CRASH, crashed=False) is TaskStatus.PENDING
    assert await repository.claim(claim.lease.task_id, WORKER, LEASE) is None
    await interventions.requeue(claim.lease.task_id, TESTER)
    again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
    assert again is not None
    assert again.lease.attempt == 2


@pytest.mark.parametrize("why", ["no heartbeats", "lease over", "forced"])
async def test_task_of_a_dead_worker_is_taken_back_and_its_worker_fenced(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, database: Database, why: str
) -> None:
    claim = await claimed(repository)
    if why != "no heartbeats":
        await is_alive(database)
    if why == "lease over":
        await move_back(database, claim.lease.task_id, "lease_expires_at", 1)
    assert await interventions.requeue(claim.lease.task_id, TESTER, force=why == "forced") is Requeued.TAKEN_BACK
    assert not await repository.renew(claim.lease, LEASE)
    assert not await repository.finish(claim.lease, RESULT)
    again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
    assert again is not None
    assert not await repository.finish(claim.lease, RESULT)
    assert await repository.finish(again.lease, RESULT)
    task = await repository.get(claim.lease.task_id)
    assert [(line.status.value, line.cause) for line in task.history] == [
        ("pending", None),
        ("processing", None),
        ("pending", "requeued"),
        ("processing", None),
        ("completed", None),
    ]
    assert task.history[2].lease_token == claim.lease.token
    assert task.history[2].duration_seconds is not None
    assert await notes_of_audit(database) == [("task.requeued", "taken_back")]


async def test_task_of_a_living_worker_is_not_taken(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, database: Database
) -> None:
    claim = await claimed(repository)
    await is_alive(database)
    with pytest.raises(TaskRunning, match=f"running on {WORKER}, which is alive") as rejected:
        await interventions.requeue(claim.lease.task_id, TESTER)
    assert rejected.value.status is TaskStatus.PROCESSING
    assert await repository.finish(claim.lease, RESULT)
    assert await notes_of_audit(database) == []


async def test_taking_back_costs_no_attempt(repository: SqlTaskRepository, interventions: SqlTaskInterventions) -> None:
    claim = await claimed(repository, max_attempts=1)
    await interventions.requeue(claim.lease.task_id, TESTER)
    again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
    assert again is not None
    assert await repository.finish(again.lease, RESULT)


async def test_of_concurrent_requeues_one_takes_the_task_back(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions
) -> None:
    claim = await claimed(repository)
    done = await asyncio.gather(*(interventions.requeue(claim.lease.task_id, TESTER) for _ in range(4)))
    assert sorted(done) == ["published"] * 3 + ["taken_back"]
    assert len((await repository.get(claim.lease.task_id)).history) == 3


async def test_finish_and_requeue_at_the_same_time_record_one_outcome(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions
) -> None:
    claim = await claimed(repository)
    finished, requeued = await asyncio.gather(
        repository.finish(claim.lease, RESULT),
        interventions.requeue(claim.lease.task_id, TESTER, force=True),
        return_exceptions=True,
    )
    task = await repository.get(claim.lease.task_id)
    if finished is True:
        assert isinstance(requeued, TaskEnded)
        assert task.status is TaskStatus.COMPLETED
    else:
        assert (finished, requeued, task.status) == (False, Requeued.TAKEN_BACK, TaskStatus.PENDING)


async def test_held_and_scheduled_tasks_are_not_requeued(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions
) -> None:
    later = respecified(submission(), scheduled_for=in_an_hour())
    for new, why in ((held(), "release it"), (later, "change its schedule")):
        await repository.add(new)
        with pytest.raises(TaskWaits, match=why):
            await interventions.requeue(new.task_id, TESTER)
    assert await repository.take_due(10) == []


async def test_failed_task_has_the_reason_and_its_worker_is_fenced(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, database: Database
) -> None:
    claim = await claimed(repository)
    for _ in range(2):
        await interventions.fail(claim.lease.task_id, "its backend is gone", TESTER)
    assert not await repository.finish(claim.lease, RESULT)
    task = await repository.get(claim.lease.task_id)
    assert task.failure is not None
    assert (task.status, task.failure.code) == (TaskStatus.FAILED, "failed_by_administrator")
    assert task.failure.message == "An administrator of the service ended the task: its backend is gone"
    last = task.history[-1]
    assert (last.status, last.cause, last.attempt) == (TaskStatus.FAILED, "failed_by_administrator", 1)
    assert len(task.history) == 3
    assert await notes_of_audit(database) == [("task.failed", "its backend is gone")]


@pytest.mark.parametrize("hold", [False, True])
async def test_pending_task_that_was_failed_never_runs(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, hold: bool
) -> None:
    new = held() if hold else submission()
    await repository.add(new)
    await interventions.fail(new.task_id, "no worker takes its queue", TESTER)
    assert await repository.take_due(10) == []
    assert await repository.claim(new.task_id, WORKER, LEASE) is None
    assert [line.status.value for line in (await repository.get(new.task_id)).history] == ["pending", "failed"]


async def test_ended_task_is_neither_requeued_nor_failed(
    repository: SqlTaskRepository, interventions: SqlTaskInterventions, database: Database
) -> None:
    claim = await claimed(repository)
    assert await repository.finish(claim.lease, RESULT)
    with pytest.raises(TaskEnded):
        await interventions.requeue(claim.lease.task_id, TESTER, force=True)
    with pytest.raises(TaskEnded):
        await interventions.fail(claim.lease.task_id, "too late", TESTER)
    assert (await repository.get(claim.lease.task_id)).status is TaskStatus.COMPLETED
    assert await notes_of_audit(database) == []


async def test_unknown_task_is_not_found(interventions: SqlTaskInterventions) -> None:
    with pytest.raises(TaskNotFound):
        await interventions.requeue(TaskId(uuid4()), TESTER)
    with pytest.raises(TaskNotFound):
        await interventions.fail(TaskId(uuid4()), "why", TESTER)
