"""Show the circuit of a task, drawn once and kept for a while."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

from ketline.domain.inspection import Drawing, ProgramSource
from ketline.domain.task import TaskId
from ketline.ports.inspection import Inspector, ProgramLibrary


@dataclass(slots=True)
class DrawingCache:
    """The drawings asked for last, as many as come to `most_characters`; one that is larger is not kept."""

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
    """Has the programs of tasks drawn; drawings go by what a program says, so that tasks share them."""

    library: ProgramLibrary
    inspector: Inspector
    cache: DrawingCache

    async def source(self, task_id: TaskId) -> ProgramSource:
        """Return a task's program as it was submitted.

        Raises:
            TaskNotFound: no task has this id.
            DatabaseUnavailable: it could not be read.
        """
        return await self.library.get(task_id)

    async def __call__(self, task_id: TaskId, drawing: Drawing) -> str:
        """Return a task's circuit in a form.

        Raises:
            TaskNotFound: no task has this id.
            ExecutionFailed: its program cannot be read, or not be drawn so.
            InspectorBusy: too many others ask.
            ServiceUnavailable: it cannot be read or drawn now.
        """
        return await self.program(await self.source(task_id), drawing)

    async def program(self, source: ProgramSource, drawing: Drawing) -> str:
        """Return a program's circuit in a form, for a task or not.

        Raises:
            ExecutionFailed, InspectorBusy, ServiceUnavailable: as for a task's.
        """
        key = _digest(source, drawing)
        drawn = self.cache.get(key)
        if drawn is None:
            drawn = await self.inspector.draw(source, drawing)
            self.cache.put(key, drawn)
        return drawn


def _digest(source: ProgramSource, drawing: Drawing) -> bytes:
    return sha256(json.dumps([source.circuit, sorted(source.inputs.items()), drawing, source.format]).encode()).digest()
