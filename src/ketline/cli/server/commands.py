"""The commands that run the service; each imports its libraries when it runs, so that other commands start fast."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketline.cli.exit_codes import SERVICE_ERROR, TASK_FAILED, fail, require_server_libraries

if TYPE_CHECKING:
    from ketline.config import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 for any free port.")]

# Collections of young objects come so far apart: a request makes hundreds of objects, and few of them are in cycles.
YOUNG_OBJECTS = 10_000


def up(
    host: Host = None,
    port: Port = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of the SQLite database.")] = None,
) -> None:
    """Run the whole service in this process on SQLite: API, queue and workers."""
    with require_server_libraries("ketline up"):
        from ketline.cli.server.serve import serve_embedded

    settings = _configured_api(embedded=True, host=host, port=port, data_dir=data_dir)

    def ready(url: str) -> None:
        print(f"Ketline is ready at {url} with its data in {settings.data_dir}; Ctrl-C stops it.", flush=True)

    run_loop(serve_embedded(settings, ready))


def api(host: Host = None, port: Port = None) -> None:
    """Serve the REST API of a distributed service on PostgreSQL and RabbitMQ or Redis."""
    with require_server_libraries("ketline api"):
        from ketline.cli.server.serve import serve_api

    run_loop(serve_api(_configured_api(host=host, port=port)))


def worker(
    slots: Annotated[int | None, typer.Option(help="Programs to run at once; default: the number of cores.")] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Kinds of tasks to take: some of simulate,convert,run; default: all.")
    ] = None,
    backends: Annotated[
        str | None, typer.Option(help="External backends to take, of those in KETLINE_BACKENDS; default: all.")
    ] = None,
) -> None:
    """Run tasks of a distributed service; start as many workers as you like."""
    with require_server_libraries("ketline worker"):
        from ketline.cli.server.serve import run_worker

    run_loop(run_worker(_configured_server(worker_slots=slots, worker_kinds=kinds, worker_backends=backends)))


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: print what is to be done; exit 1 if processes must stop.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(help="Number of a migration: take back those after it, and what they stored.")
    ] = None,
) -> None:
    """Migrate the database of a distributed service to the schema of this version.

    Running processes of the version before continue, unless `--check` says to stop them first.
    """
    with require_server_libraries("ketline migrate"):
        from ketline.runtime.database import migrate_database, schema_state

    settings = configured()
    if not check:
        run_loop(migrate_database(settings, to or "head"))
    state = run_loop(schema_state(settings))
    if not check and to is None and not state.later:
        print("The database schema is up to date.")
        return
    print(state.described)
    if check and not state.rolling:
        raise SystemExit(TASK_FAILED)


def check() -> None:
    """Check that the database and the broker of a distributed service respond; exit 0 if they do.

    Says how many connections PostgreSQL allows, and how many processes they are enough for.
    """
    with require_server_libraries("ketline check"):
        from ketline.cli.server.check import check_connections
        from ketline.runtime.connections import describe_connections

    settings = configured()
    if problems := run_loop(check_connections(settings)):
        fail("; ".join(problems), SERVICE_ERROR)
    print("The database and the broker respond.")
    if connections := run_loop(describe_connections(settings)):
        print(connections)


def configured(*, embedded: bool = False, **overrides: Any) -> "Settings":
    """Load the settings, override them with the options that were given, and configure the logs.

    It warns about each variable of older services that is set and not used.
    """
    import structlog

    from ketline.config import load_settings, read_older_variables
    from ketline.logs import configure_logs

    given = {name: value for name, value in overrides.items() if value is not None}
    settings = load_settings(**given)
    configure_logs(settings.log_level, settings.log_format)
    for name, reason in read_older_variables(embedded=embedded).unused.items():
        structlog.get_logger().warning("settings.variable_unused", variable=name, reason=reason)
    return settings


def _configured_server(*, embedded: bool = False, **overrides: Any) -> "Settings":
    """Do as `configured` for a server process, whose output must not block when its reader is stuck."""
    from ketline.logs import non_blocking

    sys.stdout, sys.stderr = non_blocking(sys.stdout), non_blocking(sys.stderr, log_drops=True)
    return configured(embedded=embedded, **overrides)


def _configured_api(*, embedded: bool = False, **overrides: Any) -> "Settings":
    """Do as `configured` for a process that serves requests, unless it would serve those of strangers by mistake."""
    from ketline.config import load_settings, reject_open_service

    reject_open_service(load_settings(**{name: value for name, value in overrides.items() if value is not None}))
    return _configured_server(embedded=embedded, **overrides)


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in a uvloop event loop."""
    import uvloop

    gc.freeze()  # all modules are imported now: later collections can skip them
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
