"""The services of one process, as the composition root opens them and the API calls them."""

from dataclasses import dataclass

from ketline.domain.backend import Backend
from ketline.ports.catalogue import TaskCatalogue
from ketline.ports.inspection import WorkerRegistry
from ketline.ports.repositories import TaskReader, TaskSubmissions
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import KeepDeadLetters
from ketline.service.inspection.drawings import DrawCircuit
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.tasks.changes import ChangeTask, RerunTask
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What an API calls; open for as long as the context that gave it."""

    submit: SubmitTask
    submissions: TaskSubmissions
    reader: TaskReader
    health: CheckHealth
    watch: Watch
    catalogue: TaskCatalogue
    change: ChangeTask
    rerun: RerunTask
    statistics: CountTasks
    validate: ValidateProgram
    draw: DrawCircuit
    workers: WorkerRegistry
    backend: Backend
    dead_letters: KeepDeadLetters
