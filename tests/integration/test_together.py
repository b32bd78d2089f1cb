"""Callers that ask at the same time share statements on PostgreSQL, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ketline.db.engine.database import Database, open_database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Claim
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import IdempotencyKey, Submission
from tests.runners import RESULT

T = TypeVar("T")

LEASE = timedelta(seconds=60)
MANY = 20


class Counting(Database):
    """Counts how often the server is asked to do something, and can be away."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._transactions, database.dialect)
        self.asked = 0
        self.away = False

    async def autocommit_in_background(self, work: Callable[[Connection], T]) -> T:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("away")
        return await super().autocommit_in_background(work)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Counting]:
    async with open_database(postgres_url) as opened:
        yield Counting(opened)


@pytest.fixture
def repository(database: Counting) -> SqlTaskRepository:
    return SqlTaskRepository(database)


def submission(circuit: str = "p", key: str | None = None) -> Submission:
    return Submission(
        task_id=TaskId(uuid4()),
        spec=TaskSpec(circuit=circuit, shots=10, max_attempts=3),
        correlation_id=CorrelationId("c"),
        idempotency_key=IdempotencyKey(key=key, fingerprint="f") if key else None,
    )


async def claimed(repository: SqlTaskRepository) -> Sequence[Claim]:
    new = [submission() for _ in range(MANY)]
    await asyncio.gather(*map(repository.add, new))
    claims = await asyncio.gather(*(repository.claim(one.task_id, WorkerId("w"), LEASE) for one in new))
    return [claim for claim in claims if claim is not None]


async def statuses(repository: SqlTaskRepository, claims: Sequence[Claim]) -> Mapping[TaskId, TaskStatus]:
    tasks = [await repository.get(claim.lease.task_id) for claim in claims]
    return {task.task_id: task.status for task in tasks}


async def test_callers_at_the_same_time_share_statements(repository: SqlTaskRepository, database: Counting) -> None:
    claims = await claimed(repository)
    assert len({claim.lease.task_id for claim in claims}) == MANY
    assert all(await asyncio.gather(*(repository.finish(claim.lease, RESULT) for claim in claims)))
    assert 3 <= database.asked <= 3 * 2, "one by itself, and the others together"
    assert set((await statuses(repository, claims)).values()) == {TaskStatus.COMPLETED}


async def test_lost_lease_among_others_is_told_to_its_own_caller(repository: SqlTaskRepository) -> None:
    claims = await claimed(repository)
    leases = [replace(claim.lease, attempt=9) if n % 3 == 0 else claim.lease for n, claim in enumerate(claims)]
    finished = await asyncio.gather(*(repository.finish(lease, RESULT) for lease in leases))
    assert finished == [n % 3 != 0 for n in range(MANY)]


async def test_defect_of_one_leaves_the_others_alone(repository: SqlTaskRepository) -> None:
    claims = await claimed(repository)
    unstorable = replace(RESULT, counts={"\0": 1})
    results = [unstorable if n == MANY // 2 else RESULT for n in range(MANY)]
    finishes = (repository.finish(claim.lease, result) for claim, result in zip(claims, results, strict=True))
    outcomes = await asyncio.gather(*finishes, return_exceptions=True)
    assert [outcome is True for outcome in outcomes] == [n != MANY // 2 for n in range(MANY)]
    assert isinstance(outcomes[MANY // 2], DBAPIError)


async def test_absent_database_is_told_to_all(repository: SqlTaskRepository, database: Counting) -> None:
    claims = await claimed(repository)
    database.away = True
    finishes = (repository.finish(claim.lease, RESULT) for claim in claims)
    outcomes = await asyncio.gather(*finishes, return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    database.away = False
    assert all(await asyncio.gather(*(repository.finish(claim.lease, RESULT) for claim in claims)))


async def test_cancelled_caller_leaves_the_others_alone(repository: SqlTaskRepository) -> None:
    claims = await claimed(repository)
    finishing = [asyncio.create_task(repository.finish(claim.lease, RESULT)) for claim in claims]
    await asyncio.sleep(0)
    finishing[0].cancel()
    finishing[MANY // 2].cancel()
    outcomes = await asyncio.gather(*finishing, return_exceptions=True)
    assert outcomes.count(True) == MANY - 2
    assert set((await statuses(repository, claims)).values()) == {TaskStatus.COMPLETED}


async def test_keys_among_submissions_bind_one_task_each(repository: SqlTaskRepository) -> None:
    new = [submission(key=f"k-{n % 5}" if n % 2 else None) for n in range(MANY)]
    accepted = await asyncio.gather(*map(repository.add, new))
    assert sum(one.repeated for one in accepted) == MANY // 2 - 5
    assert len({one.task_id for one in accepted}) == MANY // 2 + 5
    assert await repository.count_pending(100) == MANY // 2 + 5
    for one in accepted:
        assert len((await repository.get(one.task_id)).history) == 1
