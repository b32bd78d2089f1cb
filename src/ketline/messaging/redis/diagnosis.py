"""Reads the state of the queues on Redis, for `ketline doctor`; it writes nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from ketline.domain.errors import QueueUnavailable
from ketline.domain.tasks.queues import TaskQueue
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.redis.connection import BROKER_ERRORS, RedisAddress
from ketline.service.diagnosis.servers import QueueFacts

REPLY_SECONDS = 3.0
POLICY = "noeviction"


async def examine_redis(url: str, names: QueueNames, queues: Collection[TaskQueue]) -> tuple[str, Sequence[QueueFacts]]:
    """The server's product and version, and the facts about these queues and their dead letters.

    Raises:
        QueueUnavailable: it cannot be reached, or rejects the login.
    """
    address = RedisAddress(url)
    client: Any = address.client(reply_timeout_seconds=REPLY_SECONDS, retries=0)
    try:
        server: Mapping[str, Any] = await client.info()
        difference = _difference(server)
        found = [await _examine(client, names.of(queue), difference) for queue in queues]
        return f"Redis {server.get('redis_version', '')}".strip(), [*found, await _examine_dead(client, names.dead)]
    except BROKER_ERRORS as error:
        raise QueueUnavailable(
            f"Redis at {address} does not respond ({type(error).__name__}): check the address, the user and the "
            "password of its URL."
        ) from error
    finally:
        await client.aclose()


async def _examine(client: Any, name: str, difference: str | None) -> QueueFacts:
    if not await client.exists(name):
        return QueueFacts(name=name, exists=False)
    try:
        groups = await client.xinfo_groups(name)
    except ResponseError:
        return QueueFacts(name=name, exists=True, difference="it is not a stream")
    consumers = sum(group["consumers"] for group in groups)
    return QueueFacts(
        name=name, exists=True, messages=await client.xlen(name), consumers=consumers, difference=difference
    )


async def _examine_dead(client: Any, name: str) -> QueueFacts:
    there = bool(await client.exists(name))
    return QueueFacts(name=name, exists=there, messages=await client.xlen(name) if there else 0, dead_letters=True)


def _difference(server: Mapping[str, Any]) -> str | None:
    policy = server.get("maxmemory_policy", POLICY)
    if not server.get("maxmemory") or policy == POLICY:
        return None
    return f"the server may evict it: maxmemory_policy is {policy}, not {POLICY}"
