"""Validates and draws programs without running them, and reads the programs of stored tasks."""

from typing import Protocol, Self

from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.tasks.spec import TaskSpec


class Inspector(Protocol):
    """Reads programs in a process that can be killed; bounded in time and in the number of waiting calls.

    Cached programs are reused only for calls of the same project.

    Both calls raise:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot be read, or not be drawn.
        TimeLimitExceeded, MemoryLimitExceeded: reading or drawing was stopped at a limit.
        SimulationFailed: the reader failed on this program.
        InspectorBusy: too many calls wait, or this one has waited too long.
        ServiceUnavailable: no process could be started, or two died while reading the program.
    """

    async def inspect(self, spec: TaskSpec, project: ProjectName) -> Inspection:
        """Report how the program of a task would be simulated."""
        ...

    async def draw(self, source: ProgramSource, drawing: Drawing, project: ProjectName) -> str:
        """Draw a program's circuit; the same program always gives the same drawing."""
        ...


class ProgramLibrary(Protocol):
    """Reads the programs of tasks of a project, which no other read of a task includes."""

    def within(self, project: ProjectName) -> Self:
        """Return the port for the tasks of another project."""
        ...

    async def get(self, task_id: TaskId) -> ProgramSource:
        """Return a task's program as it was submitted.

        Raises:
            TaskNotFound: no task has this id.
            DatabaseUnavailable: the database cannot be read.
        """
        ...
