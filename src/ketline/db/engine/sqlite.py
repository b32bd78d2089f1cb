"""Transactions on SQLite: one thread writes, one reads, and waiting writes share a commit; `database.py` opens them.

A transaction is a few statements of some ten microseconds each; passing each statement to a thread and back would take
longer than all of them. So a whole transaction runs without interruption in the thread that owns its connection.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from ketline.db.engine.batcher import Batcher, Response
from ketline.db.engine.faults import translated
from ketline.db.engine.sqlite_file import DatabaseFile
from ketline.domain.errors import DatabaseUnavailable

T = TypeVar("T")
Work = Callable[[Connection], T]


@dataclass(frozen=True, slots=True)
class _Job:
    """A write; an error in one that `may_fail` must not undo the other writes of its transaction."""

    work: Work[Any]
    may_fail: bool


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # guard: sqlite.synchronous
    "foreign_keys=ON",
    "busy_timeout=5000",
)
# More would keep the first caller waiting without saving much of the commit.
MAX_IN_A_COMMIT = 32


class SqliteTransactions:
    """Runs writes in the order of their requests; each completes after the commit that holds it."""

    def __init__(self, url: str) -> None:
        self._file = file = DatabaseFile(make_url(url).database or None)
        self._writer = _ConnectionThread(url, file, begin="BEGIN IMMEDIATE", writes=True)  # guard: sqlite.immediate
        self._reader = _ConnectionThread(url, file, begin="BEGIN", writes=False)
        self._writes: Batcher[_Job, Any] = Batcher(self._writer.run, most=MAX_IN_A_COMMIT)

    def write(self, work: Work[T]) -> asyncio.Future[T]:
        return self._writes.submit(_Job(work, may_fail=True))

    def autocommit(self, work: Work[T]) -> asyncio.Future[T]:
        return self._writes.submit(_Job(work, may_fail=False))

    def urgent(self, work: Work[T]) -> asyncio.Future[T]:
        return self.autocommit(work)

    async def read(self, work: Work[T]) -> T:
        [response] = await self._reader.run([_Job(work, may_fail=False)])
        if response.error is not None:
            raise response.error
        return cast("T", response.value)

    async def close(self) -> None:
        await self._writes.drain()
        await self._writer.close()
        await self._reader.close()
        self._file.close()


@dataclass(slots=True)
class _ConnectionThread:
    """A thread with its own connection."""

    url: str
    file: DatabaseFile
    begin: str
    writes: bool
    _engine: Engine = field(init=False)
    _connection: Connection | None = field(default=None, init=False)
    _thread: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._engine = _engine(self.url, self.begin)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")

    async def run(self, jobs: Sequence[_Job]) -> Sequence[Response]:
        """Runs all jobs, in one transaction where possible; an error undoes only the job that raised it."""
        return await asyncio.wrap_future(self._thread.submit(self._run, jobs))

    async def close(self) -> None:
        await asyncio.wrap_future(self._thread.submit(self._close))
        self._thread.shutdown()

    def _run(self, jobs: Sequence[_Job]) -> Sequence[Response]:
        try:
            with translated(), self._transaction() as connection:
                if len(jobs) == 1:
                    return [Response(jobs[0].work(connection))]
                return _run_batch(connection, jobs)
        except _BatchFailed:
            return [outcome for one in jobs for outcome in self._run([one])]
        except Exception as error:
            return [Response(error=error)] * len(jobs)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
            self.file.check()
        # Checked before, so that no write is lost, and after the commit: only what is in the file then is stored.
        if self.writes:
            self.file.check()
        with self._connection.begin():
            yield self._connection
        if self.writes:
            self.file.check()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


class _BatchFailed(Exception):
    """A write of a batch that was not expected to fail has failed; writes that may run only once have not run yet."""


def _run_batch(connection: Connection, jobs: Sequence[_Job]) -> Sequence[Response]:
    """Run the writes that are not expected to fail first, without savepoints, which take as long as a statement."""
    try:
        results = {number: Response(one.work(connection)) for number, one in enumerate(jobs) if not one.may_fail}
    except Exception as error:
        raise _BatchFailed from error
    return [results.get(number) or _run_in_savepoint(connection, one.work) for number, one in enumerate(jobs)]


def _run_in_savepoint(connection: Connection, work: Work[Any]) -> Response:
    try:
        with (
            translated(),
            connection.begin_nested(),  # guard: sqlite.savepoint
        ):
            return Response(work(connection))
    except Exception as error:
        if not _in_transaction(connection):
            # Some errors, of the disk above all, make SQLite undo the whole transaction, and with it what other callers
            # in this commit have done: continuing, and committing nothing, would report success to them.
            raise DatabaseUnavailable("The database could not be written; nothing was stored.") from error
        return Response(error=error)


def _in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.in_transaction)


def _engine(url: str, begin: str) -> Engine:
    path = url.partition("://")[2]
    engine = create_engine(f"sqlite://{path}", pool_size=1, max_overflow=0, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # The driver must not begin or commit by itself.
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
