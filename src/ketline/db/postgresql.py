"""Transactions on PostgreSQL through asyncpg and a pool.

A transaction is an ordinary function that SQLAlchemy runs in a greenlet: where it waits for the server, the event loop
goes on. `sqlalchemy.ext.asyncio` does so for each statement; here it is done once for a whole transaction, and
the ORM, which that package imports, is left out.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only, greenlet_spawn

from ketline.db.faults import translated

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 10.0
# A process that is frozen or cut off between two statements keeps its row locks no longer than this: the reaper passes
# locked rows over.
IDLE_TRANSACTION_SECONDS = 5.0
# Our statements are for few rows that an index leads to. They are planned when the tables are empty, when going through
# a whole table is best, and such a plan would be kept when there are many rows.
PLANNING = {"jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
# For statements on any number of tasks at once, whose plan is the same for all: to plan takes as long as to run them.
SINGLE = {"plan_cache_mode": "force_generic_plan"}


class PostgresqlTransactions:
    """Any number at once, as far as the pools reach.

    Some connections are for single statements that write, some for those that read; the rest is for transactions.
    """

    def __init__(self, url: str, pool_size: int) -> None:
        statements, reads = max(1, pool_size * 2 // 5), max(1, pool_size * 3 // 10)
        self._engine = _engine(url, max(1 + reads, pool_size - statements))
        self._single = _engine(url, statements, **SINGLE)
        self._statements = _Kept(self._single, most=statements)
        self._reads = _Kept(self._engine, most=reads)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._transact, work)

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._statements.run, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await _retried(self._reads.run, work)

    async def close(self) -> None:
        await greenlet_spawn(self._close)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _close(self) -> None:
        for kept in (self._statements, self._reads):
            kept.close()
        for engine in (self._single, self._engine):
            engine.dispose()


class _Kept:
    """Connections that are kept out of the pool between statements: taking one from it costs as much as a statement.

    At most `most` of them; more statements than that take turns. Each commits by itself.
    """

    def __init__(self, engine: Engine, *, most: int) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._room = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[Connection] = []
        self._closed = False

    def run(self, work: Callable[[Connection], T]) -> T:
        if self._room:
            self._room -= 1
        else:
            await_only(self._turn())
        try:
            return self._run(work)
        finally:
            self._pass_on()

    def drop(self) -> None:
        """Give back those that are idle."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        self._closed = True
        self.drop()

    def _run(self, work: Callable[[Connection], T]) -> T:
        connection = self._idle.pop() if self._idle else self._engine.connect()
        try:
            answer = work(connection)
        except BaseException:
            # Whatever ended this one may have ended the others.
            connection.close()
            self.drop()
            raise
        if self._closed:
            # Its pool is gone: whoever gives it back there leaves it open.
            connection.detach()
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    async def _turn(self) -> None:
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(coming)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await coming
        except BaseException:
            if coming.done() and not coming.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            coming = self._waiting.popleft()
            if not coming.done():
                coming.set_result(None)
                return
        self._room += 1


def _engine(url: str, size: int, **settings: str) -> Engine:
    return create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": STATEMENT_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": "ketline",
                **PLANNING,
                **settings,
                "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS:g}s",
            },
        },
        hide_parameters=True,
    )


async def _retried(run: Callable[[Callable[[Connection], T]], T], work: Callable[[Connection], T]) -> T:
    with translated():
        try:
            return await greenlet_spawn(run, work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await greenlet_spawn(run, work)
