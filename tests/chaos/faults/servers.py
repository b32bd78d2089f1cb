"""Faults of what a distributed service stands on: the database and the broker."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from uuid import uuid4

import aio_pika

from tests.chaos.faults.scene import Fault, Scene
from tests.chaos.site.deployment import QUEUE, Servers

REPEATS = 10
TASKS_REPEATED = 60
ALARM_SECONDS = (1.0, 4.0)
DOWN_SECONDS = (0.0, 2.0)
_BROKER_SECONDS = 10.0


def servers_of(scene: Scene) -> Servers:
    servers = scene.site.servers
    if servers is None:
        raise RuntimeError("an embedded service has no servers to harm")
    return servers


async def repair(scene: Scene) -> None:
    """Start what a fault, or what it led to, has left ended."""
    if scene.site.servers is not None:
        for server in (scene.site.servers.postgres, scene.site.servers.rabbit):
            if not server.running:
                await server.start()


async def kill_postmaster(scene: Scene) -> str:
    """kill -9 every process of PostgreSQL, and start it again on its data."""
    postgres = servers_of(scene).postgres
    await postgres.kill()
    await asyncio.sleep(scene.rng.uniform(*DOWN_SECONDS))
    await postgres.start()
    return f"port {postgres.port}"


async def kill_database_backend(scene: Scene) -> str | None:
    """kill -9 one session's process: the postmaster ends all others and recovers."""
    backends = await servers_of(scene).database.backends()
    if not backends:
        return None
    os.kill(victim := scene.rng.choice(backends), signal.SIGKILL)
    return str(victim)


async def end_database_sessions(scene: Scene) -> str:
    """pg_terminate_backend on every session."""
    return f"{await servers_of(scene).database.end_sessions()} sessions"


async def kill_broker(scene: Scene) -> str:
    """kill -9 every process of RabbitMQ, and start it again on its data."""
    rabbit = servers_of(scene).rabbit
    await rabbit.kill()
    await asyncio.sleep(scene.rng.uniform(*DOWN_SECONDS))
    await rabbit.start()
    return f"port {rabbit.port}"


async def close_broker_connections(scene: Scene) -> str:
    """Have the broker close every connection."""
    await servers_of(scene).rabbit.ctl("close_all_connections", "chaos")
    return "all"


async def raise_memory_alarm(scene: Scene) -> str:
    """Have the broker take no messages for a while, as it does when memory is short."""
    rabbit = servers_of(scene).rabbit
    await rabbit.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        await asyncio.sleep(scene.rng.uniform(*ALARM_SECONDS))
    finally:
        await rabbit.ctl("set_vm_memory_high_watermark", "0.6")
    return "alarm"


async def purge_queue(scene: Scene) -> str:
    """Empty the queue behind the service's back."""
    async with asyncio.timeout(_BROKER_SECONDS):
        connection = await aio_pika.connect(servers_of(scene).rabbit.url)
        async with connection, connection.channel() as channel:
            queue = await channel.get_queue(QUEUE, ensure=False)
            purged = await queue.purge()
    return f"{purged.message_count} messages"


async def repeat_messages(scene: Scene) -> str:
    """Publish the message of every waiting, running and lately ended task ten times more."""
    servers = servers_of(scene)
    known = await servers.database.unfinished(TASKS_REPEATED)
    known = [*known, *await servers.database.ended_tasks(10)]
    async with asyncio.timeout(_BROKER_SECONDS):
        connection = await aio_pika.connect(servers.rabbit.url)
        async with connection, connection.channel(publisher_confirms=False) as channel:
            for task_id in [task_id for task_id in known for _ in range(REPEATS)]:
                await channel.default_exchange.publish(_message(task_id), routing_key=QUEUE)
    return f"{len(known)} tasks"


def _message(task_id: str) -> aio_pika.Message:
    body = json.dumps({"task_id": task_id, "correlation_id": "repeated"}).encode()
    return aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(uuid4()),
        correlation_id="repeated",
    )


SERVER_FAULTS: Mapping[str, Fault] = {
    "kill_postmaster": kill_postmaster,
    "kill_database_backend": kill_database_backend,
    "end_database_sessions": end_database_sessions,
    "kill_broker": kill_broker,
    "close_broker_connections": close_broker_connections,
    "raise_memory_alarm": raise_memory_alarm,
    "purge_queue": purge_queue,
    "repeat_messages": repeat_messages,
}
# Faults of one server do not overlap; those of processes may overlap with everything.
SERVER_OF: Mapping[str, str] = {
    "kill_postmaster": "postgres",
    "kill_database_backend": "postgres",
    "end_database_sessions": "postgres",
    "kill_broker": "rabbit",
    "close_broker_connections": "rabbit",
    "raise_memory_alarm": "rabbit",
    "purge_queue": "rabbit",
    "repeat_messages": "rabbit",
}
