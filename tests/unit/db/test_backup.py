"""Copies of a SQLite database: whole or not there, and never in the place of something else."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ketline.db.backup import _faults, back_up, check_backup, put_in_place, restored_copy
from ketline.db.schema.migrate import known_revisions, migrate
from ketline.domain.errors import BackupInvalid, BackupRefused, DatabaseFull

LINE = "INSERT INTO audit (at, action) VALUES ('2026-01-02 03:04:05.000000', ?)"


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "ketline.db"
    await migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def service(database: Path) -> Iterator[sqlite3.Connection]:
    """A session of a service that has written, and has not checkpointed, one entry."""
    with closing(sqlite3.connect(database, isolation_level=None)) as session:
        session.execute("PRAGMA journal_mode=WAL")
        session.execute(LINE, ["before"])
        yield session


def restored(backup: Path, database: Path, *, replace: bool) -> Path | None:
    """Put a backup in the place of the database, as a restore does."""
    with restored_copy(backup, database, replace=replace) as copy:
        return put_in_place(copy, database)


def entries(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as session:
        return [row[0] for row in session.execute("SELECT action FROM audit ORDER BY id")]


def test_copy_has_what_was_committed_while_a_transaction_was_open(
    service: sqlite3.Connection, database: Path, tmp_path: Path
) -> None:
    service.execute("BEGIN IMMEDIATE")
    service.execute(LINE, ["later"])
    summary = back_up(database, tmp_path / "copy.db")
    service.execute("COMMIT")
    assert entries(tmp_path / "copy.db") == ["before"]
    assert (summary.tasks, summary.newest, summary.revision) == (0, None, known_revisions()[0])
    assert summary.size_bytes == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "copy.db",
        "ketline.db",
        "ketline.db-shm",
        "ketline.db-wal",
    ]


def test_nothing_is_overwritten(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(BackupRefused, match="There is a file at"):
        back_up(database, target)
    assert target.read_text() == "precious"
    with pytest.raises(BackupRefused, match="There is no database at"):
        back_up(tmp_path / "nowhere" / "ketline.db", tmp_path / "other.db")
    with pytest.raises(BackupRefused, match="cannot be written"):
        back_up(database, tmp_path / "nowhere" / "copy.db")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "ketline.db"]


def test_damaged_or_foreign_files_are_rejected(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as session:
        session.executemany(LINE, [[f"entry {number}"] for number in range(5000)])
        session.commit()
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    content = copy.read_bytes()
    half = len(content) // 2
    copy.write_bytes(content[:half] + bytes(4096) + content[half + 4096 :])
    with pytest.raises(BackupInvalid, match="damaged"):
        check_backup(copy)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as session:
        session.execute("CREATE TABLE t (x)")
    for file in (foreign, Path(__file__), tmp_path / "nothing"):
        with pytest.raises(BackupInvalid):
            check_backup(file)


def test_database_that_is_there_is_moved_aside_with_its_log(
    service: sqlite3.Connection, database: Path, tmp_path: Path
) -> None:
    back_up(database, tmp_path / "copy.db")
    service.execute(LINE, ["since"])
    with pytest.raises(BackupRefused, match="--replace"):
        restored(tmp_path / "copy.db", database, replace=False)
    aside = restored(tmp_path / "copy.db", database, replace=True)
    assert aside is not None
    assert entries(database) == ["before"]
    assert not database.with_name("ketline.db-wal").exists()
    with closing(sqlite3.connect(aside)) as session:
        assert [row[0] for row in session.execute("SELECT action FROM audit")] == ["before", "since"]


def test_log_of_a_database_that_is_gone_is_not_applied_to_the_restored_one(
    service: sqlite3.Connection, database: Path, tmp_path: Path
) -> None:
    back_up(database, tmp_path / "copy.db")
    database.unlink()
    assert restored(tmp_path / "copy.db", database, replace=False) is None
    assert entries(database) == ["before"]
    assert not database.with_name("ketline.db-wal").exists()


def test_database_that_was_moved_aside_is_one_file_which_can_be_restored(
    service: sqlite3.Connection, database: Path, tmp_path: Path
) -> None:
    back_up(database, tmp_path / "copy.db")
    service.execute(LINE, ["since"])
    service.close()
    aside = restored(tmp_path / "copy.db", database, replace=True)
    assert aside is not None
    assert entries(aside) == ["before", "since"]
    check_backup(aside)
    restored(aside, database, replace=True)
    assert entries(database) == ["before", "since"]


def test_copy_that_is_not_completed_leaves_the_database_in_its_place(database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "copy.db")
    with restored_copy(tmp_path / "copy.db", database, replace=True) as copy:
        assert copy.stat().st_mode & 0o777 == 0o600
        assert database.exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "ketline.db"]


def test_file_without_its_log_is_no_backup(service: sqlite3.Connection, database: Path) -> None:
    with pytest.raises(BackupInvalid, match=r"newest changes are in .*ketline\.db-wal"):
        check_backup(database)


def test_full_disk_is_named_as_that_of_the_copy(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(":memory:")) as full,
        pytest.raises(DatabaseFull, match=f"The disk of {tmp_path} is full"),
        _faults(tmp_path / "copy.db"),
    ):
        full.executescript("PRAGMA max_page_count=1; CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM alembic_version", "first start was interrupted"),
        ("INSERT INTO status_history (task_id, status, transitioned_at) VALUES ('x', 'pending', 'soon')", "damaged"),
    ],
    ids=["no revision", "no time"],
)
def test_database_that_is_not_complete_is_rejected(database: Path, tmp_path: Path, statement: str, why: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as session:
        session.execute(statement)
    with pytest.raises(BackupInvalid, match=f"ketline.db .*{why}"):
        back_up(database, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
