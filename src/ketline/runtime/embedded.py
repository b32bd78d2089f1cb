"""Opens the embedded service, for `ketline up` and `ketline run`: one process, on SQLite in its own directory."""

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ketline.config import Settings
from ketline.db.engine.database import open_database
from ketline.domain.errors import ConfigurationInvalid
from ketline.messaging.memory import MemoryQueue
from ketline.runtime.backends import open_backends
from ketline.runtime.background import running
from ketline.runtime.database import migrate, repository_on
from ketline.runtime.metrics import process_metrics, show_space
from ketline.runtime.services import open_services
from ketline.runtime.tracing import open_tracing
from ketline.runtime.upkeep import database_contact
from ketline.runtime.worker import WorkerParts, heartbeat, open_claim_gate, require_engines, worker_parts
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.services import Services
from ketline.service.tasks.watch import LocalNotifier, Watch

DATABASE_FILE = "ketline.db"


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
                        services.health,
                        simulators,
                        backends,
                        gate,
                        services.scrape,
                        metrics,
                        tracing,
                    ),
                )


def database_in(directory: Path) -> str:
    """The URL of the embedded service's database in this directory, which is created if it does not exist.

    Raises:
        ConfigurationInvalid: the directory cannot be used.
    """
    with _usable():
        _make_private(directory)
    return url_of(directory / DATABASE_FILE)


def url_of(file: Path) -> str:
    """The URL of a SQLite database in this file."""
    return f"sqlite+aiosqlite:///{file}"


def require_database(directory: Path) -> None:
    """Check that the embedded service has made its database.

    Raises:
        ConfigurationInvalid: there is none in this directory.
    """
    if not (directory / DATABASE_FILE).exists():
        raise ConfigurationInvalid(
            f"There is no database at {directory / DATABASE_FILE}: name the data directory of the service with "
            "--data-dir or KETLINE_DATA_DIR, or the database of a distributed service with DATABASE_URL."
        )


def _make_private(directory: Path) -> None:
    """Make the directory if there is none; only its user may enter it, as the database has the secrets of webhooks."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationInvalid(
            f"The data directory cannot be used ({error.strerror}); set KETLINE_DATA_DIR."
        ) from error


@contextmanager
def sole_owner(directory: Path) -> Iterator[None]:
    """Lock the directory while the context is open; the operating system releases the lock if the process dies.

    Raises:
        ConfigurationInvalid: the directory cannot be used, or another process uses it.
    """
    with _usable():
        _make_private(directory)
        lock = (directory / "ketline.lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # guard: start.owner
        except BlockingIOError:
            raise ConfigurationInvalid(
                "Another Ketline process uses this data directory; stop it, or set KETLINE_DATA_DIR to another one."
            ) from None
        yield
