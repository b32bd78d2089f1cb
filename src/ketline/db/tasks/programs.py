"""Reads the programs of stored tasks, for the drawings and downloads of the API."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Column, Connection, Row, select

from ketline.db.engine.database import Database
from ketline.db.schema.spec import format_of
from ketline.db.schema.tables import tasks
from ketline.db.schema.visibility import is_of
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.devices.device_run import device_run
from ketline.domain.errors import TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import ProgramSource

_COLUMNS: Sequence[Column[Any]] = [tasks.c.circuit, tasks.c.inputs, tasks.c.program_format, tasks.c.device]


@dataclass(frozen=True, slots=True)
class SqlProgramLibrary:
    """The `ProgramLibrary` on a database, of the tasks of `project`."""

    database: Database
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def get(self, task_id: TaskId) -> ProgramSource:
        statement = select(*_COLUMNS).where(tasks.c.task_id == task_id, is_of(self.project))

        def work(connection: Connection) -> Row[Any] | None:
            return connection.execute(statement).one_or_none()

        row = await self.database.read(work)
        if row is None:
            raise TaskNotFound(f"Task {task_id} was not found; check the id.")
        device = device_run(row.device) if row.device else None
        return ProgramSource(circuit=row.circuit, inputs=row.inputs or {}, format=format_of(row), device=device)
