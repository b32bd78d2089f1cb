"""Faults of clients: connections on which nothing comes, or the beginning of a request and no end."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.chaos.faults.context import Fault, FaultContext

CONNECTIONS = 200
_BEGINNINGS: Sequence[bytes] = (
    b"",
    b"POST /tas",
    b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
)


async def stay_silent(context: FaultContext) -> str:
    """Many connections to an API, on none of which a request is completed, for a while."""
    port = context.rng.choice(context.deployment.ports)
    opened = await asyncio.gather(*(_open(port, number) for number in range(CONNECTIONS)))
    writers = [writer for writer in opened if writer is not None]
    try:
        await context.last()
    finally:
        for writer in writers:
            writer.transport.abort()
    return f"{len(writers)} connections to port {port}"


CLIENT_FAULTS: Mapping[str, Fault] = {"stay_silent": stay_silent}


async def _open(port: int, number: int) -> asyncio.StreamWriter | None:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    writer.write(_BEGINNINGS[number % len(_BEGINNINGS)])
    return writer
