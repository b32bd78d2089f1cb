"""Compares the connections that a process may open with what PostgreSQL allows, at its start and for `ketline check`.

The modules of the roles (`api.py`, `worker.py`) call it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from ketline.config import Settings
from ketline.db.engine.connection_limits import read_limits
from ketline.db.engine.database import Database
from ketline.db.engine.postgresql import PLANNING
from ketline.domain.errors import ConfigurationInvalid, DatabaseConnectionsExhausted
from ketline.domain.operations.connections import ConnectionNeed, ServerLimits
from ketline.runtime.background import running
from ketline.runtime.database import open_repository
from ketline.service.loop import Loop

log = structlog.get_logger()

# How long a start waits for the database, which may be down; the comparison is then made when it responds.
START_SECONDS = 2.0
RETRY_SECONDS = 5.0
CLOSING_SECONDS = 0.5
# A session of a pooler is shared, so a process cannot set them; those of a role or a database hold there too.
PLANNER_REMEDY = "; ".join(f"ALTER ROLE … SET {name} = {value}" for name, value in PLANNING.items())


def api_need(settings: Settings) -> ConnectionNeed:
    """The connections that an API needs: those of its pool, and one of the server itself to listen on."""
    return ConnectionNeed(process="api", most=settings.database_pool_size + 1, least=2)


def worker_need(settings: Settings) -> ConnectionNeed:
    """The connections that a worker needs."""
    return ConnectionNeed(process="worker", most=settings.database_pool_size, least=1)


@asynccontextmanager
async def compared_connections(database: Database, need: ConnectionNeed) -> AsyncIterator[None]:
    """Log what the server allows this process, now or, while the database is down, when it responds.

    Raises:
        ConfigurationInvalid: the server allows fewer connections than the process needs to work at all.
    """
    if not database.dialect.limits_connections:
        yield
        return
    comparison = _Comparison(database, need)
    async with running(comparison.loop.run()):
        await comparison.first()
        yield


async def describe_connections(settings: Settings) -> str | None:
    """How many APIs and workers the server has connections for, as sentences; None for a database without limits.

    Raises:
        DatabaseUnavailable: the database does not respond.
    """
    async with open_repository(settings) as repository:
        if not repository.database.dialect.limits_connections:
            return None
        return described([api_need(settings), worker_need(settings)], await repository.database.urgent(read_limits))


class _Comparison:
    """A comparison that is made once, when the database responds."""

    def __init__(self, database: Database, need: ConnectionNeed) -> None:
        self.loop = Loop(
            self._compare,
            RETRY_SECONDS,
            delayed="database.connections_unknown",
            crashed="database.connections_crashed",
            quiet=True,
        )
        self._database = database
        self._need = need
        self._tried = asyncio.Event()
        self._limits: ServerLimits | None = None

    async def first(self) -> None:
        """Wait for the first attempt, but no longer than a start may take.

        Raises:
            ConfigurationInvalid: the process cannot work with what the server allows.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._tried.wait()
        if self._limits is not None and (problem := rejection(self._need, self._limits)):
            raise ConfigurationInvalid(problem)

    async def _compare(self) -> None:
        try:
            self._limits = await self._read()
        finally:
            self._tried.set()
        report(self._need, self._limits)
        self.loop.stop()

    async def _read(self) -> ServerLimits:
        try:
            return await self._database.urgent(read_limits)
        except DatabaseConnectionsExhausted:
            # For a moment the server still counts the session by which a pooler is detected, and which is closed.
            await asyncio.sleep(CLOSING_SECONDS)
            return await self._database.urgent(read_limits)


def report(need: ConnectionNeed, limits: ServerLimits) -> None:
    """Log what the server allows, and a warning with what to do if the process may need more than is left."""
    lowest, tightest = limits.lowest, limits.tightest
    if limits.through_pooler:
        # How many connections the pooler allows its clients, only the pooler knows.
        log.info("database.connections_through_pooler", process=need.process, most=need.most)
        if not limits.planner_settings:
            log.info("database.planner_settings_missing", remedy=f"{PLANNER_REMEDY}; see specs/databases.md")
        return
    found = {"process": need.process, "most": need.most, "allowed": lowest.allowed, "limit": str(lowest.name)}
    log.info("database.connections", **found, others=tightest.others, fit=need.fits(limits))
    if tightest.free < need.most:
        log.warning(
            "database.connections_scarce",
            process=need.process,
            most=need.most,
            left=max(0, tightest.free),
            limit=str(tightest.name),
            remedy=tightest.remedy,
        )


def rejection(need: ConnectionNeed, limits: ServerLimits) -> str | None:
    """Why the process cannot work, if the server allows fewer connections than it needs at least."""
    lowest = limits.lowest
    if limits.through_pooler or lowest.allowed >= need.least:
        return None
    return (
        f"PostgreSQL allows `ketline {need.process}` {max(0, lowest.allowed)} of the {need.least} connections without "
        f"which it cannot work (the limit of the {lowest.name}; it opens up to {need.most}): {lowest.remedy}."
    )


def described(needs: Sequence[ConnectionNeed], limits: ServerLimits) -> str:
    """The comparison as sentences, for `ketline check`."""
    if limits.through_pooler:
        most = " and ".join(f"{need.most} for each `ketline {need.process}`" for need in needs)
        return f"A connection pooler is in front of PostgreSQL: it has to allow {most}."
    lowest, tightest = limits.lowest, limits.tightest
    fit = " or ".join(f"{need.fits(limits)} `ketline {need.process}` ({need.most} each)" for need in needs)
    text = (
        f"PostgreSQL allows {max(0, lowest.allowed)} connections (the limit of the {lowest.name}): enough for {fit}. "
        f"Others may take {tightest.others} of them now."
    )
    scarce = tightest.free < max(need.most for need in needs)
    return f"{text} To start another process, {tightest.remedy}." if scarce else text
