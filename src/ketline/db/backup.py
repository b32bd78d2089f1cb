"""Copies of a SQLite database: taken while a service uses it, checked, and put in its place.

The runtime opens the parts that need the lock of the data directory; see `runtime.backup`.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from ketline.db.engine.faults import sqlite_fault
from ketline.domain.errors import BackupInvalid, BackupRefused, DatabaseFull
from ketline.domain.operations.backup import BackupSummary

BUSY_SECONDS = 30.0
# Files of a database, by their endings; the last two are there while it is open, or after a crash.
_ENDINGS = ("", "-wal", "-shm")


def back_up(database: Path, target: Path) -> BackupSummary:
    """Copy the database as it is at one moment, also while a service writes to it, and check the copy.

    Raises:
        BackupRefused: there is no database, or there is a file at `target` already.
        BackupInvalid: the copy is damaged, and so the database probably is.
        DatabaseUnavailable: the database cannot be read, or the copy cannot be written.
    """
    if not database.is_file():
        raise BackupRefused(f"There is no database at {database}: name the data directory of the service.")
    _require_free(target)
    with _partial(target) as copy:
        with _faults(copy), closing(_open(database)) as source, closing(_open(copy)) as destination:
            source.backup(destination)
            # One file: the copy does not need the write-ahead log of a database in use.
            destination.execute("PRAGMA journal_mode=DELETE")
        summary = check_backup(copy, database)
        _publish(copy, target)
    return summary


def check_backup(file: Path, named: Path | None = None) -> BackupSummary:
    """Check that a file is a whole database of Ketline; errors call it `named`.

    Raises:
        BackupInvalid: it is not.
    """
    named = named or file
    if not file.is_file():
        raise BackupInvalid(f"There is no file at {named}.")
    _require_no_log(file)
    try:
        # Immutable, so that nothing is written beside a backup, which may be on a read-only disk.
        with closing(_open(file, "immutable=1")) as session:
            [(verdict,), *_] = session.execute("PRAGMA integrity_check").fetchall()
            if verdict != "ok":
                raise BackupInvalid(f"{named} is damaged: {verdict.splitlines()[0]}.")
            revisions = session.execute("SELECT version_num FROM alembic_version").fetchall()
            [tasks] = session.execute("SELECT count(*) FROM tasks").fetchone()
            [newest] = session.execute("SELECT max(transitioned_at) FROM status_history").fetchone()
            at = None if newest is None else datetime.fromisoformat(newest).replace(tzinfo=UTC)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise BackupInvalid(f"{named} is not a database of Ketline, or is damaged: {error}.") from error
    if not revisions:
        raise BackupInvalid(f"{named} has no schema of Ketline: its first start was interrupted.")
    return BackupSummary(size_bytes=file.stat().st_size, revision=str(revisions[0][0]), tasks=tasks, newest=at)


@contextmanager
def restored_copy(backup: Path, database: Path, *, replace: bool) -> Iterator[Path]:
    """A copy of a checked backup beside the place of the database, for `put_in_place`; deleted if it is not put there.

    Raises:
        BackupRefused: a database is there already, and it is not to be replaced.
        DatabaseUnavailable: the copy cannot be written.
    """
    if database.exists() and not replace:
        raise BackupRefused(
            f"There is a database at {database} already: add --replace to move it aside, or use an empty directory."
        )
    with _partial(database) as copy:
        with _faults(copy), closing(_open(backup, "immutable=1")) as source, closing(_open(copy)) as destination:
            source.backup(destination)
        yield copy


def put_in_place(copy: Path, database: Path) -> Path | None:
    """Put a complete copy in the place of the database; the caller holds the lock of the data directory.

    A database that is there is moved aside; returns where it is then. Whenever the process is killed, there is one or
    the other database at the place, as a whole.

    Raises:
        DatabaseUnavailable: the copy cannot be written.
    """
    with _faults(copy):
        _into_one_file(copy)
    _sync(copy)
    aside = _set_aside(database)
    copy.replace(database)
    _sync(database.parent)
    return aside


def _set_aside(database: Path) -> Path | None:
    """Give the file of a database a second name, and move its log there, which would damage another database."""
    if not database.exists():
        for ending in _ENDINGS[1:]:
            database.with_name(database.name + ending).unlink(missing_ok=True)
        return None
    with suppress(sqlite3.Error):  # one that is damaged keeps its log
        _into_one_file(database)
    aside = database.with_name(f"{database.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for ending in _ENDINGS[1:]:
        with suppress(FileNotFoundError):
            database.with_name(database.name + ending).rename(aside.with_name(aside.name + ending))
    try:
        os.link(database, aside)
    except OSError:  # a file system without links
        database.rename(aside)
    return aside


def _into_one_file(database: Path) -> None:
    """Write all that is in the log of a database into its file."""
    with closing(_open(database)) as session:
        session.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        session.execute("PRAGMA journal_mode=DELETE")


def _require_no_log(file: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size:
        raise BackupInvalid(
            f"{file} is a part of a database, whose newest changes are in {log}: move both to an empty directory as "
            "ketline.db and ketline.db-wal, and make a backup of that with `ketline backup --data-dir`."
        )


def _open(file: Path, mode: str = "mode=rw") -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", BUSY_SECONDS, uri=True, isolation_level=None)


@contextmanager
def _faults(copy: Path) -> Iterator[None]:
    """Translate errors of SQLite; a full disk is that of the copy, the only file that is written."""
    try:
        yield
    except sqlite3.Error as error:
        fault = sqlite_fault(error)
        if isinstance(fault, DatabaseFull):
            raise DatabaseFull(f"The disk of {copy.absolute().parent} is full: the copy needs more room.") from error
        raise fault from error


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A new, empty file beside `target` that only this user can read; deleted at the end if it is still there."""
    partial = target.with_name(f".{target.name}.{token_hex(4)}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise BackupRefused(f"{target.parent} cannot be written: {error.strerror}.") from error
    try:
        yield partial
    finally:
        for ending in (*_ENDINGS, "-journal"):
            partial.with_name(partial.name + ending).unlink(missing_ok=True)


def _require_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise BackupRefused(f"There is a file at {target} already: choose another name, or delete it.")


def _publish(copy: Path, target: Path) -> None:
    """Give a complete file its name, unless another file has got it meanwhile; it is on the disk then."""
    _sync(copy)
    try:
        os.link(copy, target)
    except FileExistsError:
        _require_free(target)
    except OSError:  # a file system without links
        _require_free(target)
        copy.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
