"""What the bounds on connections cost: requests per second with uvicorn's own protocol and with ours, in turns.

python -m benchmarks.connections [--seconds 2] [--rounds 5]
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import time
from functools import partial
from typing import cast

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ketline.api.connection import BoundedConnection, ConnectionLimits, SharedState

CLIENTS = 16
REQUEST = (
    b"POST /tasks HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    b"Connection: keep-alive\r\nUser-Agent: benchmark\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\r\n"
    + b"x"
    * 120
)


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def _serve(listener: socket.socket, *, bounded: bool) -> None:
    shared = SharedState.of(ConnectionLimits())
    protocol = partial(BoundedConnection, shared=shared) if bounded else HttpToolsProtocol
    config = uvicorn.Config(
        _application, log_config=None, http=cast("type[asyncio.Protocol]", protocol), ws="none", lifespan="off"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


async def _client(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.monotonic() < until:
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\nok")
        done += 1
    writer.close()
    return done


async def _rate(port: int, seconds: float) -> float:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_client(port, until) for _ in range(CLIENTS)))) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    context = multiprocessing.get_context("fork")
    rates: dict[bool, list[float]] = {False: [], True: []}
    servers = {}
    for bounded in rates:
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        process = context.Process(target=_serve, args=(listener,), kwargs={"bounded": bounded}, daemon=True)
        process.start()
        servers[bounded] = (process, listener.getsockname()[1])
    try:
        for _ in range(given.rounds):
            for bounded, (_, port) in servers.items():
                rates[bounded].append(uvloop.run(_rate(port, given.seconds)))
    finally:
        for process, _ in servers.values():
            process.terminate()
    plain, ours = (statistics.median(rates[bounded]) for bounded in (False, True))
    print(f"uvicorn's protocol {plain:,.0f} requests/s, bounded {ours:,.0f}, ratio {ours / plain:.3f}")


if __name__ == "__main__":
    main()
