"""The whole machine: the rules of clients and workers, and those of dispatchers, reapers, time and restarts."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ketline.db.engine.dialect import SQLITE
from ketline.domain.attempts.claim import Dispatch, Reaped
from ketline.domain.attempts.leases import Expiry, Outage
from ketline.domain.ids import TaskId
from ketline.domain.tasks.queues import TaskQueue
from tests.statemachine.model import DRIFT_SECONDS, REDISPATCH_SECONDS
from tests.statemachine.modelled import TWICE
from tests.statemachine.submitting import QUEUES, SubmittingMachine
from tests.statemachine.task import ModelTask
from tests.statemachine.working import WorkingMachine
from tests.statemachine.world import Rejection, World


def machine_on(world: World) -> type["TaskMachine"]:
    """The machine that drives this repository."""
    return type("TaskMachine", (TaskMachine,), {"world": world})


class TaskMachine(WorkingMachine):
    """Adds dispatchers, reapers, time, and the restart of the embedded service."""

    @rule(limit=st.integers(1, 4), twice=TWICE)
    def take_due(self, limit: int, twice: bool) -> None:
        for response in self.world.call(self.repository.take_due(limit), twice=twice):
            self._taken(response, self.model.due(), limit)

    @rule(limit=st.integers(1, 4), by=st.sampled_from([0.0, 3600.0]), queue=QUEUES, twice=TWICE)
    def take_overdue(self, limit: int, by: float, queue: TaskQueue, twice: bool) -> None:
        taking = self.repository.take_overdue(limit, by=timedelta(seconds=by), queue=queue)
        for response in self.world.call(taking, twice=twice):
            self._taken(response, self.model.overdue(by, queue), limit)

    def _taken(self, answer: Any, due: Sequence[ModelTask], limit: int) -> None:
        taken = _some_of(due, answer, limit)
        left = [task for task in due if task not in taken]
        assert all(_due(one) <= _due(other) + DRIFT_SECONDS for one in taken for other in left), "longest due first"
        order = [task.available_at for task in taken]
        assert all(one <= next_ + DRIFT_SECONDS for one, next_ in pairwise(order)), "longest available first"
        assert [one.queue for one in answer] == [task.queue for task in taken]
        for task in taken:
            task.take(self.model.now, REDISPATCH_SECONDS)

    @rule(limit=st.integers(1, 4), twice=TWICE)
    def reap(self, limit: int, twice: bool) -> None:
        for response in self.world.call(self.repository.reap(limit), twice=twice):
            assert not isinstance(response, Rejection)
            for task, reaped in zip(_some_of(self.model.expired(), response, limit), response, strict=True):
                assert (reaped.attempt, reaped.worker_id) == (task.attempt, task.worker)
                assert reaped.status == task.reap(self.model.now)

    @rule(limit=st.integers(1, 4), twice=TWICE)
    def reap_after_an_outage(self, limit: int, twice: bool) -> None:
        """Of all the time before."""
        at = self.world.look().at
        expiry = Expiry(as_of=at, outage=Outage(since=at - timedelta(days=365), until=at))
        for response in self.world.call(self.repository.reap(limit, expiry), twice=twice):
            assert not isinstance(response, Rejection)
            for task, reaped in zip(_some_of(self.model.expired(), response, limit), response, strict=True):
                assert (reaped.attempt, reaped.worker_id) == (task.attempt, task.worker)
                assert reaped.status == task.excuse(self.model.now)
                assert reaped.cause == task.lines[-1].cause

    @rule(task_ids=st.lists(SubmittingMachine.tasks, max_size=3), delay=st.sampled_from([0.0, 500.0]), twice=TWICE)
    def postpone(self, task_ids: list[TaskId], delay: float, twice: bool) -> None:
        self.world.call(self.repository.postpone(task_ids, timedelta(seconds=delay)), twice=twice)
        self.model.postpone(task_ids, delay)

    @rule(seconds=st.sampled_from([200.0, 1500.0, 3600.0, 10000.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(self.model.jump(seconds))

    @precondition(lambda self: self.model.next_deadline() is not None)
    @rule()
    def pass_time_to_the_next_deadline(self) -> None:
        deadline = self.model.next_deadline()
        assert deadline is not None
        self.world.pass_time(self.model.jump(deadline + 3 * DRIFT_SECONDS - self.model.now))

    @precondition(lambda self: self.world.database.dialect is SQLITE)
    @rule(twice=TWICE)
    def start_afresh(self, twice: bool) -> None:
        self.world.call(self.repository.start_afresh(), twice=twice)
        self.model.start_afresh()


def _some_of(
    tasks: Sequence[ModelTask], answer: Sequence[Dispatch | Reaped] | Rejection, limit: int
) -> list[ModelTask]:
    """The tasks of an answer, which must be `limit` of these, or all."""
    assert not isinstance(answer, Rejection)
    known = {task.task_id: task for task in tasks}
    assert len(answer) == len({one.task_id for one in answer}) == min(limit, len(tasks))
    assert {one.task_id for one in answer} <= set(known)
    return [known[one.task_id] for one in answer]


def _due(task: ModelTask) -> float:
    assert task.due_at is not None
    return task.due_at
