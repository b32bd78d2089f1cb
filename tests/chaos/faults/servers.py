"""Faults of what a distributed service stands on: the database and the broker."""

import asyncio
import os
import signal
from collections.abc import Mapping

from redis.exceptions import ResponseError

from tests.chaos.faults.context import Fault, FaultContext
from tests.chaos.testbed.brokers import RedisBroker
from tests.chaos.testbed.deployment import Servers

REPEATS = 10
TASKS_REPEATED = 60
ALARM_SECONDS = (1.0, 4.0)
DOWN_SECONDS = (0.0, 2.0)


def servers_of(context: FaultContext) -> Servers:
    servers = context.deployment.servers
    if servers is None:
        raise RuntimeError("an embedded service has no servers to harm")
    return servers


async def repair(context: FaultContext) -> None:
    """Start what a fault, or what it led to, has left ended."""
    if context.deployment.servers is not None:
        for server in (context.deployment.servers.postgres, context.deployment.servers.broker):
            if not server.running:
                await server.start()


async def kill_postmaster(context: FaultContext) -> str:
    """kill -9 every process of PostgreSQL, and start it again on its data."""
    postgres = servers_of(context).postgres
    await postgres.kill()
    await asyncio.sleep(context.rng.uniform(*DOWN_SECONDS))
    await postgres.start()
    return f"port {postgres.port}"


async def kill_database_backend(context: FaultContext) -> str | None:
    """kill -9 one session's process: the postmaster ends all others and recovers."""
    backends = await servers_of(context).database.backends()
    if not backends:
        return None
    os.kill(victim := context.rng.choice(backends), signal.SIGKILL)
    return str(victim)


async def end_database_sessions(context: FaultContext) -> str:
    """pg_terminate_backend on every session."""
    return f"{await servers_of(context).database.end_sessions()} sessions"


async def kill_broker(context: FaultContext) -> str:
    """kill -9 every process of the broker, and start it again on its data."""
    broker = servers_of(context).broker
    await broker.kill()
    await asyncio.sleep(context.rng.uniform(*DOWN_SECONDS))
    await broker.start()
    return broker.url


async def close_broker_connections(context: FaultContext) -> str:
    """Have the broker close every connection."""
    await servers_of(context).broker.close_connections()
    return "all"


async def raise_memory_alarm(context: FaultContext) -> str:
    """Have the broker take no messages for a while, as it does when memory is short."""
    async with servers_of(context).broker.without_memory():
        await asyncio.sleep(context.rng.uniform(*ALARM_SECONDS))
    return "alarm"


async def purge_queue(context: FaultContext) -> str:
    """Empty the queue behind the service's back."""
    return f"{await servers_of(context).broker.purge()} messages"


async def repeat_messages(context: FaultContext) -> str:
    """Publish the message of every waiting, running and lately ended task ten times more."""
    servers = servers_of(context)
    known = await servers.database.unfinished(TASKS_REPEATED)
    known = [*known, *await servers.database.ended_tasks(10)]
    await servers.broker.publish([task_id for task_id in known for _ in range(REPEATS)])
    return f"{len(known)} tasks"


async def flush_broker(context: FaultContext) -> str:
    """Have Redis forget everything."""
    await _redis(context).flush()
    return "everything"


async def destroy_group(context: FaultContext) -> str | None:
    """Delete the consumer group, so that what was delivered and not acknowledged is delivered again."""
    try:
        await _redis(context).destroy_group()
    except ResponseError:
        return None  # the stream is gone already
    return "group"


async def evict_queue(context: FaultContext) -> str:
    """Have Redis evict keys for a while, the queue among them."""
    async with _redis(context).evicting(context.rng):
        await asyncio.sleep(context.rng.uniform(*ALARM_SECONDS))
    return "every key"


def _redis(context: FaultContext) -> RedisBroker:
    broker = servers_of(context).broker
    if not isinstance(broker, RedisBroker):
        raise TypeError("the broker of this run is not Redis")
    return broker


SERVER_FAULTS: Mapping[str, Fault] = {
    "kill_postmaster": kill_postmaster,
    "kill_database_backend": kill_database_backend,
    "end_database_sessions": end_database_sessions,
    "kill_broker": kill_broker,
    "close_broker_connections": close_broker_connections,
    "raise_memory_alarm": raise_memory_alarm,
    "purge_queue": purge_queue,
    "repeat_messages": repeat_messages,
    "flush_broker": flush_broker,
    "destroy_group": destroy_group,
    "evict_queue": evict_queue,
}
# Faults of one server do not overlap; those of processes may overlap with everything.
SERVER_OF: Mapping[str, str] = {
    "kill_postmaster": "postgres",
    "kill_database_backend": "postgres",
    "end_database_sessions": "postgres",
    "kill_broker": "broker",
    "close_broker_connections": "broker",
    "raise_memory_alarm": "broker",
    "purge_queue": "broker",
    "repeat_messages": "broker",
    "flush_broker": "broker",
    "destroy_group": "broker",
    "evict_queue": "broker",
}
