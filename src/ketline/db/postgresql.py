"""Transactions on PostgreSQL through asyncpg and a pool.

A transaction is an ordinary function that SQLAlchemy runs in a greenlet: where it waits for the server, the event loop
goes on. `sqlalchemy.ext.asyncio` does so for each statement; here it is done once for a whole transaction, and
the ORM, which that package imports, is left out.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn

from ketline.db.faults import translated

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 10.0
# A process that is frozen or cut off between two statements keeps its row locks no longer than this: the reaper passes
# locked rows over.
IDLE_TRANSACTION_SECONDS = 5.0


class PostgresqlTransactions:
    """Any number at once, as far as the pool reaches."""

    def __init__(self, url: str, pool_size: int) -> None:
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_SECONDS,
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "command_timeout": STATEMENT_TIMEOUT_SECONDS,
                "server_settings": {
                    "application_name": "ketline",
                    "jit": "off",
                    "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS:g}s",
                },
            },
            hide_parameters=True,
        )
        self._statements = _Kept(self._engine.execution_options(isolation_level="AUTOCOMMIT"), most=pool_size // 2)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._transact, work)

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._statements.run, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._statements.run, work)

    async def close(self) -> None:
        await greenlet_spawn(self._close)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _close(self) -> None:
        self._statements.close()
        self._engine.dispose()


class _Kept:
    """Connections that are kept out of the pool between statements: taking one from it costs as much as a statement.

    At most `most`, so that the pool always has some for transactions.
    """

    def __init__(self, engine: Engine, *, most: int) -> None:
        self._engine = engine
        self._most = most
        self._idle: list[Connection] = []

    def run(self, work: Callable[[Connection], T]) -> T:
        connection = self._idle.pop() if self._idle else self._engine.connect()
        try:
            answer = work(connection)
        except BaseException:
            # Whatever ended this one may have ended the others.
            connection.close()
            self.close()
            raise
        if len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


async def _retried(run: Callable[[Callable[[Connection], T]], T], work: Callable[[Connection], T]) -> T:
    with translated():
        try:
            return await greenlet_spawn(run, work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await greenlet_spawn(run, work)
