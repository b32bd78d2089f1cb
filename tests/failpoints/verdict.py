"""What must hold after a case: the promises of the protocol about its tasks, and that nothing is left behind."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.processes import eventually
from tests.chaos.testbed.store import PostgresStore
from tests.chaos.verdict import invariants
from tests.chaos.verdict.records import StoredTask, Violation
from tests.failpoints.child import digest
from tests.failpoints.control import Control
from tests.failpoints.service import Service
from tests.failpoints.trial import Promise, Trial
from tests.forking.template import SIMULATOR_NAME

IDLE_SECONDS = 0.5


async def judge(trial: Trial) -> None:
    """Fail with every broken promise of this case."""
    tasks = [task for task in await trial.service.store.tasks() if task.correlation_id in _keys(trial)]
    broken = list(violations(trial, tasks))
    assert not broken, "\n".join(map(str, broken))
    await _at_rest(trial.service)


async def require_usage(service: Service, tasks: Sequence[StoredTask]) -> None:
    """Fail unless the usage that the service reports is that of these tasks, which are all that it has stored."""

    async def total() -> Mapping[str, Any] | None:
        try:
            response = await service.http.get("/usage")
        except httpx.HTTPError:
            return None
        found: Mapping[str, Any] = response.json() if response.status_code == 200 else {}
        return found.get("total")

    reported = await eventually(total, "the usage")
    ended = Counter(task.status for task in tasks)
    expected = {status: ended[status] for status in ("completed", "failed", "cancelled")}
    expected["shots"] = sum(task.shots for task in tasks if task.status == "completed")
    assert {name: reported[name] for name in expected} == expected


def violations(trial: Trial, tasks: Sequence[StoredTask]) -> Iterator[Violation]:
    """Broken promises about the tasks as they are stored now."""
    yield from invariants.acknowledged_exist(trial.acknowledged, tasks)
    yield from invariants.one_task_per_key(trial.acknowledged, tasks)
    yield from invariants.all_terminal(tasks)
    promises = {promise.key: promise for promise in trial.promises}
    for task in tasks:
        yield from _of(task, promises[task.correlation_id], trial.service)


def _of(task: StoredTask, promise: Promise, service: Service) -> Iterator[Violation]:
    yield from invariants.history_is_legal(task)
    yield from invariants.attempts_grow(task)
    yield from invariants.leases_close_once(task)
    yield from invariants.result_is_of_last_attempt(task)
    yield from invariants.answer_is_right(task, promise.known)
    if task.status not in promise.statuses:
        detail = f"{task.status} with {task.error_code}, not {promise.statuses}"
        yield Violation(invariant="the task ends as it must", subject=task.task_id, detail=detail)
    yield from _submitted_once(task, service.remotes.submissions(task.task_id), promise)
    if (ran := service.control.executions(digest(promise.known.program))) > task.attempt:
        detail = f"{ran} executions in {task.attempt} attempts"
        yield Violation(invariant="an attempt executes at most once", subject=task.task_id, detail=detail)


def _submitted_once(task: StoredTask, jobs: int, promise: Promise) -> Iterator[Violation]:
    expected = {promise.on_backend} if task.status == "completed" else {0, promise.on_backend}
    if jobs not in expected:
        detail = f"{jobs} jobs of a task that is {task.status} with {task.error_code}"
        yield Violation(invariant="a job is submitted once", subject=task.task_id, detail=detail)


def _keys(trial: Trial) -> set[str]:
    return {promise.key for promise in trial.promises}


async def _at_rest(service: Service) -> None:
    async def no_orphans() -> bool:
        return all(parent in service.pids() for parent in _parents_of_simulators(service.directory))

    await eventually(no_orphans, "no simulator without its worker")
    store = service.store
    if isinstance(store, PostgresStore):

        async def no_open_transactions() -> bool:
            return not await store.transactions_left_open(IDLE_SECONDS)

        await eventually(no_open_transactions, "no session idle in a transaction")


def _parents_of_simulators(directory: Path) -> Iterator[int]:
    for pid in Control(directory).simulators():
        try:
            name, _, fields = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == SIMULATOR_NAME:
            yield int(fields.split()[1])
