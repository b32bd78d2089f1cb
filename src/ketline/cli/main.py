"""The `ketline` command: lists all commands, and turns their errors into exit statuses."""

import gc
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from ketline.cli.client import convert, deliveries, devices, programs, service, tasks
from ketline.cli.exit_codes import (
    INTERRUPTED,
    SERVICE_ERROR,
    TASK_FAILED,
    TIMED_OUT,
    USAGE_ERROR,
    exit_on_output_error,
    fail,
)
from ketline.cli.operator import admin, audit, backup, doctor, keys, projects
from ketline.cli.server import commands as server
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
    help="Run OpenQASM programs as durable tasks on Qiskit Aer.\n\nExit status: 0 success, 1 a task failed or a "
    "program is not valid, 2 invalid command line, file or request, 3 service unavailable, 4 timeout, "
    "130 interrupted.",
)

COMMANDS: dict[str, list[Callable[..., None]]] = {
    "Programs": [programs.run, programs.submit, convert.convert, service.validate],
    "Tasks": [tasks.get, programs.wait, tasks.enqueue, tasks.cancel, tasks.rerun, tasks.logs],
    "The service": [
        service.workers,
        service.whoami,
        service.stats,
        service.history,
        service.usage,
        service.backends,
        service.bench,
    ],
    "Run the service": [
        *(server.up, server.api, server.worker, server.migrate, server.check, audit.audit),
        *(backup.backup, backup.restore, doctor.doctor),
    ],
}
# Commands with subcommands, by name: what they are for, and the function of each subcommand.
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "devices": (
        "Add, list, show and remove devices, with whose gates and errors programs are run.",
        {
            "add": devices.add_device,
            "list": devices.list_devices,
            "show": devices.show_device,
            "remove": devices.remove_device,
        },
    ),
    "deliveries": (
        "List, show and repeat the deliveries of messages to callbacks.",
        {
            "list": deliveries.list_deliveries,
            "show": deliveries.show_deliveries,
            "repeat": deliveries.repeat_deliveries,
        },
    ),
    "keys": (
        "Create, list, rotate and revoke API keys, on the service's database.",
        {
            "create": keys.create_key,
            "list": keys.list_keys,
            "rotate": keys.rotate_key,
            "revoke": keys.revoke_key,
        },
    ),
    "admin": (
        "Pause claims, drain workers, requeue and fail tasks, free space, on the service's database.",
        {
            "pause": admin.pause,
            "resume": admin.resume,
            "drain": admin.drain,
            "requeue": admin.requeue,
            "fail": admin.fail_task,
            "vacuum": admin.vacuum,
        },
    ),
    "projects": (
        "Create and list projects, set their quotas, and read their webhook secrets, on the service's database.",
        {
            "create": projects.create_project,
            "list": projects.list_projects,
            "set": projects.change_project,
            "secret": projects.webhook_secret,
        },
    ),
}
PANELS = {"devices": "The service", "deliveries": "Tasks"}
# Codes of errors that are mistakes in the command line or the configuration.
MISTAKES = frozenset(
    {
        "backup_invalid",
        "backup_refused",
        "configuration_invalid",
        "key_unknown",
        "project_exists",
        "project_unknown",
        "vacuum_running",
        "worker_unknown",
    }
)


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: its errors become one line and an exit status, never a traceback."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        gc.enable()
        try:
            command(*arguments, **options)
        except ClientError as error:
            fail(str(error), _status_of(error))
        except KetlineError as error:
            fail(str(error), USAGE_ERROR if error.code in MISTAKES else SERVICE_ERROR)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError as error:
            exit_on_output_error(error)

    return guarded


def _status_of(error: ClientError) -> int:
    if isinstance(error, TaskFailed):
        return TASK_FAILED
    if isinstance(error, WaitTimeout):
        return TIMED_OUT
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


def _show_version_and_exit(wanted: bool) -> None:
    if wanted:
        print("ketline", version("ketline"))
        raise typer.Exit


@app.callback()
def _options_of_all(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version_and_exit, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """The options of `ketline` itself, before a command."""


for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(_guarded(command))
for group, (purpose, subcommands) in GROUPS.items():
    subcommand_app = typer.Typer(no_args_is_help=True, help=purpose)
    for name, command in subcommands.items():
        subcommand_app.command(name)(_guarded(command))
    app.add_typer(subcommand_app, name=group, rich_help_panel=PANELS.get(group, "Run the service"))
app.command("list", rich_help_panel="Tasks")(_guarded(tasks.list_tasks))
app.command("version", rich_help_panel="Run the service")(_guarded(show_version))


def main() -> None:
    """Run the command line; the entry point of the package."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Bars, and names of tasks, contain characters that some encodings lack.
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        exit_on_output_error(error)
