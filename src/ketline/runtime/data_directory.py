"""The data directory of the embedded service: its database, and the lock of the one process that uses it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ketline.domain.errors import ConfigurationInvalid

DATABASE_FILE = "ketline.db"


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
