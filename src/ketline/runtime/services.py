"""The services of an API process, and the loops that run beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.ports.queue import DeadLetterBox, TaskPublisher
from ketline.runtime.background import running
from ketline.runtime.clock import SystemClock
from ketline.runtime.inspection import backend, open_program_inspector
from ketline.runtime.limits import execution_limits
from ketline.runtime.upkeep import open_upkeep
from ketline.service.health.check import CheckHealth
from ketline.service.health.dead_letters import ManageDeadLetters
from ketline.service.health.heartbeat import LostWorkerCleanup
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.inspection.drawings import DrawCircuit, DrawingCache
from ketline.service.inspection.validation import ValidateProgram
from ketline.service.services import Services
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.changes import ChangeTask, EnqueueTask, RerunTask
from ketline.service.tasks.statistics import CountTasks
from ketline.service.tasks.submission import SubmitTask
from ketline.service.tasks.watch import Watch
from ketline.service.upkeep.contact import DatabaseContact

DRAWING_CACHE_CHARACTERS = 16 << 20


@asynccontextmanager
async def open_services(
    settings: Settings,
    repository: SqlTaskRepository,
    publisher: TaskPublisher,
    watch: Watch,
    contact: DatabaseContact,
    dead_letter_box: DeadLetterBox | None = None,
    simulators: SimulatorStatus | None = None,
) -> AsyncIterator[Services]:
    """Open all services on a repository and a publisher; `simulators` is the status of a worker in this process."""
    clock, limits = SystemClock(), execution_limits(settings)
    backlog = Backlog(repository, clock, settings.max_backlog)
    catalogue = SqlTaskCatalogue(repository.database)
    workers = SqlWorkerRegistry(repository.database)
    async with (
        open_program_inspector(settings, limits) as inspector,
        open_upkeep(settings, repository, publisher, contact) as dispatcher,
        running(backlog.run(), watch.run(), LostWorkerCleanup(workers, clock).run()),
    ):
        submit = SubmitTask(repository, dispatcher, backlog, max_attempts=1 + settings.worker_max_retries)
        library, drawings = SqlProgramLibrary(repository.database), DrawingCache(DRAWING_CACHE_CHARACTERS)
        yield Services(
            submit=submit,
            submissions=repository,
            reader=repository,
            health=CheckHealth(repository, publisher, settings.health_timeout_s, simulators=simulators),
            watch=watch,
            catalogue=catalogue,
            change=ChangeTask(catalogue, dispatcher.nudge),
            enqueue=EnqueueTask(repository, dispatcher.nudge),
            rerun=RerunTask(catalogue, submit),
            statistics=CountTasks(catalogue, clock),
            validate=ValidateProgram(inspector, limits.time_limit),
            draw=DrawCircuit(library, inspector, drawings),
            workers=workers,
            backend=backend(settings, limits),
            dead_letters=ManageDeadLetters(clock, dead_letter_box),
        )
