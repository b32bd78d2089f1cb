"""Drawings of circuits, cached: for a task by its id, or for a program that was not submitted.

The route of a task's circuit and the pages call it.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Self

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.ports.tasks.inspection import Inspector, ProgramLibrary


@dataclass(slots=True)
class DrawingCache:
    """The most recently used drawings, up to `most_characters` in total; a larger drawing is not cached."""

    most_characters: int
    _drawn: OrderedDict[bytes, str] = field(default_factory=OrderedDict, init=False)
    _characters: int = field(default=0, init=False)

    def get(self, key: bytes) -> str | None:
        if key in self._drawn:
            self._drawn.move_to_end(key)
        return self._drawn.get(key)

    def put(self, key: bytes, drawn: str) -> None:
        if len(drawn) > self.most_characters or key in self._drawn:
            return
        self._drawn[key] = drawn
        self._characters += len(drawn)
        while self._characters > self.most_characters:
            _, oldest = self._drawn.popitem(last=False)
            self._characters -= len(oldest)


@dataclass(frozen=True, slots=True)
class DrawCircuit:
    """Draws programs; tasks of `project` with the same program, format and inputs share a drawing in `cache`.

    Projects share no drawings: a fast response would reveal that another project has the same program.
    """

    library: ProgramLibrary
    inspector: Inspector
    cache: DrawingCache
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        """Return the service for the tasks of another project."""
        return replace(self, library=self.library.within(project), project=project)

    async def source(self, task_id: TaskId) -> ProgramSource:
        """Return a task's program as it was submitted, and its device without the device's content.

        Raises:
            TaskNotFound: no task has this id.
            DatabaseUnavailable: the program could not be read from the database.
        """
        return await self.library.get(task_id)

    async def __call__(self, task_id: TaskId, drawing: Drawing) -> str:
        """Return the drawing of a task's circuit as it was submitted, in the format `drawing`.

        Raises:
            TaskNotFound: no task has this id.
            ExecutionFailed: its program cannot be read, or cannot be drawn in this format.
            InspectorBusy: too many calls wait for the inspector.
            ServiceUnavailable: the database or the inspector does not work now.
        """
        return await self.program(replace(await self.source(task_id), device=None), drawing)

    async def program(self, source: ProgramSource, drawing: Drawing) -> str:
        """Return the drawing of a program's circuit, in the format `drawing`.

        Raises:
            ExecutionFailed, InspectorBusy, ServiceUnavailable: as for a task.
        """
        key = _digest(self.project, source, drawing)
        drawn = self.cache.get(key)
        if drawn is None:
            drawn = await self.inspector.draw(source, drawing, self.project)
            self.cache.put(key, drawn)
        return drawn


def _digest(project: ProjectName, source: ProgramSource, drawing: Drawing) -> bytes:
    device = source.device and source.device.as_stored()
    drawn = [project, source.circuit, sorted(source.inputs.items()), drawing, source.format, device]
    return sha256(json.dumps(drawn).encode()).digest()
