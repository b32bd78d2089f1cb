"""Tasks on an external backend, on both databases: submitted once, whatever is lost, and cancelled with their tasks."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, update
from structlog.testing import capture_logs

from ketline.db.engine.database import Database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.backends.backend_jobs import BackendJob, RemoteId
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.failures import FailureCode
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.results.result import Conversion, MediaType, Profile, Register, RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import TaskQueue
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Task
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.attempts.backend_calls import BackendTiming
from ketline.service.attempts.job_attempt import token_of
from ketline.service.attempts.remote import RunOnBackend
from tests.actors import TESTER
from tests.backends.example import AcmeAdapter
from tests.backends.remote import KEY, FakeRemote
from tests.blocks import long_after
from tests.brokers import eventually
from tests.forking.fixtures import MakeRemote
from tests.recorded_spans import Recorded
from tests.runners import ScriptedRunner, deferrals_of

QUEUE = TaskQueue(TaskKind.RUN, "acme")
FLAT = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
"""
WRITTEN = RunResult(
    counts={},
    shots=0,
    profile=Profile(
        method="convert",
        qubits=2,
        depth=2,
        operations={"x": 1, "measure": 2},
        parsing_seconds=0.1,
        simulating_seconds=0.1,
        registers=(Register(bits=2, name="c"),),
    ),
    conversion=Conversion(FLAT, media_type=MediaType.TEXT),
)
LEASE = timedelta(seconds=0.6)
QUICK = BackendTiming(
    first_pause_seconds=0.05,
    longest_pause_seconds=0.1,
    unavailable_delay=timedelta(seconds=0.1),
    last_poll_seconds=0.2,
)


class MortalRepository(SqlTaskRepository):
    """The repository as a worker sees it that may be cut off from the database, or meet a defect in one write."""

    dead: bool = False
    defect: str | None = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in WRITES and super().__getattribute__("dead"):
            return _unavailable
        if name == super().__getattribute__("defect"):
            object.__setattr__(self, "defect", None)
            return _defective
        return found


WRITES = {"claim", "renew", "finish", "fail", "release", "retry", "defer", "record_job", "end_job", "jobs_to_cancel"}


async def _unavailable(*_: object, **__: object) -> None:
    raise DatabaseUnavailable("The database does not respond; try again in a few seconds.")


async def _defective(*_: object, **__: object) -> None:
    raise RuntimeError("A defect of the service.")


