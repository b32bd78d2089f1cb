"""The services that the API calls, in one value; `runtime.services` builds it once for each process."""

from dataclasses import dataclass

from ketline.domain.backend import Backend
from ketline.ports.catalogue import TaskCatalogue
from ketline.ports.repositories import TaskReader, TaskSubmissions
from ketline.ports.workers import WorkerRegistry
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.inspection.drawings import DrawCircuit
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.tasks.changes import ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All services of an API process; usable while the context that opened them is open."""

    submit: SubmitTask
    submissions: TaskSubmissions
    reader: TaskReader
    health: CheckHealth
    watch: Watch
    catalogue: TaskCatalogue
    change: ChangeTask
    enqueue: EnqueueTask
    rerun: RerunTask
    statistics: CountTasks
    validate: ValidateProgram
    draw: DrawCircuit
    workers: WorkerRegistry
    backend: Backend
    dead_letters: ManageDeadLetters
