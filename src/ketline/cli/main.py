"""The `ketline` command."""

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvloop
from rich.console import Console
from rich.text import Text

from ketline.config import Settings, load_settings
from ketline.domain.errors import KetlineError
from ketline.logs import configure_logs

USAGE_ERROR, SERVICE_ERROR = 2, 3

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Run OpenQASM 3 programs as durable tasks on Qiskit Aer.",
)


@app.command()
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of the SQLite database.")] = None,
) -> None:
    """Run the whole service in this process on SQLite: API, queue and workers."""
    from ketline.cli.serve import serve_embedded

    settings = _configured(host=host, port=port, data_dir=data_dir)

    def ready(url: str) -> None:
        print(f"Ketline is ready at {url} with its data in {settings.data_dir}; Ctrl-C stops it.", flush=True)

    _run(serve_embedded(settings, ready))


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve the REST API of a distributed service on PostgreSQL and RabbitMQ."""
    from ketline.cli.serve import serve_api

    _run(serve_api(_configured(host=host, port=port)))


@app.command()
def worker(
    slots: Annotated[int | None, typer.Option(help="Programs to run at once; default: cores.")] = None,
) -> None:
    """Run tasks of a distributed service; start as many workers as you like."""
    from ketline.cli.serve import run_worker

    _run(run_worker(_configured(worker_slots=slots)))


@app.command()
def migrate() -> None:
    """Bring the database of a distributed service to the schema of this version."""
    from ketline.runtime import migrate_database

    _run(migrate_database(_configured()))
    print("The database schema is up to date.")


@app.command()
def check() -> None:
    """Exit 0 when the database and the broker of a distributed service answer."""
    from ketline.cli.check import check_connections

    if problems := _run(check_connections(_configured())):
        _fail("; ".join(problems), SERVICE_ERROR)
    print("The database and the broker answer.")


@app.command()
def run(
    program: Annotated[Path, typer.Argument(help="An OpenQASM 3 file, or - for standard input.")],
    shots: Annotated[int | None, typer.Option(help="How often to run it; default: the service's.")] = None,
    url: Annotated[
        str | None, typer.Option(envvar="KETLINE_URL", help="A running service; default: one started for this run.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=VALUE",
            help="A value for an 'input' of the program: a number, true, false, or bits in quotes; as often as needed.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole task as JSON.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait for the result; default: any time.")] = None,
) -> None:
    """Run one program and print its counts."""
    from ketline.cli.execute import client_for, run_program
    from ketline.client import ClientError

    text = _read(program)
    inputs = dict(map(_read_input, given or ()))
    settings = _configured(log_level=None if url else "error")

    async def submit_and_wait() -> int:
        async with client_for(url, settings) as client:
            return await run_program(
                client,
                text,
                file=str(program),
                shots=shots,
                inputs=inputs,
                as_json=as_json,
                timeout_seconds=timeout,
            )

    try:
        status = _run(submit_and_wait())
    except ClientError as error:
        _fail(str(error), SERVICE_ERROR)
    raise typer.Exit(status)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    print(version("ketline"))


def main() -> None:
    """Entry point: every refusal of ours is one line and an exit status, never a traceback."""
    try:
        app()
    except KetlineError as error:
        _fail(str(error), USAGE_ERROR if error.code == "configuration_invalid" else SERVICE_ERROR)


def _configured(**overrides: Any) -> Settings:
    given = {name: value for name, value in overrides.items() if value is not None}
    settings = load_settings(**given)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    gc.freeze()  # by now all modules are imported: later collections need not look at them
    gc.enable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _read(program: Path) -> str:
    try:
        return sys.stdin.read() if str(program) == "-" else program.read_text(encoding="utf-8")
    except OSError as error:
        _fail(f"Cannot read {program}: {error.strerror}.", USAGE_ERROR)
    except UnicodeDecodeError:
        _fail(f"{program} is not UTF-8 text.", USAGE_ERROR)


def _read_input(given: str) -> tuple[str, bool | int | float | str]:
    """NAME=VALUE, the value as in JSON: 0.3, 4, true, or "0101" for bits."""
    name, equals, text = given.partition("=")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not equals or not isinstance(value, (bool, int, float, str)):
        _fail(
            f'--input takes NAME=VALUE with a number, true, false or a "quoted" string of bits, not {given!r}.',
            USAGE_ERROR,
        )
    return name.strip(), value


def _fail(message: str, status: int) -> NoReturn:
    Console(stderr=True, highlight=False).print(Text(f"ketline: {message}"), soft_wrap=True)
    raise SystemExit(status)
