"""The repository of tasks on PostgreSQL and SQLite: each method is one transaction of statements."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4

from sqlalchemy import Connection, Row, Update, delete, select

from ketline.db.audit import write_entry
from ketline.db.engine.database import Database
from ketline.db.notify.notifications import NullNotifier
from ketline.db.schema.columns import attempt_columns, failure_columns, result_columns
from ketline.db.schema.rows import to_changes, to_dispatch, to_task
from ketline.db.schema.tables import workers
from ketline.db.tasks import dispatch, hold, insert, leases, queries, remote, statements
from ketline.db.tasks.attempts import (
    ClaimRequest,
    FinishRequest,
    claim_all,
    claim_another,
    claim_others,
    fail_all,
    finish_all,
    recorded_before,
)
from ketline.db.tasks.health import write_check
from ketline.db.tasks.quotas import check_limited, store_limited
from ketline.db.tasks.shared_queues import SharedQueues
from ketline.db.tasks.statements import write_line
from ketline.db.tasks.submissions import InsertRequest, store, store_all, store_new
from ketline.domain.access.audit import Action, Actor, task_record
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.access.quotas import UNLIMITED, ProjectQuotas
from ketline.domain.attempts.claim import Claim, Dispatch, Lease, Reaped
from ketline.domain.attempts.claim_stops import covers
from ketline.domain.attempts.leases import NOW, Expiry, LeaseSurvey
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import (
    BackendUnavailable,
    LongProgram,
    MachineBusy,
    NoFreeSlot,
    SimulatorNotStarted,
    TaskEnded,
    TaskNotFound,
    TaskNotHeld,
)
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import LeaseToken, TaskId, WorkerId
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.remote_job import JobToCancel, RemoteJob
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.domain.tasks.task import Change, StatusChange, Task
from ketline.ports.tasks.notifier import Notifier

WORKER_STOPPED = "worker_stopped"
# The notes in the history for each cause of a deferral.
NOT_BEGUN = {
    MachineBusy.code: "waits for programs that run now",
    NoFreeSlot.code: "no slot came free in time; queued again",
    LongProgram.code: "it is long and all slots are occupied; queued again",
    BackendUnavailable.code: "the backend takes no jobs now; queued again",
    SimulatorNotStarted.cause: "the worker has no simulator; queued again",
}
# SQLite and the driver of PostgreSQL take some ten thousand parameters.
MAX_IN_A_LIST = 1000

UNBOUNDED_BYTES = 2**62


@dataclass(frozen=True, slots=True)
class SqlTaskRepository:
    """Implements every port of `ports.repositories`; `redispatch` is the first interval between dispatches, which
    doubles. `default_quotas` apply where a project has none of its own.

    Clients submit, read and change the tasks of `project` only. Workers and upkeep see all tasks.
    """

    database: Database
    redispatch: timedelta = timedelta(seconds=30)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    key_lifetime: timedelta = timedelta(hours=24)
    notifier: Notifier = field(default_factory=NullNotifier)
    default_quotas: ProjectQuotas = UNLIMITED
    project: ProjectName = DEFAULT_PROJECT
    shared_queues: SharedQueues = field(default_factory=SharedQueues)

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def add(self, submission: Submission, *, taken: bool = False, limited: bool = False) -> Accepted:
        at_once = submission.spec.scheduled_for is None and not submission.spec.hold
        taken = taken and at_once  # guard: schedule.stored
        due_in = self.redispatch if taken else timedelta()
        request = self._request(submission, due_in=due_in, dispatches=int(taken))
        if limited:
            [accepted] = await self._store_limited([request])
        else:
            accepted = await self._store(request)
        if not accepted.repeated:
            self._notify(accepted.task_id, TaskStatus.PENDING)
        return accepted

    async def add_all(self, submissions: Sequence[Submission], *, limited: bool = False) -> Sequence[Accepted]:
        requests = [self._request(submission) for submission in submissions]
        if limited:
            stored = await self._store_limited(requests)
        else:
            stored = await self.database.write(lambda connection: store_all(connection, requests))
        new = [accepted.task_id for accepted in stored if not accepted.repeated]
        self.notifier.notify(*(Change(task_id=task_id, status=TaskStatus.PENDING) for task_id in new))
        return stored

    async def require_room(self, submissions: Sequence[Submission]) -> None:
        requests = [self._request(submission) for submission in submissions]
        await self.database.read(lambda connection: check_limited(connection, requests, self.default_quotas))

    async def get(self, task_id: TaskId, most_result_bytes: int | None = None) -> Task:
        most = UNBOUNDED_BYTES if most_result_bytes is None else most_result_bytes
        parameters = {"bound_task_id": task_id, "bound_project": self.project, "bound_most_bytes": most}

        def work(connection: Connection) -> Sequence[Any]:
            return queries.select_task().run(connection, parameters)

        rows = await self.database.read(work)
        if not rows:
            raise _not_found(task_id)
        return to_task(rows)

    async def result_text(self, task_id: TaskId) -> str:
        statement = queries.select_result_text(task_id, self.project)
        text = await self.database.read(lambda connection: connection.execute(statement).scalar_one_or_none())
        if text is None:
            raise _not_found(task_id)
        return str(text)

    async def history(self, task_id: TaskId, after: int) -> Sequence[StatusChange]:
        values = {"bound_task_id": task_id, "bound_project": self.project, "bound_after": after}
        rows = await self.database.read(lambda connection: connection.execute(queries.select_lines(), values).all())
        if not rows:
            raise _not_found(task_id)
        return to_changes(rows)

    async def statuses(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        def work(connection: Connection) -> Mapping[TaskId, tuple[TaskStatus, int]]:
            some = [task_ids[start : start + MAX_IN_A_LIST] for start in range(0, len(task_ids), MAX_IN_A_LIST)]
            rows = [row for ids in some for row in connection.execute(queries.select_statuses(ids))]
            return {TaskId(row.task_id): (row.current_status, row.attempt) for row in rows}

        return await self.database.read(work)

    async def claim(
        self, task_id: TaskId, worker_id: WorkerId, lease: timedelta, queue: TaskQueue = SIMULATIONS
    ) -> Claim | None:
        request = _claim_request(task_id, worker_id, lease, queue)
        # On a queue that projects share, the task that a message names is seldom the one in turn.
        shared = queue in self.shared_queues
        claim = None if shared else await self.database.batched(claim_all, request)
        if claim is None:
            claim = await self._claim_in_turn(request, shared=shared)  # guard: claim.another
        if claim is None and shared:
            claim = await self.database.batched(claim_all, request)
            if claim is None:  # or it was claimed in a COMMIT whose response was lost
                claim = await self._claim_another(request)
        return self._notify_claim(claim)

    async def claim_short(self, task_id: TaskId, worker_id: WorkerId, lease: timedelta) -> Claim | None:
        request = _claim_request(task_id, worker_id, lease)
        return self._notify_claim(await self._claim_another(request, short=True))

    async def renew(self, lease: Lease, duration: timedelta) -> bool:
        values = {"task_id": lease.task_id, "attempt": lease.attempt, "token": lease.token}
        parameters = statements.RENEW_PARAMETERS.parameters({**values, "lease_seconds": duration.total_seconds()})

        def work(connection: Connection) -> bool:
            return statements.renew_lease().one(connection, parameters) is not None

        return await self.database.urgent(work)

    async def finish(self, lease: Lease, result: RunResult) -> bool:
        request = FinishRequest(lease=lease, columns=result_columns(result), notes="Task completed successfully")
        return self._notify_if(await self.database.batched(finish_all, request), lease, TaskStatus.COMPLETED)

    async def fail(self, lease: Lease, failure: Failure) -> bool:
        notes = f"Task failed: {failure.code}"
        request = FinishRequest(lease=lease, columns=failure_columns(failure), notes=notes, cause=failure.code.value)
        return self._notify_if(await self.database.batched(fail_all, request), lease, TaskStatus.FAILED)

    async def release(self, lease: Lease) -> bool:
        how = "the worker stopped; queued again"
        return await self._hand_back(statements.release_task(lease), lease, WORKER_STOPPED, how)

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        deferring = statements.defer_task(lease, delay, is_long=cause == LongProgram.code)
        return await self._hand_back(deferring, lease, cause, NOT_BEGUN[cause])

    async def recall(self, lease: Lease) -> bool:
        def work(connection: Connection) -> bool:
            return connection.execute(statements.recall_task(lease)).one_or_none() is not None

        return await self.database.write(work)

    async def retry(self, lease: Lease, failure: Failure, *, crashed: bool) -> TaskStatus | None:
        statement = statements.retry_task(lease, failure, self.retry_policy, crashed=crashed)

        def work(connection: Connection) -> TaskStatus | None:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return recorded_before(connection, lease, failure.code)
            status: TaskStatus = row.current_status
            duration = row.at - row.claimed_at
            notes = _ended(lease.attempt, lease.worker_id, duration, f"{failure.message}; {_next(status)}")
            columns = attempt_columns(lease, duration, failure.code)
            write_line(connection, lease.task_id, status, row.at, notes, **columns)
            return status

        status = await self.database.write(work)
        if status is not None:
            self._notify(lease.task_id, status)
        return status

    async def cancel(self, task_id: TaskId, actor: Actor) -> None:
        record = task_record(Action.TASK_CANCELLED, actor, self.project, task_id)
        runs = itertools.count()

        def work(connection: Connection) -> TaskStatus | None:
            repeated = next(runs) > 0
            row = connection.execute(statements.lock_task(task_id, self.project)).one_or_none()
            if row is None:
                raise _not_found(task_id)
            status: TaskStatus = row.current_status
            if status.terminal:  # guard: cancel.ended
                # If a repeated transaction finds the task cancelled, its first run may have cancelled it.
                return None if repeated and status is TaskStatus.CANCELLED else status  # guard: cancel.own
            at = connection.execute(statements.cancel_task(task_id)).one().at
            columns = _interrupted(task_id, row, at) if status is TaskStatus.PROCESSING else {}
            write_line(connection, task_id, TaskStatus.CANCELLED, at, "Task cancelled on request", **columns)
            write_entry(connection, record)
            return None

        ended = await self.database.write(work)
        if ended is not None:
            raise TaskEnded(f"Task {task_id} is {ended}: there is nothing left to cancel.", status=ended)
        self._notify(task_id, TaskStatus.CANCELLED)

    async def enqueue(self, task_id: TaskId) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(hold.release(task_id, self.project)).one_or_none() is None:
                _require_released(task_id, connection.execute(hold.select_hold(task_id, self.project)).one_or_none())

        await self.database.write(work)
        self._notify(task_id, TaskStatus.PENDING)

    async def record_job(self, lease: Lease, job: RemoteJob | None) -> bool:
        def work(connection: Connection) -> bool:
            return connection.execute(remote.record_job(lease, job)).one_or_none() is not None

        return await self.database.write(work)

    async def jobs_to_cancel(self, backend: str, limit: int) -> Sequence[JobToCancel]:
        statement = remote.select_to_cancel(backend, limit)
        return remote.to_jobs(await self.database.read(lambda connection: connection.execute(statement).all()))

    async def end_job(self, task_id: TaskId, job: RemoteJob) -> None:
        def work(connection: Connection) -> None:
            connection.execute(remote.end_job(task_id, job))

        await self.database.write(work)

    async def count_pending(self, limit: int) -> int:
        def work(connection: Connection) -> int:
            counted: int = connection.execute(insert.count_pending(limit)).scalar_one()
            return counted

        return await self.database.read(work)

    async def take_due(self, limit: int) -> Sequence[Dispatch]:
        return await self._take(dispatch.take_due(limit, self.redispatch))

    async def take_overdue(self, limit: int, *, by: timedelta, queue: TaskQueue = SIMULATIONS) -> Sequence[Dispatch]:
        return await self._take(dispatch.take_overdue(limit, self.redispatch, by, queue))

    async def count_dispatched(self) -> Mapping[TaskQueue, int]:
        def work(connection: Connection) -> Mapping[TaskQueue, int]:
            paused = connection.execute(dispatch.select_paused()).scalars().all()
            counted = {TaskQueue.named(name): count for name, count in connection.execute(dispatch.count_dispatched())}
            return {queue: count for queue, count in counted.items() if not any(covers(one, queue) for one in paused)}

        return await self.database.read(work)

    async def postpone(self, task_ids: Sequence[TaskId], delay: timedelta) -> None:
        def work(connection: Connection) -> None:
            connection.execute(dispatch.postpone(task_ids, delay))

        if task_ids:
            await self.database.write(work)

    async def survey_leases(self, beyond: timedelta) -> LeaseSurvey:
        statement = leases.select_survey(beyond)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        distant = {LeaseToken(row.lease_token): row.lease_expires_at for row in rows if row.lease_token is not None}
        return LeaseSurvey(at=rows[0].at, distant=distant)

    async def reap(self, limit: int, expiry: Expiry = NOW) -> Sequence[Reaped]:
        reaped = await self.database.write(lambda connection: leases.reap(connection, limit, expiry, self.retry_policy))
        self.notifier.notify(*(Change(task_id=task.task_id, status=task.status) for task in reaped))
        return reaped

    async def correct_times(self) -> int:
        return await self.database.write(lambda connection: leases.correct_times(connection, self.redispatch))

    async def delete_expired_keys(self, limit: int) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(insert.delete_expired_keys(limit)).rowcount

        return await self.database.write(work)

    async def start_afresh(self) -> None:
        """Void every lease and make every pending task due, at the start of the one process that owns the database.

        The previous process had all workers, and the queue with the messages; both ended with it.
        """

        def work(connection: Connection) -> None:
            connection.execute(statements.expire_leases())  # guard: start.leases
            connection.execute(dispatch.make_pending_due())  # guard: start.due
            connection.execute(delete(workers))

        await self.database.write(work)

    async def ping(self) -> None:
        def work(connection: Connection) -> None:
            connection.execute(select(1))

        await self.database.read(work)

    async def check_writable(self) -> None:
        await self.database.urgent(write_check)

    async def _store_limited(self, requests: Sequence[InsertRequest]) -> list[Accepted]:
        return await self.database.write(lambda connection: store_limited(connection, requests, self.default_quotas))

    async def _store(self, request: InsertRequest) -> Accepted:
        accepted = await self.database.batched(store_new, request)
        if accepted is not None:
            return accepted
        return await self.database.write(lambda connection: store(connection, request))

    def _request(
        self, submission: Submission, *, due_in: timedelta = timedelta(), dispatches: int = 0
    ) -> InsertRequest:
        return InsertRequest(
            submission, self.project, key_lifetime=self.key_lifetime, due_in=due_in, dispatches=dispatches
        )

    def _notify(self, task_id: TaskId, status: TaskStatus) -> None:
        self.notifier.notify(Change(task_id=task_id, status=status))

    async def _claim_in_turn(self, request: ClaimRequest, *, shared: bool) -> Claim | None:
        """Claims the next task in turn, whatever the message names.

        On a `shared` queue the named task is not let overtake at once: it is likely to have its turn soon.
        """
        with self.shared_queues.overtaking(request.queue) as lost:
            request = replace(request, lost=lost, overtakes=not shared)
            claim = await self.database.gathered(claim_others, request)
        if claim is None and self.database.dialect.batches:
            claim = await self._claim_another(request)
        if claim is not None and claim.lease.task_id != request.task_id:
            self.shared_queues.note(request.queue, lost=request.task_id if shared else None)
        return claim

    async def _claim_another(self, request: ClaimRequest, *, short: bool = False) -> Claim | None:
        # guard: claim.another_transaction
        return await self.database.write(lambda connection: claim_another(connection, request, short=short))

    def _notify_claim(self, claim: Claim | None) -> Claim | None:
        if claim is not None:
            self._notify(claim.lease.task_id, TaskStatus.PROCESSING)
        return claim

    def _notify_if(self, recorded: bool, lease: Lease, status: TaskStatus) -> bool:
        if recorded:
            self._notify(lease.task_id, status)
        return recorded

    async def _hand_back(self, statement: Update, lease: Lease, cause: str, how: str) -> bool:
        """Make a task pending again, without a spent attempt."""

        def work(connection: Connection) -> bool:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return recorded_before(connection, lease, cause) is not None
            duration = row.at - row.claimed_at
            notes = _ended(lease.attempt, lease.worker_id, duration, how)
            columns = attempt_columns(lease, duration, cause)
            write_line(connection, lease.task_id, TaskStatus.PENDING, row.at, notes, **columns)
            return True

        return self._notify_if(await self.database.write(work), lease, TaskStatus.PENDING)

    async def _take(self, statement: Update) -> Sequence[Dispatch]:
        def work(connection: Connection) -> Sequence[Dispatch]:
            taken = connection.execute(statement).all()
            return [to_dispatch(row) for row in sorted(taken, key=_availability)]

        return await self.database.write(work)


def _not_found(task_id: TaskId) -> TaskNotFound:
    return TaskNotFound(f"Task {task_id} was not found; check the id.")


def _require_released(task_id: TaskId, row: Row[Any] | None) -> None:
    """Accept a task that was released before: the response to the first request may have been lost."""
    if row is None:
        raise _not_found(task_id)
    status: TaskStatus = row.current_status
    if not row.hold:
        text = f"Task {task_id} is not held: it runs without being released, and is {status} now."
        raise TaskNotHeld(text, status=status)
    if row.released_at is None:
        raise TaskEnded(f"Task {task_id} is {status}: it can be run no more; submit it again.", status=status)


def _claim_request(
    task_id: TaskId, worker_id: WorkerId, lease: timedelta, queue: TaskQueue = SIMULATIONS
) -> ClaimRequest:
    seconds, token = lease.total_seconds(), LeaseToken(uuid4())
    return ClaimRequest(task_id=task_id, queue=queue, token=token, worker_id=worker_id, lease_seconds=seconds)


def _availability(row: Row[Any]) -> datetime:
    available_at: datetime = row.available_at
    return available_at


def _ended(attempt: int, worker_id: str, duration: timedelta, how: str) -> str:
    return f"Attempt {attempt} on {worker_id} ended after {duration.total_seconds():.3f} s: {how}"


def _next(status: TaskStatus) -> str:
    return "no attempts left" if status is TaskStatus.FAILED else "queued again"


def _interrupted(task_id: TaskId, row: Row[Any], at: datetime) -> dict[str, object]:
    lease = Lease(task_id=task_id, attempt=row.attempt, token=row.lease_token, worker_id=row.lease_owner)
    return attempt_columns(lease, at - row.claimed_at, FailureCode.CANCELLED)
