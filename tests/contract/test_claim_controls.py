"""What `ClaimControls` promises, on PostgreSQL and SQLite: pauses, and the drains of workers."""

from datetime import timedelta

import pytest

from ketline.db.audit import SqlAuditLog
from ketline.db.claim_controls import SqlClaimControls
from ketline.db.engine.database import Database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.claim_stops import EVERY_QUEUE, ClaimStops, parse_pause_scope
from ketline.domain.attempts.worker import WorkerCondition, WorkerIdentity
from ketline.domain.errors import WorkerUnknown
from ketline.domain.ids import WorkerId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from tests.actors import TESTER
from tests.contract.test_inspection import silent_for
from tests.contract.test_repository import LEASE, submission

LIFETIME = timedelta(seconds=15)
ONE = WorkerIdentity(worker_id=WorkerId("worker-1"), slots=2, version="1.0")
CONVERT = parse_pause_scope("convert")
RUN = parse_pause_scope("run")
BACKEND = TaskQueue(TaskKind.RUN, "braket-local")


@pytest.fixture
def controls(database: Database) -> SqlClaimControls:
    return SqlClaimControls(database)


@pytest.fixture
def registry(database: Database) -> SqlWorkerRegistry:
    return SqlWorkerRegistry(database)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


async def actions(database: Database) -> list[tuple[str, str | None, str | None]]:
    """The recorded actions with target and notes, the oldest first."""
    entries = (await SqlAuditLog(database).find(None, None, 100)).entries
    return [(str(one.record.action), one.record.target, one.record.notes) for one in entries][::-1]


async def test_pause_stops_the_claims_of_its_queues_until_it_is_removed(controls: SqlClaimControls) -> None:
    await controls.pause(RUN, None, TESTER)
    stops = await controls.stops_of(ONE.worker_id, None)
    assert [stops.allows(queue) for queue in (SIMULATIONS, CONVERSIONS, BACKEND)] == [True, True, False]
    await controls.pause(EVERY_QUEUE, "disk is full", TESTER)
    stops = await controls.stops_of(ONE.worker_id, None)
    assert [stops.allows(queue) for queue in (SIMULATIONS, CONVERSIONS, BACKEND)] == [False] * 3
    assert [(one.scope, one.reason, one.owner) for one in await controls.pauses()] == [
        ("all", "disk is full", "tester"),
        ("run", None, "tester"),
    ]
    assert await controls.resume(None, TESTER) == ["all", "run"]
    assert await controls.stops_of(ONE.worker_id, None) == ClaimStops()


async def test_pausing_again_keeps_the_start_and_records_only_what_changed(
    controls: SqlClaimControls, database: Database
) -> None:
    await controls.pause(CONVERT, None, TESTER)
    [first] = await controls.pauses()
    await controls.pause(CONVERT, "library upgrade", TESTER)
    await controls.pause(CONVERT, "library upgrade", TESTER)
    await controls.pause(CONVERT, None, TESTER)
    [second] = await controls.pauses()
    assert (second.since, second.reason) == (first.since, "library upgrade")
    assert await controls.resume(CONVERT, TESTER) == ["convert"]
    assert await controls.resume(CONVERT, TESTER) == []
    assert await actions(database) == [
        ("claims.paused", "convert", None),
        ("claims.paused", "convert", "library upgrade"),
        ("claims.resumed", "convert", None),
    ]


async def test_no_message_of_a_paused_queue_counts_as_lost(
    controls: SqlClaimControls, repository: SqlTaskRepository
) -> None:
    await repository.add(submission(), taken=True)
    assert await repository.count_dispatched() == {SIMULATIONS: 1}
    await controls.pause(parse_pause_scope("simulate"), None, TESTER)
    assert await repository.count_dispatched() == {}


async def test_worker_is_drained_once_it_holds_no_task(
    controls: SqlClaimControls, registry: SqlWorkerRegistry, repository: SqlTaskRepository, database: Database
) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME, WorkerCondition(ready_slots=2))
    new = submission()
    await repository.add(new, taken=True)
    claim = await repository.claim(new.task_id, ONE.worker_id, LEASE)
    assert claim is not None
    drain = await controls.drain(ONE.worker_id, TESTER)
    assert (drain.tasks, drain.drained_at) == (1, None)
    assert not await controls.record_drained(ONE.worker_id)
    assert await repository.release(claim.lease)
    assert await controls.record_drained(ONE.worker_id)
    await registry.beat(ONE, started_at, LIFETIME, WorkerCondition(ready_slots=2))
    [worker] = await registry.live()
    assert worker.condition is not None
    assert worker.condition.draining_since == drain.draining_since
    assert worker.drained_at is not None
    stops = await controls.stops_of(ONE.worker_id, None)
    assert (stops.allows(SIMULATIONS), stops.drained) == (False, True)
    assert await controls.drain(ONE.worker_id, TESTER) == await controls.drain_of(ONE.worker_id)
    ended = await controls.end_drain(ONE.worker_id, TESTER)
    assert (ended.draining_since, ended.drained_at) == (None, None)
    assert (await controls.stops_of(ONE.worker_id, drain.draining_since)).allows(SIMULATIONS)
    assert await actions(database) == [
        ("worker.drain_started", "worker-1", None),
        ("worker.drain_ended", "worker-1", None),
    ]


async def test_process_that_starts_anew_under_the_id_is_not_drained(
    controls: SqlClaimControls, registry: SqlWorkerRegistry
) -> None:
    await registry.beat(ONE, None, LIFETIME)
    await controls.drain(ONE.worker_id, TESTER)
    await controls.record_drained(ONE.worker_id)
    await registry.beat(ONE, None, LIFETIME)
    drain = await controls.drain_of(ONE.worker_id)
    assert drain is not None
    assert (drain.draining_since, drain.drained_at) == (None, None)


async def test_worker_whose_heartbeats_failed_is_still_drained(
    controls: SqlClaimControls, registry: SqlWorkerRegistry, database: Database
) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME)
    since = (await controls.drain(ONE.worker_id, TESTER)).draining_since
    await silent_for(database, ONE, 3600)
    assert await registry.remove_lost(timedelta(minutes=1)) == 1
    assert (await controls.stops_of(ONE.worker_id, since)).draining_since == since
    await registry.beat(ONE, started_at, LIFETIME, WorkerCondition(ready_slots=2, draining_since=since))
    assert (await controls.stops_of(ONE.worker_id, since)).draining_since == since


async def test_drain_of_a_worker_that_is_not_live_is_rejected(
    controls: SqlClaimControls, registry: SqlWorkerRegistry, database: Database
) -> None:
    with pytest.raises(WorkerUnknown, match="'worker-1'"):
        await controls.drain(ONE.worker_id, TESTER)
    await registry.beat(ONE, None, LIFETIME)
    await silent_for(database, ONE, 60)
    with pytest.raises(WorkerUnknown):
        await controls.end_drain(ONE.worker_id, TESTER)
    assert await controls.drain_of(ONE.worker_id) is None
    assert await actions(database) == []


@pytest.mark.parametrize("text", ["", "everything", "run.", "run.a b", "simulate.x", "all "])
def test_other_names_are_no_scopes(text: str) -> None:
    with pytest.raises(ValueError, match="write all, simulate, convert, run"):
        parse_pause_scope(text)
