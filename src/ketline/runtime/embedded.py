"""Opens the embedded service, for `ketline up` and `ketline run`: one process, on SQLite in its own directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ketline.config import Settings
from ketline.db.engine.database import open_database
from ketline.messaging.memory import MemoryQueue
from ketline.runtime.backends import open_backends
from ketline.runtime.background import running
from ketline.runtime.data_directory import database_in, sole_owner
from ketline.runtime.database import migrate, repository_on
from ketline.runtime.metrics import process_metrics, show_space
from ketline.runtime.services import open_services
from ketline.runtime.tracing import open_tracing
from ketline.runtime.upkeep import database_contact
from ketline.runtime.worker import WorkerParts, heartbeat, open_claim_gate, require_engines, worker_parts
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.services import Services
from ketline.service.tasks.watch import LocalNotifier, Watch


@asynccontextmanager
async def open_embedded(settings: Settings, directory: Path) -> AsyncIterator[tuple[Services, WorkerParts]]:
    """Open the whole service in this process, on a SQLite database in `directory`.

    Raises:
        ConfigurationInvalid: the directory cannot be used, or another process uses it; or the service is to simulate on
            a GPU, and there is none.
        DatabaseUnavailable: the database file cannot be opened or migrated.
    """
    require_engines(settings)
    with sole_owner(directory):
        url = database_in(directory)
        await migrate(url)
        metrics = process_metrics("up")
        show_space(metrics, directory)
        async with open_tracing(settings, "up") as tracing, open_database(url) as database:
            local = LocalNotifier()
            repository = repository_on(database, settings, local)
            await repository.start_afresh()  # guard: start.afresh
            queue = MemoryQueue()
            watch = Watch(repository)
            local.on_change = watch.on_change
            simulators = SimulatorStatus(settings.simulation_slots)
            # All leases were granted to an earlier process, which has ended.
            contact = database_contact(settings, steady_at_start=True)
            async with (
                open_services(
                    settings, repository, queue, watch, contact, url, metrics, simulators=simulators, tracing=tracing
                ) as services,
                open_backends(settings) as backends,
                open_claim_gate(settings, database) as gate,
                running(heartbeat(settings, database, simulators, backends, gate).run()),
            ):
                yield (
                    services,
                    worker_parts(
                        settings,
                        repository,
                        queue,
                        services.submit.outbox,
                        contact,
                        services.operations.health,
                        simulators,
                        backends,
                        gate,
                        services.operations.scrape,
                        metrics,
                        tracing,
                    ),
                )
