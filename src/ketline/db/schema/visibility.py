"""The visibility of tasks to callers: every statement of the clients has the condition that a task is of their project.

Statements that clients cause have it, by `repository.py`, `catalogue.py` and `programs.py`, which know the project. The
statements of workers and of upkeep see all projects.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, literal

from ketline.db.engine.planner_hints import checked, has_value
from ketline.db.schema.tables import tasks
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName


def is_of(project: ProjectName | None, table: Any = tasks) -> ColumnElement[bool]:
    """Whether a row that was found by its id belongs to this project; without one, to `bound_project`."""
    wanted = bindparam("bound_project", type_=Text()) if project is None else literal(project, Text())
    return checked(table.c.project == wanted)  # guard: project.visible


def all_of(project: ProjectName) -> ColumnElement[bool]:
    """Selects the tasks of a project by an index that begins with it; the statement sorts by the project first."""
    return has_value(tasks.c.project, literal(project, Text()))


def key_in(project: ProjectName, key: str) -> str:
    """An idempotency key as it is stored: each project has its own keys.

    Those of the default project are stored as they are, as before there were projects. Keys of requests have no tabs.
    """
    return key if project == DEFAULT_PROJECT else f"{project}\t{key}"  # guard: project.key