class Rig:
    """A repository, a remote, and any number of workers one after another."""

    def __init__(self, database: Database, remote: FakeRemote) -> None:
        self.repository = SqlTaskRepository(
            database, retry_policy=RetryPolicy(delay=timedelta(seconds=0.05), doublings=1, max_crashes=100)
        )
        self.remote = remote
        self.adapter = AcmeAdapter
        self.workers: list[RunOnBackend] = []
        self.repositories: list[MortalRepository] = []
        self.chance = random.Random(0)
        self.runner = ScriptedRunner(WRITTEN)

    def worker(self, tracing: Tracing = NO_TRACING) -> RunOnBackend:
        worker_id = WorkerId(f"w-{len(self.workers) + 1}")
        repository = MortalRepository(self.repository.database, retry_policy=self.repository.retry_policy)
        process = ProcessTask(
            repository, SystemClock(), worker_id, LEASE, deferrals_of(repository), queue=QUEUE, tracing=tracing
        )
        run = RunOnBackend(process, repository, self.adapter(self.remote.url, KEY), QUICK)
        self.workers.append(run)
        self.repositories.append(repository)
        return run

    def cut_off(self, worker: RunOnBackend) -> None:
        """Keep a worker from the database for ever: like a dead one, but it continues to call the backend."""
        object.__setattr__(self.repositories[self.workers.index(worker)], "dead", True)

    def break_once(self, worker: RunOnBackend, write: str) -> None:
        """Have the next such write of a worker raise an error that nobody expects."""
        object.__setattr__(self.repositories[self.workers.index(worker)], "defect", write)

    async def turn(self) -> None:
        """What continues in a service: a worker takes pending tasks, and leases are reaped."""
        if not self.remote.running:
            self.remote.start()
        alive = [worker for worker, one in zip(self.workers, self.repositories, strict=True) if not one.dead]
        worker = self.chance.choice(alive) if alive else self.worker()
        await self.repository.reap(10)
        await self.repository.take_due(10)
        await self.start(worker, TaskId(uuid4()))

    async def some_fault(self) -> None:
        with suppress(OSError):  # it may have died of the last one
            call = self.chance.choice(["submit", "submit", "poll", "result", "describe"])
            self.remote.fault(call, self.chance.choice(FAULTS))

    async def lose_a_worker(self) -> None:
        for worker, repository in zip(self.workers, self.repositories, strict=True):
            if not repository.dead and self.chance.random() < 0.3:
                self.cut_off(worker)

    async def submit(self, shots: int = 10, time_limit_seconds: float | None = None) -> TaskId:
        task_id = TaskId(uuid4())
        spec = TaskSpec(
            circuit="p",
            shots=shots,
            max_attempts=100,
            time_limit_seconds=time_limit_seconds,
            kind=TaskKind.RUN,
            backend="acme",
        )
        await self.repository.add(Submission(task_id=task_id, spec=spec, correlation_id=CorrelationId("c")), taken=True)
        return task_id

    async def start(self, worker: RunOnBackend, task_id: TaskId) -> None:
        await worker(task_id, self.runner)

    async def run(self, task_id: TaskId, worker: RunOnBackend | None = None) -> Task:
        """Have a worker take the task until it has ended, as the messages of the dispatcher would."""
        worker = worker or self.worker()

        async def ended() -> bool:
            if (await self.repository.get(task_id)).status is TaskStatus.PENDING:
                await self.start(worker, task_id)
            return (await self.repository.get(task_id)).status.terminal

        await eventually(ended)
        return await self.repository.get(task_id)

    async def age_jobs(self, seconds: float) -> None:
        """Let every job have been submitted so much earlier."""

        def work(connection: Connection) -> None:
            rows = connection.execute(select(tasks.c.task_id, tasks.c.remote_submitted_at)).all()
            for row in rows:
                earlier = row.remote_submitted_at - timedelta(seconds=seconds)
                connection.execute(
                    update(tasks).where(tasks.c.task_id == row.task_id).values(remote_submitted_at=earlier)
                )

        await self.repository.database.write(work)

    async def cancelled_at_the_backend(self, worker: RunOnBackend) -> None:
        """Wait until the worker has cancelled all jobs that it is to cancel, and nothing is left to do."""

        async def cancelled() -> bool:
            await worker.cancel_jobs()
            return set(self.remote.statuses().values()) == {"cancelled"}

        await eventually(cancelled)
        assert await worker.cancel_jobs() == 0, "nothing is left to do"

    async def reaped(self, task_id: TaskId) -> None:
        async def pending() -> bool:
            await self.repository.reap(10)
            return (await self.repository.get(task_id)).status is TaskStatus.PENDING

        await eventually(pending)

    async def close(self) -> None:
        for worker in self.workers:
            await worker.close()
            await worker.adapter.close()


@pytest.fixture
async def rig_on(database: Database, make_remote: MakeRemote) -> AsyncIterator[Callable[..., Rig]]:
    """Makes a rig with a remote of these options."""
    rigs: list[Rig] = []

    def make(**options: Any) -> Rig:
        remote = make_remote(**options)
        remote.start()
        rigs.append(Rig(database, remote))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.close()
        rig.remote.kill()


RigOn = Callable[..., Rig]


async def test_job_is_submitted_once_and_its_counts_are_the_result(rig_on: RigOn) -> None:
    rig = rig_on()
    task = await rig.run(task_id := await rig.submit())
    assert (task.status, task.counts, task.shots) == (TaskStatus.COMPLETED, {"01": 10}, 10)
    assert rig.remote.submissions() == {str(task_id): 1}
    assert task.remote_job is not None
    assert (task.remote_job.status, task.remote_job.remote_id in rig.remote.statuses()) == (RemoteStatus.DONE, True)
    assert task.profile is not None
    assert (task.profile.method, task.profile.qubits) == ("acme", 2)


