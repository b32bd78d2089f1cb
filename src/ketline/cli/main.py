"""The `ketline` command."""

import gc
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from io import TextIOWrapper
from typing import Any

import typer

from ketline.cli import programs, server, service, tasks
from ketline.cli.exit_codes import (
    INTERRUPTED,
    SERVICE_ERROR,
    TASK_FAILED,
    TIME_UP,
    USAGE_ERROR,
    end_without_output,
    fail,
)
from ketline.client import (
    AddressInvalid,
    BatchIncomplete,
    ClientError,
    RequestInvalid,
    RequestRefused,
    TaskFailed,
    WaitTimeout,
)
from ketline.client.retries import TEMPORARY
from ketline.domain.errors import KetlineError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Run OpenQASM 3 programs as durable tasks on Qiskit Aer.\n\nExit status: 0 all well, 1 a task failed or a "
    "program is not valid, 2 a wrong command line, file or request, 3 no answer from the service, 4 time is up, "
    "130 interrupted.",
)

COMMANDS: dict[str, list[Callable[..., None]]] = {
    "Programs": [programs.run, programs.submit, service.validate],
    "Tasks": [tasks.get, programs.wait, tasks.enqueue, tasks.cancel, tasks.rerun, tasks.logs],
    "The service": [service.workers, service.stats, service.bench],
    "Run the service": [server.up, server.api, server.worker, server.migrate, server.check],
}


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose refusals are one line and an exit status, never a traceback."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        gc.enable()
        try:
            command(*arguments, **options)
        except ClientError as error:
            fail(str(error), _status_of(error))
        except KetlineError as error:
            fail(str(error), USAGE_ERROR if error.code == "configuration_invalid" else SERVICE_ERROR)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError as error:
            end_without_output(error)

    return guarded


def _status_of(error: ClientError) -> int:
    if isinstance(error, TaskFailed):
        return TASK_FAILED
    if isinstance(error, WaitTimeout):
        return TIME_UP
    if isinstance(error, (AddressInvalid, RequestInvalid)):
        return USAGE_ERROR
    if isinstance(error, BatchIncomplete) and isinstance(error.__cause__, ClientError):
        return _status_of(error.__cause__)
    if isinstance(error, RequestRefused) and error.status < 500 and error.status not in TEMPORARY:
        return USAGE_ERROR
    return SERVICE_ERROR


def show_version() -> None:
    """Print the version."""
    print(version("ketline"))


for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(_guarded(command))
app.command("list", rich_help_panel="Tasks")(_guarded(tasks.list_tasks))
app.command("version", rich_help_panel="Run the service")(_guarded(show_version))


def main() -> None:
    """Entry point."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Bars, and what others name their tasks, are not all in every encoding.
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        end_without_output(error)
