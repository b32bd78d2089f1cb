"""Faults of a database that keeps its data: down for longer than a lease, set to another time, full, read-only."""

import asyncio
from collections.abc import Mapping

from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.faults.servers import servers_of

STEP_SECONDS = 600.0
_READ_ONLY = "default_transaction_read_only"
_RELOAD = "SELECT pg_reload_conf()"


async def stop_database(context: FaultContext) -> str:
    """PostgreSQL is down for longer than a lease: shut down, or killed."""
    postgres = servers_of(context).postgres
    end = context.rng.choice((postgres.stop, postgres.kill))
    await end()
    await asyncio.sleep(context.plan.outage_seconds)
    await postgres.start()
    return f"{end.__name__}, {context.plan.outage_seconds:g} s"


async def set_clock_back(context: FaultContext) -> str | None:
    """The database's clock is set back by ten minutes."""
    return await _step(context, -STEP_SECONDS)


async def set_clock_forward(context: FaultContext) -> str | None:
    """The database's clock is set forward by ten minutes."""
    return await _step(context, STEP_SECONDS)


async def take_every_connection(context: FaultContext) -> str:
    """Others have every connection of the server that is free, for a while."""
    async with servers_of(context).database.every_free_session() as taken:
        await context.last()
    return f"{taken} sessions"


async def forbid_writes(context: FaultContext) -> str:
    """The database takes no writes for a while."""
    postgres = servers_of(context).postgres
    await postgres.execute(f"ALTER SYSTEM SET {_READ_ONLY} = on", _RELOAD)
    try:
        await context.last()
    finally:
        await postgres.execute(f"ALTER SYSTEM RESET {_READ_ONLY}", _RELOAD)
    return "read-only"


DATABASE_FAULTS: Mapping[str, Fault] = {
    "stop_database": stop_database,
    "set_clock_back": set_clock_back,
    "set_clock_forward": set_clock_forward,
    "take_every_connection": take_every_connection,
    "forbid_writes": forbid_writes,
}


async def _step(context: FaultContext, seconds: float) -> str | None:
    if context.deployment.clock is None:
        return None
    await context.deployment.clock.step(seconds)
    await context.last()
    return f"{seconds:+g} s"