async def test_trace_of_an_attempt_tells_its_submission_from_the_wait_for_its_job(rig_on: RigOn) -> None:
    rig, recorded = rig_on(), Recorded()
    task = await rig.run(await rig.submit(), rig.worker(recorded.tracing))
    assert task.status is TaskStatus.COMPLETED

    async def ended() -> bool:
        return "process task" in recorded.by_name()

    await eventually(ended)
    attempt = recorded.by_name()["process task"]
    steps = [span.name for span in recorded.spans() if span.parent is not None and span.parent == attempt.context]
    assert steps == ["claim task", "submit job", "follow job", "record outcome"]
    assert attempt.attributes is not None
    assert (attempt.attributes["ketline.backend"], attempt.attributes["ketline.outcome"]) == ("acme", "completed")


async def test_program_is_converted_for_its_project(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.repository = rig.repository.within(ProjectName("optics"))
    await rig.run(await rig.submit())
    assert rig.runner.projects == ["optics"]


async def test_message_is_free_while_the_job_waits(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("poll", "busy", times=1000)
    worker = rig.worker()
    first, second = await rig.submit(), await rig.submit()
    await rig.start(worker, first)
    await rig.start(worker, second)
    tasks = [await rig.repository.get(task_id) for task_id in (first, second)]
    assert [task.status for task in tasks] == [TaskStatus.PROCESSING] * 2
    assert [task.remote_job and task.remote_job.status for task in tasks] == [RemoteStatus.QUEUED] * 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_worker_that_stops_or_dies_is_replaced_by_one_that_goes_on_with_the_job(rig_on: RigOn, when: str) -> None:
    rig = rig_on()
    rig.remote.fault("poll", "busy", times=3)
    first = rig.worker()
    task_id = await rig.submit()
    await rig.start(first, task_id)
    if when == "before":
        await first.close()  # it stops
    else:
        rig.cut_off(first)
        await rig.reaped(task_id)
    task = await rig.run(task_id)
    assert (task.status, task.counts) == (TaskStatus.COMPLETED, {"01": 10})
    assert rig.remote.submissions() == {str(task_id): 1}
    assert [line.worker_id for line in task.history][-1] == "w-2"
    assert sum(line.status is TaskStatus.COMPLETED for line in task.history) == 1


@pytest.mark.parametrize("fault", ["lose_answer", "error"])
async def test_lost_answer_is_found_by_the_token(rig_on: RigOn, fault: str) -> None:
    rig = rig_on(finds_tokens=True)
    rig.remote.fault("submit", fault)
    task = await rig.run(task_id := await rig.submit())
    assert task.status is TaskStatus.COMPLETED
    assert rig.remote.submissions() == {str(task_id): 1}


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request", "repeat"])
async def test_submission_is_repeated_where_the_backend_recognises_tokens(rig_on: RigOn, fault: str) -> None:
    rig = rig_on(recognises_tokens=True)
    rig.remote.fault("submit", fault, times=2)
    task = await rig.run(task_id := await rig.submit())
    assert task.status is TaskStatus.COMPLETED
    assert rig.remote.submissions() == {str(task_id): 1}


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
async def test_nothing_is_submitted_again_where_nobody_can_tell(rig_on: RigOn, fault: str) -> None:
    rig = rig_on()
    rig.remote.fault("submit", fault)
    task = await rig.run(task_id := await rig.submit())
    assert task.failure is not None
    assert task.failure.code is FailureCode.OUTCOME_UNKNOWN
    assert str(task_id) in task.failure.message, "it says what to look for"
    assert sum(rig.remote.submissions().values()) <= 1


@pytest.mark.parametrize("options", [{}, {"finds_tokens": True}, {"recognises_tokens": True}])
async def test_worker_that_died_while_it_submitted(rig_on: RigOn, options: Mapping[str, bool]) -> None:
    """The row says that a submission began, and not whether it arrived."""
    rig = rig_on(**options)
    worker = rig.worker()
    claim = await worker.process.claim(task_id := await rig.submit())
    assert claim is not None
    await rig.repository.record_job(claim.lease, RemoteJob())
    await rig.repository.release(claim.lease)
    task = await rig.run(task_id)
    if options.get("recognises_tokens"):
        assert task.status is TaskStatus.COMPLETED
        assert rig.remote.submissions() == {str(task_id): 1}
    else:
        assert task.failure is not None
        assert task.failure.code is FailureCode.OUTCOME_UNKNOWN
        assert rig.remote.submissions() == {}


async def test_worker_that_dies_before_it_has_the_answer(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("submit", "delay", seconds=5.0)
    first = rig.worker()
    submitting = asyncio.create_task(rig.start(first, task_id := await rig.submit()))

    async def arrived() -> bool:
        return rig.remote.submissions() == {str(task_id): 1}

    await eventually(arrived)
    rig.cut_off(first)
    await rig.reaped(task_id)
    task = await rig.run(task_id)
    assert task.failure is not None
    assert task.failure.code is FailureCode.OUTCOME_UNKNOWN
    assert rig.remote.submissions() == {str(task_id): 1}
    submitting.cancel()
    await asyncio.wait([submitting])


async def test_backend_that_takes_no_jobs_now_gets_the_task_later(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("submit", "busy", times=2)
    task = await rig.run(task_id := await rig.submit())
    assert task.status is TaskStatus.COMPLETED
    assert rig.remote.submissions() == {str(task_id): 1}
    assert [line.cause for line in task.history if line.cause] == ["backend_unavailable"] * 2


async def test_job_is_looked_for_if_an_earlier_request_may_have_arrived(rig_on: RigOn) -> None:
    rig = rig_on(recognises_tokens=True)
    rig.remote.fault("submit", "lose_answer")
    rig.remote.fault("submit", "busy")
    await rig.start(rig.worker(), task_id := await rig.submit())
    assert rig.remote.submissions() == {str(task_id): 1}
    task = await rig.repository.get(task_id)
    assert (task.status, task.remote_job) == (TaskStatus.PENDING, RemoteJob())
    assert (await rig.run(task_id)).status is TaskStatus.COMPLETED
    assert rig.remote.submissions() == {str(task_id): 1}


async def test_backend_that_is_down_gets_the_task_later(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.kill()
    worker = rig.worker()
    await rig.start(worker, task_id := await rig.submit())
    assert (await rig.repository.get(task_id)).status is TaskStatus.PENDING
    rig.remote.start()
    assert (await rig.run(task_id, worker)).status is TaskStatus.COMPLETED


async def test_remote_that_dies_in_the_middle_is_waited_for(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("poll", "die_before")
    task_id = await rig.submit()
    worker = rig.worker()
    await rig.start(worker, task_id)

    async def died() -> bool:
        return not rig.remote.running

    await eventually(died)
    rig.remote.start()
    assert (await rig.run(task_id, worker)).status is TaskStatus.COMPLETED
    assert rig.remote.submissions() == {str(task_id): 1}


@pytest.mark.parametrize("after", ["waiting", "handed back", "while submitting"])
async def test_cancelling_a_task_cancels_its_job(rig_on: RigOn, after: str) -> None:
    rig = rig_on(finds_tokens=True, recognises_tokens=True, polls=10_000)
    worker = rig.worker()
    task_id = await rig.submit()
    await rig.start(worker, task_id)
    if after != "waiting":
        await worker.close()
    if after == "while submitting":
        claim = await worker.process.claim(task_id)
        assert claim is not None
        await rig.repository.record_job(claim.lease, RemoteJob())
    await rig.repository.cancel(task_id, TESTER)
    await rig.cancelled_at_the_backend(worker)
    task = await rig.repository.get(task_id)
    assert (task.status, task.remote_job and task.remote_job.status) == (TaskStatus.CANCELLED, RemoteStatus.CANCELLED)


async def test_job_is_cancelled_at_its_time_limit(rig_on: RigOn) -> None:
    rig = rig_on(polls=10_000)
    worker = rig.worker()
    task = await rig.run(task_id := await rig.submit(time_limit_seconds=0.5), worker)
    [job_id] = rig.remote.statuses()
    assert task.failure is not None
    assert task.failure.code is FailureCode.TIMEOUT
    assert job_id in task.failure.message
    assert "within 0.5 s of its submission" in task.failure.message
    await rig.cancelled_at_the_backend(worker)
    task = await rig.repository.get(task_id)
    assert (task.status, task.remote_job) == (TaskStatus.FAILED, RemoteJob(job_id, RemoteStatus.CANCELLED))
    assert sum(line.status.terminal for line in task.history) == 1


async def test_time_limit_of_a_job_counts_from_its_submission_for_the_next_worker(rig_on: RigOn) -> None:
    rig = rig_on(polls=10_000)
    first = rig.worker()
    await rig.start(first, task_id := await rig.submit(time_limit_seconds=3600))
    rig.cut_off(first)
    await rig.age_jobs(3600)
    await rig.reaped(task_id)
    task = await rig.run(task_id, second := rig.worker())
    assert task.failure is not None
    assert task.failure.code is FailureCode.TIMEOUT
    assert rig.remote.submissions() == {str(task_id): 1}
    assert [line.worker_id for line in task.history if line.status.terminal] == ["w-2"]
    await rig.cancelled_at_the_backend(second)


async def test_job_that_is_done_when_the_next_worker_finds_it_late_has_its_result(rig_on: RigOn) -> None:
    rig = rig_on(polls=1)
    rig.remote.fault("poll", "busy", times=1)
    first = rig.worker()
    await rig.start(first, task_id := await rig.submit(time_limit_seconds=3600))
    rig.cut_off(first)
    await rig.age_jobs(3600)
    await rig.reaped(task_id)
    task = await rig.run(task_id)
    assert (task.status, task.counts) == (TaskStatus.COMPLETED, {"01": 10})


async def test_time_limit_holds_while_the_backend_is_down(rig_on: RigOn) -> None:
    rig = rig_on(polls=10_000)
    worker = rig.worker()
    await rig.start(worker, task_id := await rig.submit(time_limit_seconds=1))
    rig.remote.kill()
    task = await rig.run(task_id, worker)
    assert task.failure is not None
    assert task.failure.code is FailureCode.TIMEOUT
    rig.remote.start()
    await rig.cancelled_at_the_backend(worker)


async def test_time_spent_before_the_submission_does_not_count(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("submit", "busy", times=2)
    task = await rig.run(await rig.submit(time_limit_seconds=1.5))
    assert task.status is TaskStatus.COMPLETED, "two pauses of a second came before"


async def test_job_that_arrives_after_its_task_was_cancelled_is_cancelled(rig_on: RigOn) -> None:
    rig = rig_on(finds_tokens=True, recognises_tokens=True, polls=10_000)
    worker, task_id = await cancelled_while_submitting(rig)
    assert await worker.cancel_jobs() == 1, "the job is not there yet"
    job = BackendJob(program=FLAT, format=ProgramFormat.OPENQASM3, shots=10)
    await worker.adapter.submit(job, token_of(task_id))
    assert await worker.cancel_jobs() == 1
    assert list(rig.remote.statuses().values()) == ["cancelled"]
    assert await worker.cancel_jobs() == 0, "nothing is left to do"


@pytest.mark.parametrize("options", [{}, {"finds_tokens": True}, {"recognises_tokens": True}])
async def test_job_that_cannot_arrive_any_more_is_not_looked_for(rig_on: RigOn, options: Mapping[str, bool]) -> None:
    rig = rig_on(**options)
    worker, _ = await cancelled_while_submitting(rig)
    worker.timing = replace(QUICK, longest_submission=timedelta(0))
    with capture_logs() as lines:
        assert await worker.cancel_jobs() == 1
        assert await worker.cancel_jobs() == 0
    assert [line["event"] for line in lines] == ["backend.job_not_cancelled"]


async def cancelled_while_submitting(rig: Rig) -> tuple[RunOnBackend, TaskId]:
    """A task that was cancelled after the commit that its job is submitted, and a worker of its backend."""
    worker = rig.worker()
    claim = await worker.process.claim(task_id := await rig.submit())
    assert claim is not None
    await rig.repository.record_job(claim.lease, RemoteJob())
    await rig.repository.cancel(task_id, TESTER)
    return worker, task_id


@pytest.mark.parametrize(
    ("fault", "code"),
    [("deny", FailureCode.BACKEND_ACCESS_DENIED), ("shots", FailureCode.BACKEND_REFUSED)],
)
async def test_rejection_ends_the_task(rig_on: RigOn, fault: str, code: FailureCode) -> None:
    rig = rig_on()
    if fault == "deny":
        rig.remote.fault("submit", "deny")
    task = await rig.run(await rig.submit(shots=20_000 if fault == "shots" else 10))
    assert task.failure is not None
    assert (task.failure.code, KEY in task.failure.message) == (code, False)
    assert rig.remote.submissions() == {}


async def test_credentials_that_expire_while_a_job_runs_cost_no_task(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.remote.fault("poll", "deny", times=3)
    assert (await rig.run(await rig.submit())).status is TaskStatus.COMPLETED


class WrongCounts(AcmeAdapter):
    """Returns counts of one bit, whatever the job."""

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        return {"0": 10}


async def test_counts_that_are_not_those_of_the_job_are_no_result(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.adapter = WrongCounts
    task = await rig.run(await rig.submit())
    assert task.failure is not None
    assert task.failure.code is FailureCode.BACKEND_RESULT_INVALID


class Broken(AcmeAdapter):
    """Has a defect, and puts its credential into the text of the error."""

    async def validate(self, job: BackendJob) -> None:
        raise ValueError(KEY)


async def test_adapter_with_a_defect_fails_its_task_without_its_text(rig_on: RigOn) -> None:
    rig = rig_on()
    rig.adapter = Broken
    task = await rig.run(await rig.submit())
    assert task.failure is not None
    assert (task.failure.code, task.failure.message) == (
        FailureCode.BACKEND_FAILED,
        "The adapter failed with ValueError.",
    )


@pytest.mark.parametrize("write", ["record_job", "finish", "fail"])
async def test_defect_in_a_write_is_not_taken_for_one_of_the_adapter(rig_on: RigOn, write: str) -> None:
    """As with a simulation, the lease ends, and the next attempt continues with the job."""
    rig = rig_on(recognises_tokens=True)
    first = rig.worker()
    rig.break_once(first, write)
    task_id = await rig.submit(shots=20_000 if write == "fail" else 10)
    with suppress(Exception):  # the slot logs it
        await rig.start(first, task_id)
    await rig.reaped(task_id)
    task = await rig.run(task_id)
    if write == "fail":
        assert task.failure is not None
        assert task.failure.code is FailureCode.BACKEND_REFUSED
    else:
        assert (task.status, task.counts) == (TaskStatus.COMPLETED, {"01": 10})
        assert rig.remote.submissions() == {str(task_id): 1}


FAULTS = ("lose_request", "lose_answer", "busy", "error", "die_before", "die_after")
SEEDS = [int(os.environ["KETLINE_CHAOS_SEED"])] if "KETLINE_CHAOS_SEED" in os.environ else [1, 2]
TOKENS = [{"finds_tokens": True}, {"recognises_tokens": True}, {}]


@pytest.mark.parametrize(("options", "seed"), long_after(1, itertools.product(TOKENS, SEEDS)))
async def test_chaos_loses_no_task_and_submits_none_twice(
    rig_on: RigOn, options: Mapping[str, bool], seed: int
) -> None:
    chance = random.Random(seed)
    rig = rig_on(**options)
    ids = [await rig.submit() for _ in range(12)]
    open_ids = set(ids)

    async def step() -> bool:
        do: Callable[[], Awaitable[None]] = chance.choice([rig.some_fault, rig.lose_a_worker, rig.turn])
        await do()
        await rig.turn()
        statuses = await rig.repository.statuses(ids)
        open_ids.intersection_update(task_id for task_id, (status, _) in statuses.items() if not status.terminal)
        return not open_ids

    rig.chance = chance
    await eventually(step, 120)
    for task_id in ids:
        task = await rig.repository.get(task_id)
        unknown = task.failure is not None and task.failure.code is FailureCode.OUTCOME_UNKNOWN
        assert task.status is TaskStatus.COMPLETED or (unknown and not options.get("recognises_tokens")), task
        assert sum(line.status.terminal for line in task.history) == 1
    assert all(count == 1 for count in rig.remote.submissions().values())
