"""Gathers what a finished run left behind and holds it against every invariant."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from tests.chaos.run.callbacks import is_called_back
from tests.chaos.run.ledger import Ledger
from tests.chaos.run.plan import bounds_crashes
from tests.chaos.run.programs import KnownTask
from tests.chaos.run.submit import number_of
from tests.chaos.testbed.brokers import COUNTED_SECONDS
from tests.chaos.testbed.deployment import Deployment
from tests.chaos.verdict import invariants
from tests.chaos.verdict.journal import Journal
from tests.chaos.verdict.records import Message, StoredTask, Violation
from tests.chaos.verdict.replay import seeded_result_is_recomputed

IDLE_SECONDS = 1.0
READERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the invariants are about; there are no messages of a version without callbacks."""

    ledger: Ledger
    known: Sequence[KnownTask]
    tasks: Sequence[StoredTask]
    journal: Journal
    messages: Sequence[Message] | None
    keys_hold: bool
    simulators_killed: int
    workers_killed: bool

    def violations(self) -> Sequence[Violation]:
        """Every broken promise."""
        return [*self._of_the_whole(), *(broken for task in self.tasks for broken in self._of(task))]

    def _of_the_whole(self) -> Iterator[Violation]:
        acknowledged, cancellations = self.ledger.acknowledgements(), self.ledger.cancellations()
        yield from _complete({promise.number for promise in acknowledged}, self.known)
        yield from invariants.acknowledged_exist(acknowledged, self.tasks)
        yield from invariants.all_terminal(self.tasks)
        yield from invariants.cancellations_hold(cancellations, self.tasks)
        yield from invariants.no_defect_shows(self.journal.crashes)
        if self.messages is not None:
            called_back = [task for task in self.tasks if is_called_back(number_of(task.correlation_id))]
            yield from invariants.messages_arrive(called_back, self.messages)
        if self.keys_hold:
            yield from invariants.one_task_per_key(acknowledged, self.tasks)
        tolerated = [task for task in self.tasks if self._lost_its_simulator(task)]
        if len(tolerated) > self.simulators_killed:
            detail = f"{len(tolerated)} for {self.simulators_killed} killed"
            yield Violation(invariant="simulators die only when killed", subject="run", detail=detail)

    def _of(self, task: StoredTask) -> Iterator[Violation]:
        yield from invariants.history_is_legal(task)
        yield from invariants.attempts_grow(task)
        yield from invariants.leases_close_once(task)
        yield from invariants.result_is_of_last_attempt(task)
        if not self.workers_killed:
            yield from invariants.no_worker_is_lost(task)
        yield from invariants.logs_agree(task, self.journal.outcomes.get(task.task_id, {}))
        if not self._lost_its_simulator(task):
            known = self.known[number_of(task.correlation_id)]
            yield from invariants.answer_is_right(task, known)
            yield from seeded_result_is_recomputed(task, known)

    def _lost_its_simulator(self, task: StoredTask) -> bool:
        """Failed by a killed simulator, in a version of the service that does not try such a task again."""
        return task.error_code == "simulation_error" and not bounds_crashes()


def _complete(numbers: set[int], known: Iterable[KnownTask]) -> Iterator[Violation]:
    for task in known:
        if task.number not in numbers:
            yield Violation(invariant="every task is accepted", subject=str(task.number), detail="never acknowledged")


async def api_agrees(
    deployment: Deployment, http: httpx.AsyncClient, tasks: Sequence[StoredTask]
) -> Sequence[Violation]:
    """Read every task through the API and compare it with its row."""
    places = asyncio.Semaphore(READERS)

    async def read(task: StoredTask) -> Violation | None:
        async with places:
            port = deployment.ports[number_of(task.correlation_id) % len(deployment.ports)]
            response = await http.get(f"http://127.0.0.1:{port}/tasks/{task.task_id}")
        view = response.json()
        counts = (view.get("result") or {}).get("counts")
        if response.status_code == 200 and (view["status"], counts) == (task.status, task.counts):
            return None
        detail = f"{response.status_code}: {view.get('status')} instead of {task.status}"
        return Violation(invariant="the API tells what is stored", subject=task.task_id, detail=detail)

    return [violation for violation in await asyncio.gather(*map(read, tasks)) if violation]


async def servers_at_rest(deployment: Deployment) -> Sequence[Violation]:
    """No session of the database is left inside a transaction, and no message stays on a queue."""
    if deployment.servers is None:
        return []
    await asyncio.sleep(IDLE_SECONDS)
    sessions = await deployment.servers.database.transactions_left_open(IDLE_SECONDS)
    broker = deployment.servers.broker
    queues = await broker.left_over()
    deadline = time.monotonic() + COUNTED_SECONDS
    while queues and time.monotonic() < deadline:
        queues = await broker.left_over()
    return [
        *(Violation(invariant="no idle transaction", subject=session, detail="") for session in sessions),
        *(Violation(invariant="queues are empty", subject=line, detail="") for line in queues),
    ]
