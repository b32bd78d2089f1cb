"""What the database recorded about the tasks of a run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.figures import Spread
from ketline.db.schema.tables import tasks
from ketline.domain.status import TaskStatus

_UNFINISHED = (TaskStatus.PENDING, TaskStatus.PROCESSING)
STAGES = ("queued", "parsing", "simulating")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A completed task."""

    submitted_at: datetime
    completed_at: datetime
    profile: dict[str, Any]

    @property
    def seconds(self) -> float:
        return (self.completed_at - self.submitted_at).total_seconds()

    def stage_seconds(self, stage: str) -> float:
        return float(self.profile[f"{stage}_seconds"])


class Records:
    """Reads a service's database from outside."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def unfinished(self) -> int:
        statement = select(func.count()).select_from(tasks).where(tasks.c.current_status.in_(_UNFINISHED))
        return int(await self._value(statement))

    async def undispatched(self) -> int:
        """How many pending tasks were never put on the queue."""
        waiting = select(func.count()).select_from(tasks)
        statement = waiting.where(tasks.c.current_status == TaskStatus.PENDING, tasks.c.dispatch_count == 0)
        return int(await self._value(statement))

    async def clock(self) -> datetime:
        """The time on the database's clock."""
        at: datetime = await self._value(select(func.clock_timestamp()))
        return at

    async def completions(self, since: datetime) -> list[datetime]:
        """When tasks were completed since then, in order."""
        statement = (
            select(tasks.c.completed_at)
            .where(tasks.c.current_status == TaskStatus.COMPLETED, tasks.c.completed_at >= since)
            .order_by(tasks.c.completed_at)
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(statement)).scalars())

    async def workers(self, since: datetime) -> int:
        """How many workers completed a task since then."""
        completed = (tasks.c.current_status == TaskStatus.COMPLETED, tasks.c.completed_at >= since)
        return int(await self._value(select(func.count(tasks.c.lease_owner.distinct())).where(*completed)))

    async def completed(self, since: datetime) -> list[Record]:
        """The completed tasks that were submitted at `since` or later."""
        statement = select(tasks.c.submitted_at, tasks.c.completed_at, tasks.c.profile).where(
            tasks.c.submitted_at >= since, tasks.c.current_status == TaskStatus.COMPLETED
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [Record(submitted_at=row[0], completed_at=row[1], profile=row[2]) for row in rows]

    async def _value(self, statement: Select[Any]) -> Any:
        async with self._engine.connect() as connection:
            return (await connection.execute(statement)).scalar_one()


@asynccontextmanager
async def open_records(database_url: str) -> AsyncIterator[Records]:
    engine = create_async_engine(database_url, pool_size=1)
    try:
        yield Records(engine)
    finally:
        await engine.dispose()


def stage_spreads(records: Sequence[Record]) -> dict[str, Spread]:
    """The spread of each stage of the profiles, and of the rest of the time between submit and completion.

    SQLite's clock counts milliseconds, so there the rest is exact to one of them only and may come out negative.
    """
    spreads = {stage: Spread.of([record.stage_seconds(stage) for record in records]) for stage in STAGES}
    rest = [record.seconds - sum(map(record.stage_seconds, STAGES)) for record in records]
    return spreads | {"service": Spread.of(rest)}
