"""What the ports of `ports.repositories` promise, on PostgreSQL and SQLite."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import idempotency_keys, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Claim, Lease
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import IdempotencyKeyReused, TaskEnded, TaskNotFound
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.results.outputs import Output, OutputType
from ketline.domain.results.result import Point, Profile, ProgramWarning, Register, RunResult, WarningCode
from ketline.domain.status import LEGAL_MOVES, TaskStatus
from ketline.domain.tasks.lists import Changeable, TaskChange
from ketline.domain.tasks.queues import SIMULATIONS
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import IdempotencyKey, Submission
from ketline.domain.tasks.task import Change
from ketline.domain.tasks.task_ids import TaskIds
from tests.actors import TESTER
from tests.specs import respecified

T = TypeVar("T")

LEASE = timedelta(seconds=30)
WORKER = WorkerId("worker-1")
RESULT = RunResult(
    counts={"00": 7, "11": 3},
    shots=10,
    profile=Profile(
        method="stabilizer",
        method_reason="Clifford gates only",
        qubits=2,
        depth=3,
        operations={"h": 1, "cx": 1, "measure": 2},
        parsing_seconds=0.001,
        simulating_seconds=0.002,
        queued_seconds=0.5,
        tier="scanner",
        registers=(Register(bits=2, name="c"), Register(bits=1)),
        processor_seconds=0.003,
        memory_bytes=1 << 27,
        warnings=(
            ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message="ignored", line=3, column=1),
            ProgramWarning(code=WarningCode.ANNOTATION_IGNORED, message="also ignored"),
        ),
    ),
)
# They grow, as the service's do: on SQLite several tasks come in the same millisecond.
NEW_ID = TaskIds()
CRASH = Failure(code=FailureCode.SIMULATION_ERROR, message="The simulator process was killed")
FAILURE = Failure(code=FailureCode.PARSE_ERROR, message="Unknown gate 'foo'.", line=3, column=7)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(
        database, redispatch=timedelta(seconds=60), retry_policy=RetryPolicy(delay=timedelta(seconds=5))
    )


def submission(max_attempts: int = 3, key: IdempotencyKey | None = None) -> Submission:
    return Submission(
        task_id=NEW_ID(),
        spec=TaskSpec(
            circuit="OPENQASM 3.0; // π ✓",
            shots=10,
            max_attempts=max_attempts,
            time_limit_seconds=2.5,
            options=RunOptions(seed=2**63 - 1, method=Method.STIM, memory=True),
            inputs={"theta": 0.5, "n": 2**63, "flag": True, "bits": "0101"},
        ),
        correlation_id=CorrelationId("corr-1"),
        trace_context="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        idempotency_key=key,
    )


async def claimed(repository: SqlTaskRepository, max_attempts: int = 3) -> Claim:
    new = submission(max_attempts)
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    return claim


async def move_back(database: Database, task_id: TaskId, column: str, seconds: float) -> None:
    """Let time pass for one column of one task."""

    def work(connection: Connection) -> None:
        connection.execute(update(tasks).where(tasks.c.task_id == task_id).values({column: from_now(-seconds)}))

    await database.write(work)


async def test_task_has_what_was_requested_up_to_a_size(repository: SqlTaskRepository) -> None:
    small, large = submission(), submission()
    # No compression of the database makes this small.
    sweep = {"theta": [number / 7 for number in range(30_000)]}
    large = replace(large, spec=replace(large.spec, inputs=sweep))
    await repository.add_all([small, large])
    task = await repository.get(small.task_id)
    assert (task.inputs, task.options, task.time_limit_seconds) == (small.spec.inputs, small.spec.options, 2.5)
    assert task.max_attempts == small.spec.max_attempts
    assert (await repository.get(large.task_id)).inputs == {}
    values = submission()
    values = replace(values, spec=replace(values.spec, options=RunOptions(observables=({"Z": 1.0},))))
    await repository.add(values)
    assert (await repository.get(values.task_id)).options.observables == ({"Z": 1.0},)


async def test_added_task_is_pending_with_one_line_of_history(repository: SqlTaskRepository) -> None:
    new = submission()
    accepted = await repository.add(new)
    submitted_at = accepted.submitted_at
    task = await repository.get(new.task_id)
    assert (accepted.task_id, accepted.correlation_id, accepted.repeated) == (new.task_id, "corr-1", False)
    assert (task.status, task.shots, task.correlation_id, task.attempt) == (TaskStatus.PENDING, 10, "corr-1", 0)
    assert task.submitted_at == submitted_at
    assert submitted_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - submitted_at) < timedelta(minutes=1)
    assert [(change.status, change.notes) for change in task.history] == [
        (TaskStatus.PENDING, "Task created and queued")
    ]


async def test_adding_twice_stores_once(repository: SqlTaskRepository) -> None:
    new = submission()
    first = await repository.add(new)
    assert await repository.add(new) == first
    assert len((await repository.get(new.task_id)).history) == 1


async def test_unknown_task_is_not_found(repository: SqlTaskRepository) -> None:
    with pytest.raises(TaskNotFound, match="not found"):
        await repository.get(TaskId(uuid4()))


async def test_claim_gives_all_a_worker_needs(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    assert (claim.spec.circuit, claim.spec.shots, claim.correlation_id) == (new.spec.circuit, 10, "corr-1")
    assert claim.trace_context == new.trace_context
    assert claim.spec.inputs == new.spec.inputs
    assert claim.spec.time_limit_seconds == 2.5
    assert claim.spec.options == new.spec.options
    assert (claim.lease.attempt, claim.lease.worker_id) == (1, WORKER)
    assert 0 <= claim.queued_seconds < 60
    task = await repository.get(new.task_id)
    assert (task.status, task.attempt, task.options) == (TaskStatus.PROCESSING, 1, new.spec.options)
    assert task.history[-1].lease_token == claim.lease.token


async def test_of_concurrent_claims_one_wins(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    claims = await asyncio.gather(*(repository.claim(new.task_id, WorkerId(f"w{n}"), LEASE) for n in range(8)))
    assert sum(claim is not None for claim in claims) == 1
    assert (await repository.get(new.task_id)).attempt == 1


async def test_nobody_claims_what_is_unknown_or_finished(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.finish(claim.lease, RESULT)
    assert await repository.claim(claim.lease.task_id, WORKER, LEASE) is None
    assert await repository.claim(TaskId(uuid4()), WORKER, LEASE) is None


async def test_shots_are_kept_in_order(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    shots = ["11", "00", "11"]
    assert await repository.finish(claim.lease, replace(RESULT, counts={"00": 1, "11": 2}, shots=3, memory=shots))
    assert (await repository.get(claim.lease.task_id)).memory == shots


async def test_points_of_a_sweep_are_kept(repository: SqlTaskRepository) -> None:
    for points in (
        [Point(counts={"0": 2}, memory=["0", "0"]), Point(counts={"0": 1, "1": 1}, memory=["1", "0"])],
        [Point(counts={"1": 2})],
    ):
        claim = await claimed(repository)
        assert await repository.finish(claim.lease, replace(RESULT, counts={}, shots=2, points=points))
        task = await repository.get(claim.lease.task_id)
        assert (task.points, task.counts, task.memory, task.shots) == (points, None, None, 10)


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ([0.5, -1.0], None),
        ([[0.5, -1.0], [1e-17, 2.0]], None),
        ([0.5, -1.0], [0.01, 0.0]),
        ([[0.5], [1e-17]], [[0.01], [0.25]]),
    ],
)
async def test_expectation_values_are_kept(repository: SqlTaskRepository, values: Any, errors: Any) -> None:
    claim = await claimed(repository)
    result = replace(RESULT, counts={}, expectation_values=values, standard_errors=errors)
    assert await repository.finish(claim.lease, result)
    task = await repository.get(claim.lease.task_id)
    assert (task.expectation_values, task.standard_errors) == (values, errors)
    assert (task.counts, task.points) == (None, None)


GRADIENT = [{"t": 0.5, "a": [[0.0, 1e-17], [-1.0, 2.0]]}, {"t": 1.0, "a": [[0.0, 0.0], [0.0, 0.0]]}]


@pytest.mark.parametrize(
    ("values", "gradients"),
    [([0.5, 1.0], GRADIENT), ([[0.5, 1.0], [0.0, 1.0]], [GRADIENT, GRADIENT[::-1]])],
    ids=["one point", "sweep"],
)
async def test_gradients_are_kept(repository: SqlTaskRepository, values: Any, gradients: Any) -> None:
    claim = await claimed(repository)
    result = replace(RESULT, counts={}, expectation_values=values, gradients=gradients)
    assert await repository.finish(claim.lease, result)
    task = await repository.get(claim.lease.task_id)
    assert (task.expectation_values, task.gradients, task.counts) == (values, gradients, None)


STATE = Output(OutputType.STATEVECTOR, qubits=[0], values=[[0.6, 0.0], [0.0, -0.8]])
ENTROPY = Output(OutputType.ENTROPY, qubits=[0, 1], values=1e-17)


@pytest.mark.parametrize("counts", [RESULT.counts, {}], ids=["counts", "no counts"])
async def test_outputs_are_kept(repository: SqlTaskRepository, counts: dict[str, int]) -> None:
    claim, outputs = await claimed(repository), {"state": STATE, "entropy": ENTROPY}
    assert await repository.finish(claim.lease, replace(RESULT, counts=counts, outputs=outputs))
    task = await repository.get(claim.lease.task_id)
    assert (task.outputs, task.counts, task.points) == (outputs, counts or None, None)


@pytest.mark.parametrize("counts", [RESULT.counts, {}], ids=["counts", "no counts"])
async def test_outputs_of_a_sweep_are_kept(repository: SqlTaskRepository, counts: dict[str, int]) -> None:
    claim = await claimed(repository)
    points = (Point(counts=counts, outputs={"a": STATE}), Point(counts=counts, outputs={"a": ENTROPY}))
    assert await repository.finish(claim.lease, replace(RESULT, counts={}, points=points))
    task = await repository.get(claim.lease.task_id)
    assert (task.outputs, task.counts) == (None, None)
    assert tuple(task.points or ()) == points


@pytest.mark.parametrize("observables", [({"XZ": 0.5, "II": -1.0},), ([{"XZ": 0.5}], [{"ZZ": 1.0}, {"II": 2.0}])])
async def test_what_is_asked_of_a_program_reaches_the_worker(repository: SqlTaskRepository, observables: Any) -> None:
    options = RunOptions(seed=1, format=ProgramFormat.QPY, observables=observables)
    new, other = respecified(submission(), options=options), submission()
    await repository.add_all([new, other])
    for one in (new, other):
        claim = await repository.claim(one.task_id, WORKER, LEASE)
        assert claim is not None
        assert claim.spec.options == one.spec.options
    assert (await repository.get(new.task_id)).options.format is ProgramFormat.QPY
    assert (await repository.get(other.task_id)).options.format is ProgramFormat.OPENQASM3


async def test_finish_records_result_and_history(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.finish(claim.lease, RESULT)
    task = await repository.get(claim.lease.task_id)
    assert (task.status, task.counts, task.profile) == (TaskStatus.COMPLETED, RESULT.counts, RESULT.profile)
    assert task.completed_at is not None
    assert task.completed_at >= task.submitted_at
    assert (task.history[0].transitioned_at, task.history[-1].transitioned_at) == (
        task.submitted_at,
        task.completed_at,
    )
    assert [change.status for change in task.history] == [
        TaskStatus.PENDING,
        TaskStatus.PROCESSING,
        TaskStatus.COMPLETED,
    ]
    assert (task.history[-1].attempt, task.history[-1].lease_token) == (1, claim.lease.token)


async def test_large_result_is_left_out_and_there_as_text(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    task_id = claim.lease.task_id
    for missing in (task_id, TaskId(uuid4())):
        with pytest.raises(TaskNotFound):
            await repository.result_text(missing)
    counts = {f"{number:020b}": 1 for number in range(3000)}
    assert await repository.finish(claim.lease, replace(RESULT, counts=counts, shots=3000))
    small = await repository.get(task_id, most_result_bytes=1000)
    assert small.counts is None
    assert small.omitted_result_bytes is not None
    assert small.omitted_result_bytes > 1000
    assert (small.status, small.profile, small.history[-1].status) == (
        TaskStatus.COMPLETED,
        RESULT.profile,
        TaskStatus.COMPLETED,
    )
    whole = await repository.get(task_id, most_result_bytes=10_000_000)
    assert (whole.counts, whole.omitted_result_bytes) == (counts, None)
    assert (await repository.get(task_id)).counts == counts
    assert json.loads(await repository.result_text(task_id)) == {"counts": counts, "shots": 3000, "success": True}


async def test_finish_again_with_the_same_lease_changes_nothing(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.finish(claim.lease, RESULT)
    before = await repository.get(claim.lease.task_id)
    assert await repository.finish(claim.lease, RESULT)
    assert await repository.get(claim.lease.task_id) == before


async def test_fail_records_code_message_and_place(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.fail(claim.lease, FAILURE)
    task = await repository.get(claim.lease.task_id)
    assert (task.status, task.failure, task.counts) == (TaskStatus.FAILED, FAILURE, None)


@pytest.mark.parametrize("wrong", ["attempt", "token"])
async def test_lost_lease_changes_nothing(repository: SqlTaskRepository, wrong: str) -> None:
    claim = await claimed(repository)
    stale = Lease(
        task_id=claim.lease.task_id,
        attempt=claim.lease.attempt - (wrong == "attempt"),
        token=LeaseToken(uuid4()) if wrong == "token" else claim.lease.token,
        worker_id=WORKER,
    )
    before = await repository.get(claim.lease.task_id)
    assert not await repository.renew(stale, LEASE)
    assert not await repository.finish(stale, RESULT)
    assert not await repository.fail(stale, FAILURE)
    assert not await repository.release(stale)
    assert not await repository.defer(stale, timedelta())
    assert await repository.retry(stale, CRASH, crashed=True) is None
    assert await repository.get(claim.lease.task_id) == before
    assert await repository.finish(claim.lease, RESULT)


async def test_renewed_lease_is_not_reaped(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    await move_back(database, claim.lease.task_id, "lease_expires_at", 1)
    assert await repository.renew(claim.lease, LEASE)
    assert await repository.reap(10) == []


async def test_expired_lease_is_reaped_and_its_worker_fenced(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    await move_back(database, claim.lease.task_id, "lease_expires_at", 1)
    [reaped] = await repository.reap(10)
    assert (reaped.task_id, reaped.attempt, reaped.worker_id) == (claim.lease.task_id, 1, WORKER)
    assert reaped.status is TaskStatus.PENDING
    assert not await repository.finish(claim.lease, RESULT)
    assert (await repository.get(claim.lease.task_id)).status is TaskStatus.PENDING
    again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
    assert again is not None
    assert again.lease.attempt == 2
    assert not await repository.finish(claim.lease, RESULT), "the first attempt stays fenced off"
    assert await repository.finish(again.lease, RESULT)


async def test_task_that_loses_workers_waits_longer_each_time(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository, max_attempts=100)
    task_id = claim.lease.task_id
    patient = SqlTaskRepository(database, retry_policy=RetryPolicy(delay=timedelta(seconds=100), max_crashes=100))
    for low, high in ((-5.0, 0.0), (75.0, 125.0), (150.0, 250.0), (300.0, 500.0)):
        await move_back(database, task_id, "lease_expires_at", 1)
        await patient.reap(10)
        assert low - 5 < await seconds_until_due(database, task_id) <= high
        await move_back(database, task_id, "available_at", 1)
        assert await repository.claim(task_id, WORKER, LEASE) is not None


async def test_spent_attempts_end_in_worker_lost(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository, max_attempts=2)
    task_id = claim.lease.task_id
    await move_back(database, task_id, "lease_expires_at", 1)
    await repository.reap(10)
    await move_back(database, task_id, "available_at", 1)
    assert await repository.claim(task_id, WORKER, LEASE) is not None
    await move_back(database, task_id, "lease_expires_at", 1)
    [reaped] = await repository.reap(10)
    assert reaped.status is TaskStatus.FAILED
    task = await repository.get(task_id)
    assert task.failure is not None
    assert task.failure.code is FailureCode.WORKER_LOST
    assert task.completed_at is not None
    assert await repository.reap(10) == []


async def test_release_without_cost_keeps_the_attempts(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository, max_attempts=1)
    for expected in (2, 3):
        assert await repository.release(claim.lease)
        again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
        assert again is not None
        assert again.lease.attempt == expected
        claim = again


async def test_deferred_task_waits_for_its_delay_and_is_due_then(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository, max_attempts=1)
    task_id = claim.lease.task_id
    assert await repository.defer(claim.lease, timedelta(seconds=20))
    assert 15 < await seconds_until_due(database, task_id) <= 20
    assert await repository.claim(task_id, WORKER, LEASE) is None, "not before its delay is over"
    assert await repository.take_due(10) == []
    await move_back(database, task_id, "available_at", 1)
    await move_back(database, task_id, "dispatch_due_at", 1)
    [dispatch] = await repository.take_due(10)
    assert dispatch.task_id == task_id
    again = await repository.claim(task_id, WORKER, LEASE)
    assert again is not None
    assert again.lease.attempt == 2
    assert await repository.finish(again.lease, RESULT)


async def test_recalled_task_is_due_and_available_at_once(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.defer(claim.lease, timedelta(minutes=1))
    before = await repository.get(claim.lease.task_id)
    assert await repository.recall(claim.lease)
    assert await repository.get(claim.lease.task_id) == before, "its history has no line of it"
    [dispatch] = await repository.take_due(10)
    assert dispatch.task_id == claim.lease.task_id
    assert await repository.claim(claim.lease.task_id, WORKER, LEASE) is not None


@pytest.mark.parametrize("wrong", ["attempt", "token"])
async def test_only_a_deferral_of_ones_own_is_recalled(
    repository: SqlTaskRepository, database: Database, wrong: str
) -> None:
    claim = await claimed(repository)
    assert not await repository.recall(claim.lease), "it is being processed"
    assert await repository.defer(claim.lease, timedelta(minutes=1))
    other = replace(claim.lease, attempt=2) if wrong == "attempt" else replace(claim.lease, token=LeaseToken(uuid4()))
    assert not await repository.recall(other)
    assert await seconds_until_due(database, claim.lease.task_id) > 50


async def test_task_that_was_scheduled_meanwhile_is_not_recalled(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository)
    assert await repository.defer(claim.lease, timedelta(minutes=1))
    change = TaskChange(
        fields=frozenset({Changeable.SCHEDULED_FOR}), scheduled_for=datetime.now(UTC) + timedelta(hours=1)
    )
    await SqlTaskCatalogue(database).change(claim.lease.task_id, change)
    assert not await repository.recall(claim.lease)


async def test_history_says_why_a_task_was_deferred(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    assert await repository.defer(claim.lease, timedelta(seconds=1))
    task = await repository.get(claim.lease.task_id)
    line = task.history[-1]
    assert (task.status, line.status, line.cause) == (TaskStatus.PENDING, TaskStatus.PENDING, "machine_busy")
    assert (line.attempt, line.lease_token, line.worker_id) == (1, claim.lease.token, WORKER)
    assert line.duration_seconds is not None
    assert line.notes is not None
    assert line.notes.endswith("waits for programs that run now")


async def test_history_says_that_a_task_was_too_long_for_now(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository, max_attempts=1)
    assert await repository.defer(claim.lease, timedelta(), "long_program")
    assert await repository.defer(claim.lease, timedelta(), "long_program"), "a repeat finds its own doing"
    task = await repository.get(claim.lease.task_id)
    line = task.history[-1]
    assert (task.status, line.status, line.cause) == (TaskStatus.PENDING, TaskStatus.PENDING, "long_program")
    assert line.notes is not None
    assert line.notes.endswith("it is long and all slots are occupied; queued again")
    again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
    assert again is not None
    assert await repository.finish(again.lease, RESULT)


async def test_deferring_spends_no_attempt(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository, max_attempts=1)
    for _ in range(5):
        assert await repository.defer(claim.lease, timedelta())
        again = await repository.claim(claim.lease.task_id, WORKER, LEASE)
        assert again is not None
        claim = again
    assert await repository.finish(claim.lease, RESULT)


async def test_new_task_is_due_once(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    [dispatch] = await repository.take_due(10)
    assert (dispatch.task_id, dispatch.correlation_id, dispatch.trace_context) == (
        new.task_id,
        new.correlation_id,
        new.trace_context,
    )
    assert await repository.take_due(10) == []


async def test_task_stored_as_taken_is_due_again_only_later(repository: SqlTaskRepository, database: Database) -> None:
    new = submission()
    await repository.add(new, taken=True)
    assert (await repository.take_due(10), await repository.count_dispatched()) == ([], {SIMULATIONS: 1})
    assert 55 < await seconds_until_due(database, new.task_id) <= 60
    await move_back(database, new.task_id, "dispatch_due_at", 1)
    [dispatch] = await repository.take_overdue(10, by=timedelta())
    assert dispatch.task_id == new.task_id
    assert 115 < await seconds_until_due(database, new.task_id) <= 120


async def test_due_tasks_come_oldest_first_and_limited(repository: SqlTaskRepository, database: Database) -> None:
    ids = []
    for age in (10, 30, 20):
        new = submission()
        await repository.add(new)
        await move_back(database, new.task_id, "dispatch_due_at", age)
        await move_back(database, new.task_id, "available_at", age)
        ids.append(new.task_id)
    assert [dispatch.task_id for dispatch in await repository.take_due(2)] == [ids[1], ids[2]]
    assert [dispatch.task_id for dispatch in await repository.take_due(2)] == [ids[0]]


async def test_concurrent_dispatchers_take_disjoint_tasks(repository: SqlTaskRepository) -> None:
    expected = set()
    for _ in range(20):
        new = submission()
        await repository.add(new)
        expected.add(new.task_id)
    batches = await asyncio.gather(*(repository.take_due(6) for _ in range(5)))
    taken = [dispatch.task_id for batch in batches for dispatch in batch]
    assert len(taken) == len(set(taken))
    taken += [dispatch.task_id for dispatch in await repository.take_due(20)]
    assert set(taken) == expected


async def test_lost_message_is_dispatched_again_at_growing_intervals(
    repository: SqlTaskRepository, database: Database
) -> None:
    intervals = iter((60, 120, 240))
    new = submission()
    await repository.add(new)
    for taking in (repository.take_due(10), *(repository.take_overdue(10, by=timedelta()) for _ in range(2))):
        assert len(await taking) == 1
        interval = next(intervals)
        due_in = await seconds_until_due(database, new.task_id)
        assert interval - 5 < due_in <= interval
        await move_back(database, new.task_id, "dispatch_due_at", 1)
        assert await repository.take_due(10) == [], "an overdue task is not a new one"


async def seconds_until_due(database: Database, task_id: TaskId) -> float:
    def work(connection: Connection) -> datetime:
        found = connection.execute(tasks.select().where(tasks.c.task_id == task_id))
        due: datetime = found.one().dispatch_due_at
        return due

    return ((await database.read(work)) - datetime.now(UTC)).total_seconds()


async def test_postponed_task_is_due_later(repository: SqlTaskRepository, database: Database) -> None:
    new = submission()
    await repository.add(new)
    await repository.take_due(10)
    await repository.postpone([new.task_id], timedelta(seconds=2))
    assert 0 < await seconds_until_due(database, new.task_id) <= 2
    await repository.postpone([new.task_id], timedelta())
    assert len(await repository.take_due(10)) == 1


async def test_overdue_tasks_can_be_told_by_how_long(repository: SqlTaskRepository, database: Database) -> None:
    new = submission()
    await repository.add(new)
    await repository.take_due(10)
    assert await repository.count_dispatched() == {SIMULATIONS: 1}
    await move_back(database, new.task_id, "dispatch_due_at", 60)
    assert await repository.take_overdue(10, by=timedelta(seconds=120)) == []
    assert len(await repository.take_overdue(10, by=timedelta(seconds=30))) == 1


async def test_claimed_task_is_not_counted_as_dispatched(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    assert (await repository.count_dispatched(), await repository.count_pending(10)) == ({}, 1)
    await repository.take_due(10)
    assert await repository.count_dispatched() == {SIMULATIONS: 1}
    await repository.claim(new.task_id, WORKER, LEASE)
    assert (await repository.count_dispatched(), await repository.count_pending(10)) == ({}, 0)


async def test_pending_tasks_are_counted_no_further_than_asked(repository: SqlTaskRepository) -> None:
    for _ in range(5):
        await repository.add(submission())
    assert await repository.count_pending(3) == 3
    assert await repository.count_pending(100) == 5


async def test_crashed_attempt_is_tried_again_after_a_backoff(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository)
    assert await repository.retry(claim.lease, CRASH, crashed=True) is TaskStatus.PENDING
    task_id = claim.lease.task_id
    line = (await repository.get(task_id)).history[-1]
    assert (line.cause, line.attempt, line.worker_id) == ("simulation_error", 1, WORKER)
    assert line.duration_seconds is not None
    assert await repository.claim(task_id, WORKER, LEASE) is None, "the backoff has not passed"
    assert 0 < await seconds_until_due(database, task_id) <= 5 * 1.25
    await move_back(database, task_id, "available_at", 1)
    again = await repository.claim(task_id, WORKER, LEASE)
    assert again is not None
    assert await repository.retry(again.lease, CRASH, crashed=True) is TaskStatus.PENDING
    assert 5 * 1.25 < await seconds_until_due(database, task_id) <= 10 * 1.25, "the backoff doubles"


async def test_crash_budget_is_smaller_than_that_of_attempts(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository, max_attempts=100)
    task_id = claim.lease.task_id
    for crash in range(1, repository.retry_policy.max_crashes + 1):
        status = await repository.retry(claim.lease, CRASH, crashed=True)
        if crash < repository.retry_policy.max_crashes:
            await move_back(database, task_id, "available_at", 1)
            again = await repository.claim(task_id, WORKER, LEASE)
            assert again is not None
            claim = again
    assert status is TaskStatus.FAILED
    failure = (await repository.get(task_id)).failure
    assert failure is not None
    assert (failure.code, CRASH.message in failure.message) == (FailureCode.WORKER_LOST, True)


async def test_other_retries_end_with_their_own_code(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository, max_attempts=1)
    assert await repository.retry(claim.lease, CRASH, crashed=False) is TaskStatus.FAILED
    failure = (await repository.get(claim.lease.task_id)).failure
    assert failure is not None
    assert failure.code is FailureCode.SIMULATION_ERROR


async def test_pending_task_is_cancelled_at_once(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    await repository.cancel(new.task_id, TESTER)
    task = await repository.get(new.task_id)
    assert (task.status, task.completed_at is not None) == (TaskStatus.CANCELLED, True)
    assert await repository.claim(new.task_id, WORKER, LEASE) is None
    assert await repository.take_due(10) == []


async def test_cancelled_worker_is_fenced_off(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    await repository.cancel(claim.lease.task_id, TESTER)
    assert not await repository.renew(claim.lease, LEASE)
    assert not await repository.finish(claim.lease, RESULT)
    task = await repository.get(claim.lease.task_id)
    assert (task.status, task.counts) == (TaskStatus.CANCELLED, None)
    assert (task.history[-1].attempt, task.history[-1].cause) == (1, "cancelled")
    assert await repository.reap(10) == []


async def test_ended_task_cannot_be_cancelled(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    await repository.finish(claim.lease, RESULT)
    with pytest.raises(TaskEnded) as rejection:
        await repository.cancel(claim.lease.task_id, TESTER)
    assert rejection.value.status is TaskStatus.COMPLETED
    with pytest.raises(TaskNotFound):
        await repository.cancel(TaskId(uuid4()), TESTER)


async def test_racing_finish_and_cancel_yield_one_of_them(repository: SqlTaskRepository) -> None:
    for _ in range(10):
        claim = await claimed(repository)
        finished, cancelled = await asyncio.gather(
            repository.finish(claim.lease, RESULT),
            repository.cancel(claim.lease.task_id, TESTER),
            return_exceptions=True,
        )
        task = await repository.get(claim.lease.task_id)
        assert (finished is True) != (cancelled is None)
        assert task.status is (TaskStatus.COMPLETED if finished is True else TaskStatus.CANCELLED)
        assert sum(change.status.terminal for change in task.history) == 1


async def test_same_key_and_body_give_the_same_task(repository: SqlTaskRepository) -> None:
    key = IdempotencyKey(key="k-1", fingerprint="body")
    first = await repository.add(submission(key=key))
    again = await repository.add(submission(key=key))
    assert (again.task_id, again.submitted_at, again.repeated) == (first.task_id, first.submitted_at, True)
    assert await repository.count_pending(10) == 1


async def test_repeated_transaction_is_not_a_repeated_submission(repository: SqlTaskRepository) -> None:
    new = submission(key=IdempotencyKey(key="k-2", fingerprint="body"))
    first = await repository.add(new)
    assert await repository.add(new) == first


async def test_same_key_and_another_body_are_rejected(repository: SqlTaskRepository) -> None:
    await repository.add(submission(key=IdempotencyKey(key="k-3", fingerprint="body")))
    with pytest.raises(IdempotencyKeyReused):
        await repository.add(submission(key=IdempotencyKey(key="k-3", fingerprint="other")))
    assert await repository.count_pending(10) == 1


async def test_concurrent_duplicates_create_one_task(repository: SqlTaskRepository) -> None:
    key = IdempotencyKey(key="k-4", fingerprint="body")
    accepted = await asyncio.gather(*(repository.add(submission(key=key)) for _ in range(8)))
    assert len({one.task_id for one in accepted}) == 1
    assert sum(not one.repeated for one in accepted) == 1
    assert await repository.count_pending(10) == 1


async def test_expired_key_is_free_again(repository: SqlTaskRepository, database: Database) -> None:
    first = await repository.add(submission(key=IdempotencyKey(key="k-5", fingerprint="body")))

    def expire(connection: Connection) -> None:
        connection.execute(update(idempotency_keys).values(expires_at=from_now(-1)))

    await database.write(expire)
    second = await repository.add(submission(key=IdempotencyKey(key="k-5", fingerprint="other")))
    assert (second.task_id == first.task_id, second.repeated) == (False, False)
    assert await repository.delete_expired_keys(10) == 0
    await database.write(expire)
    assert await repository.delete_expired_keys(10) == 1


async def test_key_of_a_task_deleted_by_hand_is_free_again(repository: SqlTaskRepository, database: Database) -> None:
    key = IdempotencyKey(key="k-6", fingerprint="body")
    await repository.add(submission(key=key))

    def work(connection: Connection) -> None:
        connection.execute(text("DELETE FROM status_history"))
        connection.execute(text("DELETE FROM tasks"))

    await database.write(work)
    assert not (await repository.add(submission(key=key))).repeated
    assert (await repository.add(submission(key=key))).repeated


class RepeatingDatabase(Database):
    """Runs every write twice, as after a COMMIT whose answer was lost, and gives what the repeat gave."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._transactions, database.dialect)

    async def write(self, work: Callable[[Connection], T]) -> T:
        await super().write(work)
        return await super().write(work)

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        await super().autocommit(work)
        return await super().autocommit(work)

    async def urgent(self, work: Callable[[Connection], T]) -> T:
        await super().urgent(work)
        return await super().urgent(work)


