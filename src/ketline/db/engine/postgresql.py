"""Transactions on PostgreSQL through asyncpg; `database.py` opens them.

A transaction is an ordinary function that SQLAlchemy runs in a greenlet: while it waits for the server, the event loop
continues. `sqlalchemy.ext.asyncio` does so for each statement; here it is done once for a whole transaction, and the
ORM, which that package imports, is not needed.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from ketline.db.engine.connection_limits import SESSION_NAME, pinned_session_name
from ketline.db.engine.connector import SQLALCHEMY_THROUGH_A_POOLER, THROUGH_A_POOLER, Connector
from ketline.db.engine.faults import translated
from ketline.db.engine.sessions import ServerFull, ServerRoom, Sessions
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.operations.metrics import DATABASE_SESSIONS
from ketline.ports.operations.metrics import Metrics, NoMetrics, Reading
from ketline.service.loop import Loop

T = TypeVar("T")
Work = Callable[[Connection], T]

STATEMENT_TIMEOUT_SECONDS = 10.0
# A process that is frozen or cut off between two statements keeps its row locks no longer than this: the reaper passes
# locked rows over.
IDLE_TRANSACTION_SECONDS = 5.0
IDLE_SECONDS = 10.0
# Our statements are for few rows that an index leads to. They are planned when the tables are empty, when going through
# a whole table is best, and such a plan would be kept when there are many rows.
PLANNING = {"jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
# For statements on any number of tasks at once, whose plan is the same for all: to plan takes as long as to run them.
# They read the first entries of indexes. Without statistics PostgreSQL would collect all entries and sort them.
SINGLE = {"plan_cache_mode": "force_generic_plan", "enable_bitmapscan": "off"}
_LIMIT_TRANSACTION = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS:g}s'"


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Sessions by their use; the reserved one is opened first, pinned, and serves as the fallback."""

    reserved: Sessions
    statements: Sessions
    reads: Sessions
    transactions: Sessions

    def all(self) -> Iterator[Sessions]:
        yield from (self.reserved, self.statements, self.reads, self.transactions)


