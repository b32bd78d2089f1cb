"""What the repository promises about kinds of tasks: each kind, and each backend, has a queue of its own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ketline.db.backends import SqlBackendRegistry
from ketline.db.engine.database import Database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.actors import TESTER
from tests.contract.test_priority import UNKNOWN
from tests.contract.test_repository import LEASE, WORKER, submission
from tests.specs import respecified

AER, BRAKET = TaskQueue(TaskKind.RUN, "aer"), TaskQueue(TaskKind.RUN, "braket")
QUEUES = [SIMULATIONS, CONVERSIONS, AER, BRAKET]


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


def in_queue(queue: TaskQueue, **fields: object) -> Submission:
    target = Target.OPENQASM2 if queue == CONVERSIONS else None
    return respecified(submission(), kind=queue.kind, backend=queue.backend, target=target, **fields)


async def dispatched(repository: SqlTaskRepository, queue: TaskQueue, **fields: object) -> TaskId:
    new = in_queue(queue, **fields)
    await repository.add(new)
    await repository.take_due(10)
    return new.task_id


async def test_claim_gives_what_the_kind_needs(repository: SqlTaskRepository) -> None:
    new = respecified(submission(), kind=TaskKind.CONVERT, target=Target.QIR, profile=QirProfile.ADAPTIVE, bitcode=True)
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE, CONVERSIONS)
    assert claim is not None
    spec: TaskSpec = claim.spec
    assert (spec.kind, spec.target, spec.profile, spec.bitcode) == (
        TaskKind.CONVERT,
        Target.QIR,
        QirProfile.ADAPTIVE,
        True,
    )


async def test_dispatches_name_their_queues(repository: SqlTaskRepository) -> None:
    new = {queue: in_queue(queue) for queue in QUEUES}
    for one in new.values():
        await repository.add(one)
    taken = {dispatch.task_id: dispatch.queue for dispatch in await repository.take_due(10)}
    assert taken == {one.task_id: queue for queue, one in new.items()}
    assert await repository.count_dispatched() == dict.fromkeys(QUEUES, 1)


@pytest.mark.parametrize("queue", [CONVERSIONS, AER, BRAKET])
async def test_message_on_another_queue_claims_nothing(repository: SqlTaskRepository, queue: TaskQueue) -> None:
    simulation = await dispatched(repository, SIMULATIONS)
    assert await repository.claim(simulation, WORKER, LEASE, queue) is None
    other = await dispatched(repository, queue)
    assert await repository.claim(other, WORKER, LEASE) is not None, "the simulation, in place of the named task"
    assert await repository.claim(other, WORKER, LEASE) is None
    assert await repository.claim_short(other, WORKER, LEASE) is None
    claim = await repository.claim(simulation, WORKER, LEASE, queue)
    assert claim is not None
    assert claim.lease.task_id == other


@pytest.mark.parametrize("queue", [CONVERSIONS, AER, BRAKET])
async def test_message_is_used_for_a_task_of_its_own_queue(repository: SqlTaskRepository, queue: TaskQueue) -> None:
    await dispatched(repository, SIMULATIONS, priority=100)
    other = await dispatched(repository, queue)
    claim = await repository.claim(UNKNOWN, WORKER, LEASE, queue)
    assert claim is not None
    assert claim.lease.task_id == other


async def test_priority_counts_within_a_queue(repository: SqlTaskRepository) -> None:
    urgent = await dispatched(repository, CONVERSIONS, priority=100)
    later = await dispatched(repository, CONVERSIONS)
    simulation = await dispatched(repository, SIMULATIONS)
    claim = await repository.claim(simulation, WORKER, LEASE)
    assert claim is not None
    assert claim.lease.task_id == simulation, "the urgent task is on another queue"
    claim = await repository.claim(later, WORKER, LEASE, CONVERSIONS)
    assert claim is not None
    assert claim.lease.task_id == urgent


async def test_overdue_tasks_are_taken_by_queue(repository: SqlTaskRepository) -> None:
    for queue in QUEUES:
        await repository.add(in_queue(queue), taken=True)
    overdue = timedelta(days=-1)
    for queue in QUEUES:
        [dispatch] = await repository.take_overdue(10, by=overdue, queue=queue)
        assert dispatch.queue == queue


async def test_job_is_recorded_and_claimed_with_its_task(repository: SqlTaskRepository) -> None:
    task_id = await dispatched(repository, BRAKET)
    claim = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert claim is not None
    assert claim.remote_job is None
    for job in (RemoteJob(), None, RemoteJob("job-7", RemoteStatus.QUEUED)):
        assert await repository.record_job(claim.lease, job)
        assert (await repository.get(task_id)).remote_job == job
    await repository.release(claim.lease)
    again = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert again is not None
    assert again.remote_job == RemoteJob("job-7", RemoteStatus.QUEUED)


async def test_job_of_a_lost_lease_is_not_recorded(repository: SqlTaskRepository) -> None:
    task_id = await dispatched(repository, BRAKET)
    claim = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert claim is not None
    await repository.release(claim.lease)
    assert not await repository.record_job(claim.lease, RemoteJob("job-7", RemoteStatus.QUEUED))
    assert (await repository.get(task_id)).remote_job is None


async def test_jobs_of_cancelled_tasks_are_to_be_cancelled_until_they_ended(repository: SqlTaskRepository) -> None:
    ids = [await dispatched(repository, BRAKET) for _ in range(3)]
    for task_id, job in zip(ids, (RemoteJob("job-1", RemoteStatus.RUNNING), RemoteJob(), None), strict=True):
        claim = await repository.claim(task_id, WORKER, LEASE, BRAKET)
        assert claim is not None
        await repository.record_job(claim.lease, job)
    assert await repository.jobs_to_cancel("braket", 10) == []
    for task_id in ids:
        await repository.cancel(task_id, TESTER)
    assert await repository.jobs_to_cancel("aer", 10) == []
    found = await repository.jobs_to_cancel("braket", 10)
    assert [(one.task_id, one.job) for one in found] == [
        (ids[0], RemoteJob("job-1", RemoteStatus.RUNNING)),
        (ids[1], RemoteJob()),
    ]
    assert all(timedelta() <= one.ended_for < timedelta(minutes=1) for one in found)
    await repository.end_job(ids[0], RemoteJob("job-1", RemoteStatus.CANCELLED))
    assert [one.task_id for one in await repository.jobs_to_cancel("braket", 10)] == [ids[1]]


async def test_job_of_a_task_that_failed_at_its_time_limit_is_to_be_cancelled(repository: SqlTaskRepository) -> None:
    ids = [await dispatched(repository, BRAKET) for _ in range(2)]
    job = RemoteJob("job-1", RemoteStatus.RUNNING)
    for task_id, code in zip(ids, (FailureCode.TIMEOUT, FailureCode.BACKEND_ACCESS_DENIED), strict=True):
        claim = await repository.claim(task_id, WORKER, LEASE, BRAKET)
        assert claim is not None
        await repository.record_job(claim.lease, job)
        await repository.fail(claim.lease, Failure(code=code, message="m"))
    [found] = await repository.jobs_to_cancel("braket", 10)
    assert (found.task_id, found.job) == (ids[0], job)
    for task_id in ids:
        await repository.end_job(task_id, RemoteJob("job-1", RemoteStatus.CANCELLED))
    assert await repository.jobs_to_cancel("braket", 10) == []
    ended = [(await repository.get(task_id)).remote_job for task_id in ids]
    assert ended == [RemoteJob("job-1", RemoteStatus.CANCELLED), job], "only what was to be cancelled is changed"


async def test_claim_tells_for_how_long_the_job_has_been_at_its_backend(repository: SqlTaskRepository) -> None:
    task_id = await dispatched(repository, BRAKET)
    claim = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert claim is not None
    assert claim.job_seconds == 0
    await repository.record_job(claim.lease, RemoteJob())
    await repository.record_job(claim.lease, RemoteJob("job-7", RemoteStatus.QUEUED))
    await repository.release(claim.lease)
    again = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert again is not None
    assert 0 < again.job_seconds < LEASE.total_seconds()
    await repository.record_job(again.lease, None)
    await repository.release(again.lease)
    third = await repository.claim(task_id, WORKER, LEASE, BRAKET)
    assert third is not None
    assert third.job_seconds == 0


@pytest.mark.parametrize("waits", [True, False])
async def test_task_of_an_older_client_remembers_whether_it_waits_for_completion(
    repository: SqlTaskRepository, waits: bool
) -> None:
    new = replace(in_queue(BRAKET), task_type="backend_run", wait_for_completion=waits)
    await repository.add(new)
    assert (await repository.get(new.task_id)).wait_for_completion is waits


async def test_backend_is_known_by_its_last_description(database: Database) -> None:
    registry = SqlBackendRegistry(database)
    await registry.register("lab", BackendDescription(name="lab", offline_reason="maintenance"))
    described = BackendDescription(
        name="lab", num_qubits=3, coupling=((0, 1), (1, 2)), formats=(ProgramFormat.QPY,), gates=("cx",)
    )
    await registry.register("lab", described)
    assert await registry.known() == {"lab": described}