@pytest.fixture
def repeating(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(RepeatingDatabase(database))


async def test_repeated_claim_is_the_same_claim(repeating: SqlTaskRepository) -> None:
    claim = await claimed(repeating)
    assert (claim.lease.attempt, claim.spec.shots, claim.correlation_id) == (1, 10, "corr-1")
    task = await repeating.get(claim.lease.task_id)
    assert [change.status for change in task.history] == [TaskStatus.PENDING, TaskStatus.PROCESSING]
    assert await repeating.renew(claim.lease, LEASE)


async def test_repeated_outcomes_are_known_for_their_own(repeating: SqlTaskRepository) -> None:
    finished, failed, released, deferred, retried, cancelled = [await claimed(repeating) for _ in range(6)]
    assert await repeating.finish(finished.lease, RESULT)
    assert await repeating.fail(failed.lease, FAILURE)
    assert await repeating.release(released.lease)
    assert await repeating.defer(deferred.lease, timedelta(seconds=1))
    assert await repeating.retry(retried.lease, CRASH, crashed=True) is TaskStatus.PENDING
    await repeating.cancel(cancelled.lease.task_id, TESTER)
    for claim in (finished, failed, released, deferred, retried, cancelled):
        assert len((await repeating.get(claim.lease.task_id)).history) == 3


async def test_reaped_task_is_not_taken_for_ones_own_doing(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    await move_back(database, claim.lease.task_id, "lease_expires_at", 1)
    await repository.reap(1)
    assert not await repository.release(claim.lease)
    assert not await repository.defer(claim.lease, timedelta())
    assert await repository.retry(claim.lease, CRASH, crashed=True) is None


async def test_task_lost_for_good_is_not_taken_for_ones_own_failure(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository, max_attempts=1)
    await move_back(database, claim.lease.task_id, "lease_expires_at", 1)
    [reaped] = await repository.reap(1)
    assert reaped.status is TaskStatus.FAILED
    assert not await repository.fail(claim.lease, FAILURE)
    assert not await repository.finish(claim.lease, RESULT)


async def test_claimed_task_is_never_due(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    await repository.postpone([claim.lease.task_id], timedelta())
    assert await repository.take_due(10) == []


async def test_start_afresh_frees_what_the_last_process_held(repository: SqlTaskRepository) -> None:
    claim = await claimed(repository)
    sent = submission()
    await repository.add(sent)
    await repository.take_due(10)
    await repository.start_afresh()
    assert [reaped.task_id for reaped in await repository.reap(10)] == [claim.lease.task_id]
    due = {dispatch.task_id for dispatch in await repository.take_due(10)}
    assert due == {sent.task_id, claim.lease.task_id}


async def test_cancelled_call_leaves_the_database_usable(repository: SqlTaskRepository) -> None:
    for _ in range(20):
        adding = asyncio.create_task(repository.add(submission()))
        await asyncio.sleep(0)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
    await repository.ping()
    new = submission()
    await repository.add(new)
    assert (await repository.get(new.task_id)).status is TaskStatus.PENDING


async def test_rows_can_be_deleted_by_hand_history_first(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)

    def work(connection: Connection) -> None:
        connection.execute(text("DELETE FROM status_history"))
        connection.execute(text("DELETE FROM tasks"))

    await database.write(work)
    with pytest.raises(TaskNotFound):
        await repository.get(claim.lease.task_id)
    assert not await repository.finish(claim.lease, RESULT)


def test_terminal_statuses_allow_no_move() -> None:
    terminal = {status for status, moves in LEGAL_MOVES.items() if not moves}
    assert terminal == {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}


async def test_history_is_given_from_a_line_on(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    task_id = claim.lease.task_id
    created, started = await repository.history(task_id, 0)
    assert (created.status, started.status) == (TaskStatus.PENDING, TaskStatus.PROCESSING)
    assert created.line_id < started.line_id
    assert await repository.history(task_id, created.line_id) == (started,)
    assert await repository.history(task_id, started.line_id) == ()
    assert (await repository.get(task_id)).history == (created, started)


async def test_unknown_task_has_no_history(repository: SqlTaskRepository) -> None:
    with pytest.raises(TaskNotFound):
        await repository.history(TaskId(uuid4()), 0)


async def test_standings_are_of_those_that_exist(repository: SqlTaskRepository) -> None:
    running, waiting = (await claimed(repository)).lease.task_id, (await repository.add(submission())).task_id
    strangers = [TaskId(uuid4()) for _ in range(2500)]
    assert await repository.statuses([*strangers, running, waiting]) == {
        running: (TaskStatus.PROCESSING, 1),
        waiting: (TaskStatus.PENDING, 0),
    }


class Overheard:
    def __init__(self) -> None:
        self.changes: list[Change] = []

    def notify(self, *changes: Change) -> None:
        self.changes += changes


async def test_every_change_is_announced(database: Database) -> None:
    ear = Overheard()
    repository = SqlTaskRepository(database, retry_policy=RetryPolicy(delay=timedelta()), notifier=ear)
    told: list[tuple[TaskId, list[TaskStatus]]] = []
    for end in ("finish", "fail", "release", "defer", "retry", "cancel", "reap"):
        ear.changes.clear()
        task_id = (await repository.add(submission())).task_id
        lease = timedelta(seconds=-1) if end == "reap" else LEASE
        claim = await repository.claim(task_id, WORKER, lease)
        assert claim is not None
        match end:
            case "finish":
                assert await repository.finish(claim.lease, RESULT)
            case "fail":
                assert await repository.fail(claim.lease, FAILURE)
            case "release":
                assert await repository.release(claim.lease)
            case "defer":
                assert await repository.defer(claim.lease, timedelta(seconds=1))
            case "retry":
                await repository.retry(claim.lease, CRASH, crashed=True)
            case "cancel":
                await repository.cancel(task_id, TESTER)
            case "reap":
                assert await repository.reap(10)
        assert {change.task_id for change in ear.changes} == {task_id}
        lines = [line.status for line in (await repository.get(task_id)).history]
        assert [change.status for change in ear.changes] == lines, end
        told.append((task_id, lines))
    assert len(told) == 7


async def test_what_changed_nothing_is_not_announced(database: Database) -> None:
    ear = Overheard()
    repository = SqlTaskRepository(database, notifier=ear)
    key = IdempotencyKey(key="k", fingerprint="f")
    task_id = (await repository.add(submission(key=key))).task_id
    claim = await repository.claim(task_id, WORKER, LEASE)
    assert claim is not None
    assert await repository.finish(claim.lease, RESULT)
    ear.changes.clear()
    await repository.add(submission(key=key))
    assert await repository.claim(task_id, WORKER, LEASE) is None
    stale = replace(claim.lease, attempt=7)
    assert not await repository.finish(stale, RESULT)
    assert not await repository.fail(stale, FAILURE)
    assert not await repository.release(stale)
    assert not await repository.defer(stale, timedelta())
    assert await repository.retry(stale, CRASH, crashed=True) is None
    with pytest.raises(TaskEnded):
        await repository.cancel(task_id, TESTER)
    assert await repository.reap(10) == []
    assert ear.changes == []


async def test_batch_is_stored_in_order_and_is_due(repository: SqlTaskRepository) -> None:
    batch = [respecified(submission(), shots=number + 1) for number in range(150)]
    accepted = await repository.add_all(batch)
    assert [one.task_id for one in accepted] == [one.task_id for one in batch]
    assert len({one.submitted_at for one in accepted}) <= len(batch)
    first, last = await repository.get(batch[0].task_id), await repository.get(batch[-1].task_id)
    assert (first.shots, last.shots) == (1, 150)
    assert [line.status for line in last.history] == [TaskStatus.PENDING]
    assert {one.task_id for one in await repository.take_due(1000)} == {one.task_id for one in batch}


async def test_batch_with_a_key_that_names_something_else_stores_nothing(repository: SqlTaskRepository) -> None:
    await repository.add(submission(key=IdempotencyKey(key="b 1", fingerprint="other")))
    batch = [submission(key=IdempotencyKey(key=f"b {number}", fingerprint="whole")) for number in range(3)]
    with pytest.raises(IdempotencyKeyReused):
        await repository.add_all(batch)
    for one in batch:
        with pytest.raises(TaskNotFound):
            await repository.get(one.task_id)
    free = await repository.add(submission(key=IdempotencyKey(key="b 0", fingerprint="new")))
    assert not free.repeated, "the keys of the batch were not bound either"


async def test_repeated_batch_gives_what_the_first_made(repository: SqlTaskRepository) -> None:
    def batch() -> list[Submission]:
        return [submission(key=IdempotencyKey(key=f"b {number}", fingerprint="whole")) for number in range(5)]

    first = await repository.add_all(batch())
    again = await repository.add_all(batch())
    assert [one.repeated for one in first] == [False] * 5
    assert again == [replace(one, repeated=True) for one in first]


async def test_batch_that_is_repeated_after_an_uncertain_commit_is_the_same(repository: SqlTaskRepository) -> None:
    batch = [submission(), submission(key=IdempotencyKey(key="k", fingerprint="f"))]
    assert await repository.add_all(batch) == await repository.add_all(batch)


async def test_of_concurrent_batches_under_one_key_one_makes_the_tasks(repository: SqlTaskRepository) -> None:
    batches = [
        [submission(key=IdempotencyKey(key=f"b {number}", fingerprint="whole")) for number in range(20)]
        for _ in range(5)
    ]
    responses = await asyncio.gather(*map(repository.add_all, batches))
    assert len({tuple(one.task_id for one in response) for response in responses}) == 1
    assert sum(not one.repeated for response in responses for one in response) == 20
