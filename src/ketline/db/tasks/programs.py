"""Reads the programs of stored tasks, for drawings and downloads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, select

from ketline.db.engine.database import Database
from ketline.db.schema.spec import format_of
from ketline.db.schema.tables import tasks
from ketline.domain.errors import TaskNotFound
from ketline.domain.inspection import ProgramSource
from ketline.domain.task import TaskId

_COLUMNS: Sequence[Column[Any]] = [tasks.c.circuit, tasks.c.inputs, tasks.c.program_format]


@dataclass(frozen=True, slots=True)
class SqlProgramLibrary:
    """The `ProgramLibrary` on a database."""

    database: Database

    async def get(self, task_id: TaskId) -> ProgramSource:
        statement = select(*_COLUMNS).where(tasks.c.task_id == task_id)

        def work(connection: Connection) -> Row[Any] | None:
            return connection.execute(statement).one_or_none()

        row = await self.database.read(work)
        if row is None:
            raise TaskNotFound(f"Task {task_id} was not found; check the id.")
        return ProgramSource(circuit=row.circuit, inputs=row.inputs or {}, format=format_of(row))
