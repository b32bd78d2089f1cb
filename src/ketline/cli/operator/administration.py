"""Runs an operator's command on the database of a service, without its API; all operators' commands use it.

The database is that of the embedded service, which may be running, or that of the distributed one, where it is set.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ketline.cli.exit_codes import require_server_libraries
from ketline.cli.server.commands import configured, run_loop
from ketline.domain.access.audit import COMMAND_LINE, Actor
from ketline.domain.access.principals import Owner

if TYPE_CHECKING:
    from ketline.runtime.administration import Administration

T = TypeVar("T")

_DURATION = re.compile(r"(\d{1,8})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAX_LIFETIME = timedelta(days=36_500)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Directory of the embedded service's database; default: DATABASE_URL, or else KETLINE_DATA_DIR."),
]


def checked(parse: Callable[[str], T], text: str) -> T:
    """The value of an option, read by a function that raises `ValueError`."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}.") from None


def parse_duration(text: str) -> timedelta:
    """A duration such as `90d` or `1h`.

    Raises:
        ValueError: it is not one, or longer than a hundred years.
    """
    parts = _DURATION.fullmatch(text)
    duration = None if parts is None else timedelta(**{_UNITS[parts[2]]: int(parts[1])})
    if duration is None or duration > MAX_LIFETIME:
        raise ValueError(f"write a number and a unit, such as 30m, 12h, 90d or 2w, of {MAX_LIFETIME.days}d at most")
    return duration


def operator() -> Actor:
    """The user of the operating system, as the actor in the audit log."""
    try:
        return Actor(owner=Owner(getuser()), origin=COMMAND_LINE)
    except (KeyError, OSError):
        return Actor(origin=COMMAND_LINE)  # a user id without a name, as in containers


def administered(work: Callable[["Administration"], Awaitable[T]], data_dir: Path | None, *, create: bool = True) -> T:
    """Run `work` on the database that the options and the settings name; that of a new data directory is created."""
    with require_server_libraries("This command"):
        from ketline.runtime.administration import open_administration

    settings = configured(data_dir=data_dir)
    embedded = data_dir is not None or "database_url" not in settings.model_fields_set

    async def run() -> T:
        async with open_administration(settings, embedded=embedded, create=create) as administration:
            return await work(administration)

    result: T = run_loop(run())
    return result
