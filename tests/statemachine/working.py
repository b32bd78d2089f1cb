"""Rules of workers, and of what is left of them: no lease is ever forgotten, so most writes are those of zombies."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, multiple, precondition, rule

from ketline.db.tasks.shared_queues import MEMORY_SECONDS
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Claim, Lease
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import LeaseToken, TaskId, WorkerId
from ketline.domain.results.result import Profile, RunResult
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from tests.actors import TESTER
from tests.statemachine.model import LEASE_SECONDS
from tests.statemachine.modelled import TWICE
from tests.statemachine.submitting import PROJECT, QUEUES, UNKNOWN, SubmittingMachine
from tests.statemachine.task import ModelTask
from tests.statemachine.world import Rejection

LEASE = timedelta(seconds=LEASE_SECONDS)
PROFILE = Profile(
    method="stabilizer", qubits=1, depth=1, operations={"measure": 1}, parsing_seconds=0.1, simulating_seconds=0.2
)
CODES = st.sampled_from([FailureCode.PARSE_ERROR, FailureCode.TIMEOUT, FailureCode.SIMULATION_ERROR])
NOT_BEGUN = st.sampled_from(["machine_busy", "long_program"])
DELAYS = st.sampled_from([0.0, LEASE_SECONDS])
WORKERS = st.sampled_from([WorkerId("w-1"), WorkerId("w-2")])


class WorkingMachine(SubmittingMachine):
    """Workers, and what is left of them: no lease is ever forgotten, so most writes are those of zombies."""

    leases: Bundle[Lease] = Bundle("leases")

    @rule(target=leases, task_id=SubmittingMachine.tasks, worker=WORKERS, queue=QUEUES, twice=TWICE)
    def claim(self, task_id: TaskId, worker: WorkerId, queue: TaskQueue, twice: bool) -> Any:
        """Claim by a message, which may be on another queue than the task's."""
        return self._claim(task_id, worker, queue, twice)

    @precondition(lambda self: self.claimable())
    @rule(target=leases, data=st.data(), worker=WORKERS)
    def claim_one_that_is_there(self, data: st.DataObject, worker: WorkerId) -> Any:
        task_id = data.draw(st.sampled_from(self.claimable()))
        return self._claim(task_id, worker, self.model.tasks[task_id].queue, False)

    def claimable(self) -> list[TaskId]:
        return [TaskId(task.task_id) for task in self.model.tasks.values() if task.claimable(self.model.now)]

    @rule(target=leases, worker=WORKERS)
    def claim_by_a_message_about_no_task(self, worker: WorkerId) -> Any:
        return self._claim(UNKNOWN, worker, SIMULATIONS, False)

    @precondition(lambda self: self.model.ready(SIMULATIONS))
    @rule(target=leases, worker=WORKERS)
    def claim_as_often_as_tasks_wait(self, worker: WorkerId) -> Any:
        """As many messages as tasks leave no task behind, however the projects' use and weights differ."""
        leases = [self._claim(UNKNOWN, worker, SIMULATIONS, False) for _ in list(self.model.ready(SIMULATIONS))]
        assert not self.model.ready(SIMULATIONS)
        return multiple(*leases)

    @rule(project=PROJECT, queue=QUEUES, seconds=st.sampled_from([0.0, 500.0, 5000.0]))
    def use(self, project: ProjectName, queue: TaskQueue, seconds: float) -> None:
        self.world.use(queue, project, seconds)
        self.model.used[queue, project] = seconds

    @rule(project=PROJECT, weight=st.sampled_from([1.0, 4.0]))
    def weigh(self, project: ProjectName, weight: float) -> None:
        [weighed] = self.world.call(self.world.projects.change(project, weight=weight, actor=TESTER))
        assert not isinstance(weighed, Rejection)
        self.model.weights[project] = weighed.weight

    @rule(target=leases, task_id=SubmittingMachine.tasks, worker=WORKERS, twice=TWICE)
    def claim_short(self, task_id: TaskId, worker: WorkerId, twice: bool) -> Any:
        responses = self.world.call(self.repository.claim_short(task_id, worker, LEASE), twice=twice)
        lease = self._claimed(responses, self.model.claimable_short(), worker)
        if isinstance(lease, Lease) and self._lost_message(task_id, lease, SIMULATIONS):
            self.model.tasks[task_id].overtakes = True
        return lease

    def _claim(self, task_id: TaskId, worker: WorkerId, queue: TaskQueue, twice: bool) -> Any:
        responses = self.world.call(self.repository.claim(task_id, worker, LEASE, queue), twice=twice)
        shared, expected = self.model.is_shared(queue), self.model.claimable_by(task_id, queue)
        self.model.let_overtake(queue)
        lease = self._claimed(responses, expected, worker)
        if isinstance(lease, Lease) and lease.task_id != task_id:
            self.model.shared.add(queue)
            if shared:
                self.model.lose(queue, task_id)
            elif self._lost_message(task_id, lease, queue):
                self.model.tasks[task_id].overtakes = True
        return lease

    def _lost_message(self, task_id: TaskId, lease: Lease, queue: TaskQueue) -> bool:
        """Whether the message about this task was used for another, and it still waits on the queue."""
        task = self.model.tasks.get(task_id)
        waits = task is not None and task.queue == queue and task.claimable(self.model.now)
        return waits and lease.task_id != task_id

    @rule()
    def let_a_second_pass(self) -> None:
        """Too little for the database's times to differ."""
        self.world.process_seconds += 2 * MEMORY_SECONDS
        self.model.let_a_second_pass()

    @rule()
    def start_another_process(self) -> None:
        """It knows nothing of the claims of the one before."""
        self.world.start_process()
        self.model.forget_claims()

    def _claimed(self, answers: Sequence[object], expected: set[UUID | None], worker: WorkerId) -> Any:
        claims = [response for response in answers if isinstance(response, Claim)]
        assert all(claim == answers[-1] for claim in claims), "a repeat finds its own claim"
        if not claims:
            assert None in expected
            return multiple()
        lease = claims[-1].lease
        assert lease.task_id in expected
        task = self.model.tasks[lease.task_id]
        task.claim(self.model.now, lease.token, worker, LEASE_SECONDS)
        assert (lease.attempt, lease.worker_id) == (task.attempt, worker)
        return lease

    @precondition(lambda self: self.held())
    @rule(target=leases, data=st.data(), other=st.sampled_from(["attempt", "token"]))
    def forge(self, data: st.DataObject, other: str) -> Lease:
        """A lease like one that is held now, but for one part of it."""
        lease = data.draw(st.sampled_from(self.held()))
        if other == "attempt":
            return replace(lease, attempt=lease.attempt + 1)
        return replace(lease, token=LeaseToken(UUID(int=lease.attempt)))

    def held(self) -> list[Lease]:
        return [
            Lease(
                task_id=TaskId(task.task_id),
                attempt=task.attempt,
                token=LeaseToken(task.token),
                worker_id=WorkerId(task.worker or ""),
            )
            for task in self.model.tasks.values()
            if task.status == "processing" and task.token is not None
        ]

    @rule(lease=leases, twice=TWICE)
    def renew(self, lease: Lease, twice: bool) -> None:
        def expected(task: ModelTask) -> bool:
            task.lease_until = self.model.now + LEASE_SECONDS
            return True

        self._write(self.repository.renew(lease, LEASE), lease, twice, expected, lambda task: False)

    @rule(lease=leases, zeros=st.integers(0, 10), twice=TWICE)
    def finish(self, lease: Lease, zeros: int, twice: bool) -> None:
        result = RunResult(counts={"0": zeros, "1": 10 - zeros}, shots=10, profile=PROFILE)

        def expected(task: ModelTask) -> bool:
            task.complete(self.model.now, result.counts)
            return True

        self._write(
            self.repository.finish(lease, result),
            lease,
            twice,
            expected,
            lambda task: task.ended_by(lease, None) == "completed",
        )

    @rule(lease=leases, code=CODES, twice=TWICE)
    def fail(self, lease: Lease, code: FailureCode, twice: bool) -> None:
        def expected(task: ModelTask) -> bool:
            task.fail(self.model.now, code)
            return True

        failure = Failure(code=code, message="no", line=1, column=2)
        self._write(
            self.repository.fail(lease, failure),
            lease,
            twice,
            expected,
            lambda task: task.ended_by(lease, code) == "failed",
        )

    @rule(lease=leases, twice=TWICE)
    def release(self, lease: Lease, twice: bool) -> None:
        def expected(task: ModelTask) -> bool:
            task.release(self.model.now)
            return True

        self._write(
            self.repository.release(lease),
            lease,
            twice,
            expected,
            lambda task: task.ended_by(lease, "worker_stopped") is not None,
        )

    @rule(lease=leases, delay=DELAYS, cause=NOT_BEGUN, twice=TWICE)
    def defer(self, lease: Lease, delay: float, cause: str, twice: bool) -> None:
        def expected(task: ModelTask) -> bool:
            task.defer(self.model.now, delay, cause)
            return True

        self._write(
            self.repository.defer(lease, timedelta(seconds=delay), cause),
            lease,
            twice,
            expected,
            lambda task: task.ended_by(lease, cause) is not None,
        )

    @rule(lease=leases, twice=TWICE)
    def recall(self, lease: Lease, twice: bool) -> None:
        for response in self.world.call(self.repository.recall(lease), twice=twice):
            task = self.model.tasks[lease.task_id]
            waits = task.waits(self.model.now) and task.of(lease)
            assert response is waits
            if waits:
                task.recall(self.model.now)

    @rule(lease=leases, code=CODES, crashed=st.booleans(), twice=TWICE)
    def retry(self, lease: Lease, code: FailureCode, crashed: bool, twice: bool) -> None:
        def expected(task: ModelTask) -> str:
            return task.spend(self.model.now, code, crashed=crashed)

        failure = Failure(code=code, message="interrupted")
        self._write(
            self.repository.retry(lease, failure, crashed=crashed),
            lease,
            twice,
            expected,
            lambda task: task.ended_by(lease, code),
        )

    def _write(
        self,
        call: Coroutine[Any, Any, object],
        lease: Lease,
        twice: bool,
        effect: Callable[[ModelTask], object],
        own: Callable[[ModelTask], object],
    ) -> None:
        """A write under the fence: it has its effect, or none and then the answer `own` has for a repeat of it."""
        for response in self.world.call(call, twice=twice):
            task = self.model.tasks[lease.task_id]
            assert response == (effect(task) if task.held_by(lease) else own(task))
