"""Rules of clients: submit, under a key or not, cancel and read."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.circuits.program_format import Target
from ketline.domain.errors import IdempotencyKeyReused, TaskEnded, TaskNotFound, TaskNotHeld, TaskNotPending
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.lists import Changeable, TaskChange
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, IdempotencyKey, Submission
from tests.actors import TESTER
from tests.statemachine.model import KeyReused
from tests.statemachine.modelled import TWICE, ModelledMachine
from tests.statemachine.world import PROJECTS, Rejection

# Few tasks have long lives within the steps of an example.
MAX_TASKS = 6
UNKNOWN = TaskId(UUID(int=0))
KEYS = st.none() | st.builds(
    IdempotencyKey, key=st.sampled_from(["a", "b"]), fingerprint=st.sampled_from(["same", "same", "other"])
)
HOLD = st.sampled_from([False, False, True])
# Seconds from the submission to the time it is scheduled for.
PRIORITIES = st.sampled_from([0, 0, -50, 10, 100])
QUEUES = st.sampled_from([SIMULATIONS, SIMULATIONS, CONVERSIONS, TaskQueue(TaskKind.RUN, "other")])
PROJECT = st.sampled_from([DEFAULT_PROJECT, *PROJECTS])
AHEAD = st.sampled_from([None, None, -500.0, 700.0, 5000.0])


class SubmittingMachine(ModelledMachine):
    tasks: Bundle[TaskId] = Bundle("tasks")

    @initialize(target=tasks, budgets=st.lists(st.integers(1, 4), min_size=2, max_size=3))
    def first_tasks(self, budgets: list[int]) -> Any:
        return multiple(*(self._submit(None, max_attempts, False) for max_attempts in budgets))

    @precondition(lambda self: len(self.submissions) < MAX_TASKS)
    @rule(
        target=tasks,
        key=KEYS,
        max_attempts=st.integers(1, 4),
        ahead=AHEAD,
        priority=PRIORITIES,
        hold=HOLD,
        queue=QUEUES,
        project=PROJECT,
        twice=TWICE,
    )
    def submit(
        self,
        key: IdempotencyKey | None,
        max_attempts: int,
        ahead: float | None,
        priority: int,
        hold: bool,
        queue: TaskQueue,
        project: ProjectName,
        twice: bool,
    ) -> Any:
        task_id = self._submit(key, max_attempts, twice, ahead, priority, hold, queue, project)
        return task_id if task_id in self.model.tasks else multiple()

    def _submit(
        self,
        key: IdempotencyKey | None,
        max_attempts: int,
        twice: bool,
        ahead: float | None = None,
        priority: int = 0,
        hold: bool = False,
        queue: TaskQueue = SIMULATIONS,
        project: ProjectName = DEFAULT_PROJECT,
    ) -> TaskId:
        new = Submission(
            task_id=TaskId(UUID(int=len(self.submissions) + 1)),
            spec=TaskSpec(
                circuit="program",
                shots=10,
                max_attempts=max_attempts,
                scheduled_for=None if ahead is None else datetime.now(UTC) + timedelta(seconds=ahead),
                priority=priority,
                hold=hold,
                kind=queue.kind,
                target=Target.QIR if queue == CONVERSIONS else None,
                backend=queue.backend,
            ),
            correlation_id=CorrelationId(f"c-{len(self.submissions)}"),
            idempotency_key=key,
        )
        self.submissions.append(new)
        self.projects[new.task_id] = project
        self._add(new, twice)
        return new.task_id

    @precondition(lambda self: self.submissions)
    @rule(data=st.data(), twice=TWICE)
    def submit_again(self, data: st.DataObject, twice: bool) -> None:
        known = [new for new in self.submissions if new.task_id in self.model.tasks]
        self._add(data.draw(st.sampled_from(known)), twice)

    def _add(self, new: Submission, twice: bool) -> None:
        responses: Sequence[object] = self.world.call(self.repository_of(new.task_id).add(new), twice=twice)
        for response in responses:
            if response is None:
                continue  # not known to be new: the transaction after it has the answer
            try:
                expected = self.model.add(new, self.projects[new.task_id])
            except KeyReused:
                assert isinstance(response, IdempotencyKeyReused)
                continue
            assert isinstance(response, Accepted)
            assert (response.task_id, response.repeated) == expected
            original = next(one for one in self.submissions if one.task_id == response.task_id)
            assert response.correlation_id == original.correlation_id

    @rule(task_id=tasks, twice=TWICE)
    def cancel(self, task_id: TaskId, twice: bool) -> None:
        for run, response in enumerate(
            self.world.call(self.repository_of(task_id).cancel(task_id, TESTER), twice=twice)
        ):
            task = self.model.tasks[task_id]
            if task.ended and not (run > 0 and task.status == "cancelled"):
                assert (response.status if isinstance(response, TaskEnded) else response) == task.status
            else:
                assert response is None
                if not task.ended:
                    task.cancel(self.model.now)

    @rule(task_id=tasks, twice=TWICE)
    def enqueue(self, task_id: TaskId, twice: bool) -> None:
        for response in self.world.call(self.repository_of(task_id).enqueue(task_id), twice=twice):
            task = self.model.tasks[task_id]
            if not task.hold:
                assert isinstance(response, TaskNotHeld)
            elif task.held and task.ended:
                assert isinstance(response, TaskEnded)
            else:
                assert response is None
                if task.held:
                    task.enqueue(self.model.now)

    @rule(task_id=tasks, ahead=AHEAD, twice=TWICE)
    def reschedule(self, task_id: TaskId, ahead: float | None, twice: bool) -> None:
        moment = None if ahead is None else datetime.now(UTC) + timedelta(seconds=ahead)
        change = TaskChange(fields=frozenset({Changeable.SCHEDULED_FOR}), scheduled_for=moment)
        task = self.model.tasks[task_id]
        for run, response in enumerate(
            self.world.call(self.catalogue_of(task_id).change(task_id, change), twice=twice)
        ):
            if task.status == "pending":
                assert response is None
                task.reschedule(self.model.now, ahead)
            else:
                # What a repeat finds as it was to be, its first run may have made so.
                own = run > 0 and moment is None and not task.scheduled
                expected = None if own else task.status
                assert (response.status if isinstance(response, TaskNotPending) else response) == expected

    @rule(task_id=tasks, priority=PRIORITIES)
    def change_priority(self, task_id: TaskId, priority: int) -> None:
        change = TaskChange(fields=frozenset({Changeable.PRIORITY}), priority=priority)
        task = self.model.tasks[task_id]
        [response] = self.world.call(self.catalogue_of(task_id).change(task_id, change))
        if task.status == "pending":
            assert response is None
            task.priority = priority
            task.overtakes |= priority > 0
        else:
            assert isinstance(response, TaskNotPending)

    @precondition(lambda self: self.model.keys)
    @rule(limit=st.integers(1, 3))
    def delete_expired_keys(self, limit: int) -> None:
        expired = self.model.expired_keys()
        assert self.world.call(self.repository.delete_expired_keys(limit)) == [min(limit, len(expired))]
        left = set(self.world.look().keys)
        assert set(self.model.keys) - left <= expired
        self.model.keys = {name: key for name, key in self.model.keys.items() if name in left}

    @rule(task_id=tasks, limit=st.integers(1, 3))
    def ask(self, task_id: TaskId, limit: int) -> None:
        """All questions at once: they change nothing."""
        [read], task = self.world.call(self.repository_of(task_id).get(task_id)), self.model.tasks[task_id]
        assert not isinstance(read, Rejection)
        assert (read.status, read.attempt, read.counts) == (task.status, task.attempt, task.counts)
        assert (read.failure.code if read.failure else None) == task.code
        assert [line.status for line in read.history] == [line.status for line in task.lines]
        assert self.world.call(self.repository.count_pending(limit)) == [min(limit, len(self.model.pending()))]
        assert self.world.call(self.repository.count_dispatched()) == [
            Counter(task.queue for task in self.model.dispatched())
        ]
        self._ask_for_an_unknown_task()

    def _ask_for_an_unknown_task(self) -> None:
        for unanswerable in (self.repository.get(UNKNOWN), self.repository.cancel(UNKNOWN, TESTER)):
            [rejection] = self.world.call(unanswerable)
            assert isinstance(rejection, TaskNotFound)