class PostgresqlTransactions:
    """Up to `most` sessions (four at least), of which one is pinned; others are closed when idle for `idle_seconds`.

    The pinned one runs urgent work, and all work while the server accepts no more clients.
    """

    def __init__(
        self,
        url: str,
        most: int,
        *,
        idle_seconds: float = IDLE_SECONDS,
        connect: Connector | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._connect = connect or Connector(url)
        self._most = most
        self._idle_seconds = idle_seconds
        self._metrics = metrics or NoMetrics()
        self._metrics.on_scrape(DATABASE_SESSIONS, self._count_sessions)
        self._kinds: _Kinds | None = None
        self._opening: asyncio.Task[_Kinds] | None = None
        self._maintaining: asyncio.Task[None] | None = None
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        return await self._retried(lambda kinds: _fallback(kinds, kinds.transactions, _in_transaction(work)))

    async def autocommit(self, work: Work[T]) -> T:
        return await self._retried(lambda kinds: _fallback(kinds, kinds.statements, work))

    async def read(self, work: Work[T]) -> T:
        return await self._retried(lambda kinds: _fallback(kinds, kinds.reads, work))

    async def urgent(self, work: Work[T]) -> T:
        return await self._retried(lambda kinds: _at_once(kinds, work))

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._maintaining is not None:
            self._maintaining.cancel()
            await asyncio.wait([self._maintaining])
        if self._kinds is not None:
            for sessions in self._kinds.all():
                await greenlet_spawn(sessions.close)

    async def _retried(self, run: Callable[[_Kinds], T]) -> T:
        with translated():
            kinds = await self._opened()
            try:
                return await greenlet_spawn(run, kinds)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return await greenlet_spawn(run, kinds)

    async def _opened(self) -> _Kinds:
        """The kinds of sessions; calls that arrive before the server has responded share an attempt and its outcome."""
        if self._kinds is not None:
            return self._kinds
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _Kinds:
        pooled = await self._connect.is_pooled()
        self._kinds = _kinds(self._connect, self._most, pooled=pooled, metrics=self._metrics)
        if not self._closed:
            self._maintaining = asyncio.create_task(self._maintenance(self._kinds).run())
        return self._kinds

    def _count_sessions(self) -> Reading:
        all_kinds = [] if self._kinds is None else list(self._kinds.all())
        return {
            ("idle",): sum(sessions.idle for sessions in all_kinds),
            ("used",): sum(sessions.used for sessions in all_kinds),
        }

    def _maintenance(self, kinds: _Kinds) -> Loop:
        return Loop(
            lambda: self._maintain(kinds),
            min(1.0, self._idle_seconds / 4),
            delayed="sessions.not_maintained",
            crashed="sessions.maintenance_crashed",
            quiet=True,
        )

    async def _maintain(self, kinds: _Kinds) -> None:
        """Keep a session open for urgent work, and close idle sessions."""
        with suppress(DatabaseUnavailable), translated():
            await greenlet_spawn(kinds.reserved.open)
        for sessions in kinds.all():
            with suppress(DatabaseUnavailable), translated():
                await greenlet_spawn(sessions.close_idle, self._idle_seconds)


def _kinds(connect: Connector, most: int, *, pooled: bool, metrics: Metrics) -> _Kinds:
    """Two fifths of the sessions are for single statements that write, three tenths for those that read."""
    statements, reads = max(1, most * 2 // 5), max(1, most * 3 // 10)
    # Through a pooler all have one name: for another one PgBouncer would send a statement of its own to the server.
    pinned = _engine(connect, SESSION_NAME if pooled else pinned_session_name(most), pooled=pooled, **SINGLE)
    single = _engine(connect, SESSION_NAME, pooled=pooled, **SINGLE)
    plain = _engine(connect, SESSION_NAME, pooled=pooled)
    room = ServerRoom()
    if pooled:
        for engine in (pinned, single, plain):
            event.listen(engine, "begin", _limit_transaction)
    return _Kinds(
        reserved=Sessions(_autocommitting(pinned), most=1, pinned=1, metrics=metrics),
        statements=Sessions(_autocommitting(single), most=statements, room=room, metrics=metrics),
        reads=Sessions(_autocommitting(plain), most=reads, room=room, metrics=metrics),
        transactions=Sessions(plain, most=max(1, most - 1 - statements - reads), room=room, metrics=metrics),
    )


def _engine(connect: Connector, name: str, *, pooled: bool, **settings: str) -> Engine:
    """An engine whose sessions have settings of their own, except through a pooler, which shares sessions."""
    limit = {"idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS:g}s"}
    if pooled:
        how: dict[str, Any] = {**THROUGH_A_POOLER, **SQLALCHEMY_THROUGH_A_POOLER, "server_settings": {}}
    else:
        how = {"server_settings": {**PLANNING, **settings, **limit}}
    how["server_settings"]["application_name"] = name
    return create_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={"async_creator_fn": connect, "command_timeout": STATEMENT_TIMEOUT_SECONDS, **how},
        hide_parameters=True,
    )


def _autocommitting(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _limit_transaction(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(_LIMIT_TRANSACTION)


def _fallback(kinds: _Kinds, sessions: Sessions, work: Work[T]) -> T:
    try:
        return sessions.run(work)
    except ServerFull:
        return kinds.reserved.run(work)


def _at_once(kinds: _Kinds, work: Work[T]) -> T:
    if not kinds.reserved.has_spare and kinds.statements.has_spare and kinds.statements.idle:
        return kinds.statements.run(work)
    return kinds.reserved.run(work, urgent=True)


def _in_transaction(work: Work[T]) -> Work[T]:
    def run(connection: Connection) -> T:
        with _isolated(connection), connection.begin():
            return work(connection)

    return run


@contextmanager
def _isolated(connection: Connection) -> Iterator[None]:
    """Run a transaction in a session that otherwise commits each statement."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        yield
        return
    # SQLAlchemy's idea of a transaction, of which the server knows nothing: statements before this one began it.
    connection.rollback()
    connection.execution_options(isolation_level="READ COMMITTED")
    try:
        yield
    finally:
        if not connection.closed and not connection.invalidated:
            connection.execution_options(isolation_level="AUTOCOMMIT")
