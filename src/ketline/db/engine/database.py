"""Runs whole transactions on PostgreSQL or SQLite, for the repository and the other adapters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Connection

from ketline.db.engine.batcher import Batcher, Response
from ketline.db.engine.dialect import POSTGRESQL, SQLITE, Dialect
from ketline.db.engine.postgresql import IDLE_SECONDS, PostgresqlTransactions
from ketline.db.engine.sqlite import SqliteTransactions
from ketline.domain.errors import DatabaseUnavailable
from ketline.ports.operations.metrics import Metrics

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")

# How long a statement waits for more requests under load: it costs as much as several requests in it.
GATHERING_SECONDS = 0.004
# More would keep the first caller waiting without saving much of the commit.
MAX_IN_A_STATEMENT = 32


class Transactions(Protocol):
    """Runs transactions on one kind of database; PostgreSQL and SQLite implement it."""

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    def autocommit(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    def urgent(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    async def close(self) -> None: ...


class Database:
    """Runs functions of a connection as whole transactions."""

    def __init__(self, transactions: Transactions, dialect: Dialect) -> None:
        self._transactions = transactions
        self._batchers: dict[Callable[..., Any], Batcher[Any, Any]] = {}
        self.dialect = dialect

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Commit what `work` does, or nothing of it; a cancellation waits for the outcome.

        A connection that turns out dead is replaced once, so `work` may run twice, and the first run may have been
        committed: `work` must give the same outcome when it is repeated. It is an ordinary function of an ordinary
        connection: the adapters keep the event loop free meanwhile.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        return await _shielded(self._transactions.write(work))

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for work whose first statement does all that is done: one round trip on PostgreSQL.

        There each statement is committed by itself, and sees what was committed before it; on SQLite all are one
        transaction.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        return await _shielded(self.autocommit_in_background(work))

    def autocommit_in_background(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """As `autocommit`, for a task that nothing cancels: without the turn of the event loop that a shield takes.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        return self._transactions.autocommit(work)

    async def batched(self, work: Callable[[Connection, Sequence[Q]], Sequence[A]], request: Q) -> A:
        """Runs `work` as `autocommit` does, once for all requests for it that arrived while it ran before.

        `work` returns a result for each request, in order. A request that fails does not affect the
        others: each is then run alone.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        if not self.dialect.batches:
            # Waiting transactions share a commit there, and statements need no round trip.
            [result] = await self.autocommit(lambda connection: work(connection, [request]))
            return result
        return await self.gathered(work, request)

    async def gathered(self, work: Callable[[Connection, Sequence[Q]], Sequence[A]], request: Q) -> A:
        """As `batched`, also on SQLite: for work that reads something once for all requests.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        if work not in self._batchers:
            self._batchers[work] = Batcher(
                lambda requests: self._respond(work, requests),
                most=MAX_IN_A_STATEMENT,
                gathering_seconds=GATHERING_SECONDS,
            )
        return cast("A", await _shielded(self._batchers[work].submit(request)))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, whose every statement sees one state of the database: on PostgreSQL it is one round trip.

        Raises:
            DatabaseUnavailable: the database did not respond.
        """
        return await _shielded(self._transactions.read(work))

    async def urgent(self, work: Callable[[Connection], T]) -> T:
        """As `autocommit`, for a lease or a health check: however many others wait, it does not wait for them.

        Raises:
            DatabaseUnavailable: the outcome is not known to be a commit.
        """
        return await _shielded(self._transactions.urgent(work))

    async def _respond(
        self, work: Callable[[Connection, Sequence[Q]], Sequence[A]], requests: Sequence[Q]
    ) -> Sequence[Response]:
        try:
            results = await self.autocommit_in_background(lambda connection: work(connection, requests))
            return [Response(result) for result in results]
        except Exception as error:
            if len(requests) == 1 or isinstance(error, DatabaseUnavailable):  # guard: write.defect
                return [Response(error=error)] * len(requests)
        return [(await self._respond(work, [request]))[0] for request in requests]


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int = 10, idle_seconds: float = IDLE_SECONDS, metrics: Metrics | None = None
) -> AsyncIterator[Database]:
    """Open a database for the duration of the context; it connects on first use, so the server may be down."""
    dialect = SQLITE if url.startswith("sqlite") else POSTGRESQL
    transactions: Transactions = (
        SqliteTransactions(url)
        if dialect is SQLITE
        else PostgresqlTransactions(url, pool_size, idle_seconds=idle_seconds, metrics=metrics)
    )
    try:
        yield Database(transactions, dialect)
    finally:
        await transactions.close()


async def _shielded(work: Awaitable[T]) -> T:
    """Await `work` even when the caller is cancelled: a connection abandoned in mid-statement is lost or dirty."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)  # guard: write.decided
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
