"""Commands that run the service. Its libraries are imported with the command, so that others start without them."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketline.cli.exit_codes import SERVICE_ERROR, fail, server_libraries

if TYPE_CHECKING:
    from ketline.config import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]


def up(
    host: Host = None,
    port: Port = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of the SQLite database.")] = None,
) -> None:
    """Run the whole service in this process on SQLite: API, queue and workers."""
    with server_libraries("ketline up"):
        from ketline.cli.serve import serve_embedded

    _refuse_api_key()
    settings = _serving(host=host, port=port, data_dir=data_dir)

    def ready(url: str) -> None:
        print(f"Ketline is ready at {url} with its data in {settings.data_dir}; Ctrl-C stops it.", flush=True)

    run_loop(serve_embedded(settings, ready))


def api(host: Host = None, port: Port = None) -> None:
    """Serve the REST API of a distributed service on PostgreSQL and RabbitMQ."""
    with server_libraries("ketline api"):
        from ketline.cli.serve import serve_api

    _refuse_api_key()
    run_loop(serve_api(_serving(host=host, port=port)))


def worker(
    slots: Annotated[int | None, typer.Option(help="Programs to run at once; default: cores.")] = None,
) -> None:
    """Run tasks of a distributed service; start as many workers as you like."""
    with server_libraries("ketline worker"):
        from ketline.cli.serve import run_worker

    run_loop(run_worker(_serving(worker_slots=slots)))


def migrate() -> None:
    """Bring the database of a distributed service to the schema of this version."""
    with server_libraries("ketline migrate"):
        from ketline.runtime import migrate_database

    run_loop(migrate_database(configured()))
    print("The database schema is up to date.")


def check() -> None:
    """Exit 0 when the database and the broker of a distributed service answer."""
    with server_libraries("ketline check"):
        from ketline.cli.check import check_connections

    if problems := run_loop(check_connections(configured())):
        fail("; ".join(problems), SERVICE_ERROR)
    print("The database and the broker answer.")


def _refuse_api_key() -> None:
    from ketline.config import refuse_api_key

    refuse_api_key()


def configured(**overrides: Any) -> "Settings":
    """The settings, with what the command line says over them; logs are set up by them."""
    from ketline.config import load_settings
    from ketline.logs import configure_logs

    given = {name: value for name, value in overrides.items() if value is not None}
    settings = load_settings(**given)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _serving(**overrides: Any) -> "Settings":
    """As `configured`, for a process that serves others: nothing that is printed or logged can hold it up any more."""
    from ketline.logs import never_waiting

    sys.stdout, sys.stderr = never_waiting(sys.stdout), never_waiting(sys.stderr, announced=True)
    return configured(**overrides)


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in an event loop of uvloop's."""
    import uvloop

    gc.freeze()  # by now all modules are imported: later collections need not look at them
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
