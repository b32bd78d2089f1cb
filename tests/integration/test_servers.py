"""The throwaway servers themselves: other tests trust that they crash, come back with their data and leave nothing."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from tests.servers import MissingServer, PostgresServer, RabbitServer
from tests.servers.binaries import find_postgres, find_rabbitmq

_ROOT = Path(__file__).parents[2]
_ORPHAN_SCRIPT = """
import asyncio
from tests.servers import {server}

async def main():
    server = {server}()
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_postgres_keeps_committed_rows_when_killed(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server()
    await server.create_database("first")
    await _postgres(server, "first", "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('kept')")
    await server.kill()
    with pytest.raises(OSError, match=str(server.port)):
        await _postgres(server, "first", "SELECT 1")
    await server.start()
    assert await _postgres(server, "first", "SELECT text FROM notes") == ["kept"]


async def test_postgres_keeps_rows_over_a_clean_restart(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server(durable=True)
    assert await _postgres(server, "postgres", "SHOW fsync") == ["on"]
    await _postgres(server, "postgres", "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('kept')")
    await server.stop()
    assert not server.running
    await server.start()
    assert await _postgres(server, "postgres", "SELECT text FROM notes") == ["kept"]


async def test_postgres_copies_and_drops_databases(postgres_server: PostgresServer) -> None:
    await postgres_server.create_database("pattern")
    await _postgres(postgres_server, "pattern", "CREATE TABLE notes AS SELECT 'copied' AS text")
    await postgres_server.create_database("copy", template="pattern")
    assert await _postgres(postgres_server, "copy", "SELECT text FROM notes") == ["copied"]
    await postgres_server.drop_database("copy")
    await postgres_server.drop_database("pattern")
    await postgres_server.drop_database("pattern")
    left = await _postgres(postgres_server, "postgres", "SELECT datname FROM pg_database")
    assert not {"pattern", "copy"} & set(left)


async def test_rabbit_keeps_confirmed_messages_when_killed(
    private_rabbit_server: Callable[[], Awaitable[RabbitServer]],
) -> None:
    server = await private_rabbit_server()
    await _publish(server, "notes", b"kept")
    await server.kill()
    with pytest.raises(OSError, match=str(server.port)):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.start()
    assert await _take(server, "notes") == b"kept"
    await server.stop()
    assert not server.running


async def test_rabbit_control_tool_reaches_this_server_only(rabbit_server: RabbitServer) -> None:
    await _publish(rabbit_server, "counted", b"one")
    assert "counted" in (await rabbit_server.ctl("list_queues", "--no-table-headers", "name")).splitlines()
    assert await _take(rabbit_server, "counted") == b"one"


async def test_a_server_that_died_by_itself_starts_again(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server()
    with contextlib.suppress(asyncpg.PostgresError, OSError):
        await _postgres(server, "postgres", "COPY (SELECT 1) TO PROGRAM 'kill -QUIT $(head -1 postmaster.pid)'")
    async with asyncio.timeout(30):
        while True:
            if not server.running:
                break
            await asyncio.sleep(0.05)
    await server.start()
    assert await _postgres(server, "postgres", "SELECT 1") == [1]


@pytest.mark.parametrize("server", ["PostgresServer", "RabbitServer", "RedisServer"])
async def test_nothing_is_left_when_the_test_run_is_killed(server: str, open_directory: Path) -> None:
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ORPHAN_SCRIPT.format(server=server)),
        cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(open_directory)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert run.stdout is not None
    assert await asyncio.wait_for(run.stdout.readline(), timeout=90)
    assert _processes_below(open_directory)
    run.kill()
    await run.communicate()
    await asyncio.wait_for(_until_empty(open_directory), timeout=60)


@pytest.mark.parametrize(("find", "package"), [(find_postgres, "postgresql"), (find_rabbitmq, "rabbitmq-server")])
def test_missing_programs_are_rejected_with_what_to_install(
    find: Callable[[Sequence[str]], Path], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingServer, match=f"apt-get install {package}"):
        find([str(tmp_path / "*")])


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A temporary directory that the servers' accounts may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


async def _postgres(server: PostgresServer, database: str, *statements: str) -> list[object]:
    """The first column of the last statement's rows."""
    connection = await asyncpg.connect(host="127.0.0.1", port=server.port, user="postgres", database=database)
    try:
        rows = [await connection.fetch(statement) for statement in statements]
    finally:
        await connection.close()
    return [row[0] for row in rows[-1]]


async def _publish(server: RabbitServer, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def _take(server: RabbitServer, queue: str) -> bytes:
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(queue)).get(timeout=30)
        assert message is not None
        await message.ack()
        return message.body


async def _until_empty(directory: Path) -> None:
    """Returns when every process and every file below the directory is gone."""
    while True:
        if not _processes_below(directory) and not _names_in(directory):
            return
        await asyncio.sleep(0.05)


def _names_in(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()]


def _processes_below(directory: Path) -> list[int]:
    """Processes that name something below the directory in their command line or environment, or work there."""
    below, found = os.fsencode(directory) + b"/", []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            traces = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
            if any(below in trace for trace in [*traces, os.fsencode((entry / "cwd").readlink())]):
                found.append(int(entry.name))
    return found
