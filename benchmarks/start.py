"""How long an API process takes from its start to its first answer, and how much of that its libraries' imports are."""

import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.connection import connect
from benchmarks.figures import Spread, StartFigures
from benchmarks.processes import ROOT, clean_environment, end, start_ketline
from tests.servers.ports import free_ports

POLL_SECONDS = 0.002
# Nothing listens there: an API starts without its servers, and is not ready, but alive.
_AWAY = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "RABBITMQ_URL": "amqp://nobody@127.0.0.1:1/"}
_LIBRARIES = "import fastapi, uvicorn, sqlalchemy.dialects.postgresql.asyncpg, asyncpg, aio_pika, structlog, typer"


async def measure_start(*, starts: int) -> StartFigures:
    """Start the API and import its libraries in turn, after one start that leaves everything in the disk's cache."""
    await _first_answer()
    responses, imports = [], []
    for _ in range(starts):
        responses.append(await _first_answer())
        imports.append(await _import_libraries())
    return StartFigures(answer=Spread.of(responses), libraries=Spread.of(imports))


async def _first_answer() -> float:
    (port,) = free_ports(1)
    with TemporaryDirectory(prefix="ketline-benchmark-") as name, (Path(name) / "ketline.log").open("ab") as log:
        began = time.perf_counter()
        process = await start_ketline("api", "--port", str(port), directory=Path(name), log=log, settings=_AWAY)
        try:
            await _answered(port)
            return time.perf_counter() - began
        finally:
            await end(process)


async def _answered(port: int) -> None:
    while True:
        try:
            async with connect(port) as connection:
                await connection.read("/livez")
                return
        except OSError:
            await asyncio.sleep(POLL_SECONDS)


async def _import_libraries() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _LIBRARIES, cwd=ROOT, env=clean_environment())
    await process.wait()
    return time.perf_counter() - began
