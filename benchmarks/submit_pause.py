"""The event loop that serves the API while long programs are submitted.

As a program, `python -m benchmarks.submit_pause ROLE`, it is `ketline up` or `ketline api` beside a coroutine that asks
to be woken every millisecond; for each line it reads it prints how much later it was woken since the line before.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.connection import connect
from benchmarks.figures import Spread, SubmitPauseFigures
from benchmarks.processes import Account, Watch, read_line, say_line
from benchmarks.programs import layered_rotations
from benchmarks.site import Site, open_servers, open_site, ready
from tests.servers.ports import free_ports

TICK_SECONDS = 0.001
IDLE_SECONDS = 5.0
ANSWER_SECONDS = 30.0
PROGRAM_BYTES = 1024 * 1024
QUBITS = 8
SHOTS = 16
SUBMITS = 20
# Between submits, so that what one leaves behind is seen too.
BETWEEN_SECONDS = 0.25


def main(role: str) -> None:
    # Only here: whoever starts this program has no use for them.
    from ketline.cli.server.commands import run_loop
    from ketline.cli.server.serve import serve_api, serve_embedded
    from ketline.config import load_settings
    from ketline.logs import configure_logs

    configure_logs("warning", "json")
    settings = load_settings()
    run_loop(_beside_probe(serve_api(settings) if role == "api" else serve_embedded(settings, lambda _: None)))


async def _beside_probe(serving: Coroutine[Any, Any, None]) -> None:
    probing = asyncio.create_task(_probe())
    try:
        await serving
    finally:
        probing.cancel()
        await asyncio.wait([probing])


async def _probe() -> None:
    """Tick for ever; a line from outside is answered with the delays since the last."""
    asked = asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        asked.set()

    asyncio.get_running_loop().add_reader(sys.stdin, read)
    late: list[float] = []
    woken = time.perf_counter()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        woken, before = time.perf_counter(), woken
        late.append(woken - before - TICK_SECONDS)
        if asked.is_set():
            print(json.dumps(asdict(Spread.of(late))), flush=True)
            asked.clear()
            late.clear()
            woken = time.perf_counter()


async def measure_submit_pause(mode: str, *, seed: int) -> SubmitPauseFigures:
    """Submit programs of about 1 MiB, one after the other, to a service that does nothing else."""
    program = long_program(PROGRAM_BYTES, seed=seed)
    async with _opened(mode) as (site, role):
        (port,) = free_ports(1)
        async with site.module("benchmarks.submit_pause", role, KETLINE_PORT=str(port)) as process:
            await ready(port, process)
            await _delays(process)
            await asyncio.sleep(IDLE_SECONDS)
            idle = await _delays(process)
            watch = Watch.start({"service": Account(process.pid), **site.accounts})
            await _submit(port, program)
            return SubmitPauseFigures(
                mode=mode,
                program_bytes=len(program),
                submits=SUBMITS,
                others=watch.others_share(),
                idle=idle,
                submitting=await _delays(process),
            )


@asynccontextmanager
async def _opened(mode: str) -> AsyncIterator[tuple[Site, str]]:
    """A site for the mode, and the role of the process that serves the API there."""
    async with AsyncExitStack() as stack:
        if mode == "embedded":
            yield stack.enter_context(open_site()), "up"
        else:
            yield await stack.enter_async_context(open_servers()), "api"


async def _submit(port: int, program: str) -> None:
    async with connect(port) as client:
        for _ in range(SUBMITS):
            await client.submit(program, SHOTS)
            await asyncio.sleep(BETWEEN_SECONDS)


async def _delays(process: Process) -> Spread:
    say_line(process, "tell")
    return Spread(**json.loads(await read_line(process, ANSWER_SECONDS)))


def long_program(most_bytes: int, *, seed: int) -> str:
    """A valid program as long as so many bytes allow: layers of rotations and cx, and a measurement."""
    one, two = (len(layered_rotations(qubits=QUBITS, layers=layers, seed=seed)) for layers in (1, 2))
    # Every layer is of the same length: angles below pi have one digit before the point.
    layers = 1 + (most_bytes - one) // (two - one)
    return layered_rotations(qubits=QUBITS, layers=layers, seed=seed)


if __name__ == "__main__":
    main(sys.argv[1])
