"""The real repository for a state machine: one event loop, one database, emptied between examples."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, Table, delete, insert, select, text, update

from ketline.db.access import SqlProjectStore
from ketline.db.engine.clock import now
from ketline.db.engine.database import Database, open_database
from ketline.db.engine.dialect import POSTGRESQL, SQLITE
from ketline.db.engine.types import UtcDateTime
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import idempotency_keys, project_shares, projects, status_history, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.tasks.shared_queues import SharedQueues
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import IdempotencyKeyReused, TaskEnded, TaskNotFound, TaskNotHeld, TaskNotPending
from ketline.domain.tasks.queues import TaskQueue
from tests.actors import TESTER
from tests.statemachine.model import KEY_SECONDS, REDISPATCH_SECONDS
from tests.statemachine.task import MAX_CRASHES, RETRY_SECONDS

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")

Rejection = TaskEnded | TaskNotFound | TaskNotHeld | TaskNotPending | IdempotencyKeyReused
TABLES = (status_history, idempotency_keys, project_shares, tasks)
PROJECTS = (DEFAULT_PROJECT, ProjectName("other"))
SHIFTS = {
    SQLITE: "strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{seconds} seconds')",
    POSTGRESQL: "{column} - {seconds} * interval '1 second'",
}


class RepeatingDatabase(Database):
    """Commits the next work twice when told to, as after a connection that was cut when COMMIT had been sent."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._transactions, database.dialect)
        self.repeating = False
        self.earlier: list[Any] = []

    async def write(self, work: Callable[[Connection], T]) -> T:
        if self.repeating:
            self.earlier.append(await super().write(work))
        return await super().write(work)

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        if self.repeating:
            self.earlier.append(await super().autocommit(work))
        return await super().autocommit(work)

    async def urgent(self, work: Callable[[Connection], T]) -> T:
        if self.repeating:
            self.earlier.append(await super().urgent(work))
        return await super().urgent(work)

    async def batched(self, work: Callable[[Connection, Sequence[Q]], Sequence[A]], request: Q) -> A:
        return await self._repeated(super().batched, work, request)

    async def gathered(self, work: Callable[[Connection, Sequence[Q]], Sequence[A]], request: Q) -> A:
        return await self._repeated(super().gathered, work, request)

    async def _repeated(self, run: Callable[..., Awaitable[A]], work: object, request: object) -> A:
        repeating, self.repeating = self.repeating, False
        if repeating:
            self.earlier.append(await run(work, request))
        response = await run(work, request)
        self.repeating = repeating  # for the transaction that a submission which is not new has afterwards
        return response


@dataclass(frozen=True)
class Snapshot:
    """All rows at one moment of the database's clock."""

    at: datetime
    tasks: Mapping[UUID, Row[Any]]
    lines: Mapping[UUID, Sequence[Row[Any]]]
    keys: Mapping[str, Row[Any]]

    def seconds_from_now(self, time: datetime | None) -> float | None:
        return None if time is None else (time - self.at).total_seconds()


class World:
    """A repository whose methods are called from ordinary functions, and the rows behind it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._stack = AsyncExitStack()
        # What the clock of the process reads; it moves only when a rule moves it.
        self.process_seconds = 0.0

    def __enter__(self) -> Self:
        opened = self._runner.run(self._stack.enter_async_context(open_database(self._url)))
        self.database = RepeatingDatabase(opened)
        self.start_process()
        self.catalogues = {project: SqlTaskCatalogue(self.database, project=project) for project in PROJECTS}
        self.projects = SqlProjectStore(self.database)
        for project in PROJECTS:
            if project != DEFAULT_PROJECT:  # which the migration stored
                self._runner.run(self.projects.add(project, TESTER))
        return self

    @property
    def repository(self) -> SqlTaskRepository:
        """Workers see all projects in any of them."""
        return self.repositories[DEFAULT_PROJECT]

    def start_process(self) -> None:
        """Begin anew with what a process remembers of the claims that it made."""
        shared_queues = SharedQueues(clock=lambda: self.process_seconds)
        self.repositories = {project: self._repository(project, shared_queues) for project in PROJECTS}

    def _repository(self, project: ProjectName, shared_queues: SharedQueues) -> SqlTaskRepository:
        return SqlTaskRepository(
            self.database,
            redispatch=timedelta(seconds=REDISPATCH_SECONDS),
            retry_policy=RetryPolicy(delay=timedelta(seconds=RETRY_SECONDS), max_crashes=MAX_CRASHES),
            key_lifetime=timedelta(seconds=KEY_SECONDS),
            project=project,
            shared_queues=shared_queues,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def call(self, work: Coroutine[Any, Any, T], *, twice: bool = False) -> list[T | Rejection]:
        """What the call gives or rejects; with `twice` also, before it, what it gave the first time."""
        self.database.repeating, self.database.earlier = twice, []
        last: T | Rejection
        try:
            last = self._runner.run(work)
        except (TaskEnded, TaskNotFound, TaskNotHeld, TaskNotPending, IdempotencyKeyReused) as rejection:
            last = rejection
        self.database.repeating = False
        return [*self.database.earlier, last]

    def look(self) -> Snapshot:
        def work(connection: Connection) -> Snapshot:
            at = connection.execute(select(now())).scalar_one()
            rows = connection.execute(tasks.select()).all()
            lines = connection.execute(status_history.select().order_by(status_history.c.id)).all()
            keys = connection.execute(idempotency_keys.select()).all()
            return Snapshot(
                at,
                {row.task_id: row for row in rows},
                {row.task_id: [line for line in lines if line.task_id == row.task_id] for row in rows},
                {row.key: row for row in keys},
            )

        return self._runner.run(self.database.read(work))

    def pass_time(self, seconds: float) -> None:
        """Move every time in the database back, which is the same as moving its clock on."""

        def work(connection: Connection) -> None:
            for table in TABLES:
                if table is not project_shares:  # which has no times
                    connection.execute(text(self._shift(table, seconds)))

        self._runner.run(self.database.write(work))

    def use(self, queue: TaskQueue, project: ProjectName, seconds: float) -> None:
        """Let a project have used so much of the slots of a queue lately."""

        def work(connection: Connection) -> None:
            key = {"queue": queue.name, "project": project}
            connection.execute(delete(project_shares).where(*(project_shares.c[name] == key[name] for name in key)))
            connection.execute(insert(project_shares).values(**key, used_seconds=seconds))

        self._runner.run(self.database.write(work))

    def empty(self) -> None:
        def work(connection: Connection) -> None:
            for table in TABLES:
                connection.execute(delete(table))
            connection.execute(update(projects).values(weight=1.0))

        self._runner.run(self.database.write(work))

    def _shift(self, table: Table, seconds: float) -> str:
        shift = SHIFTS[self.database.dialect]
        columns = [column.name for column in table.c if isinstance(column.type, UtcDateTime)]
        changes = (f"{column} = {shift.format(column=column, seconds=seconds)}" for column in columns)
        return f"UPDATE {table.name} SET {', '.join(changes)}"
