"""Faults of a database that keeps its data: down for longer than a lease, set to another time, full, read-only."""

import asyncio
from collections.abc import Mapping

from tests.chaos.faults.scene import Fault, Scene
from tests.chaos.faults.servers import servers_of

STEP_SECONDS = 600.0
_READ_ONLY = "default_transaction_read_only"
_RELOAD = "SELECT pg_reload_conf()"


async def stop_database(scene: Scene) -> str:
    """PostgreSQL is down for longer than a lease: shut down, or killed."""
    postgres = servers_of(scene).postgres
    end = scene.rng.choice((postgres.stop, postgres.kill))
    await end()
    await asyncio.sleep(scene.plan.outage_seconds)
    await postgres.start()
    return f"{end.__name__}, {scene.plan.outage_seconds:g} s"


async def set_clock_back(scene: Scene) -> str | None:
    """The database's clock is set back by ten minutes."""
    return await _step(scene, -STEP_SECONDS)


async def set_clock_forward(scene: Scene) -> str | None:
    """The database's clock is set forward by ten minutes."""
    return await _step(scene, STEP_SECONDS)


async def take_every_connection(scene: Scene) -> str:
    """Others have every connection of the server that is free, for a while."""
    async with servers_of(scene).database.every_free_session() as taken:
        await scene.last()
    return f"{taken} sessions"


async def forbid_writes(scene: Scene) -> str:
    """The database takes no writes for a while."""
    postgres = servers_of(scene).postgres
    await postgres.execute(f"ALTER SYSTEM SET {_READ_ONLY} = on", _RELOAD)
    try:
        await scene.last()
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


async def _step(scene: Scene, seconds: float) -> str | None:
    if scene.site.clock is None:
        return None
    await scene.site.clock.step(seconds)
    await scene.last()
    return f"{seconds:+g} s"
