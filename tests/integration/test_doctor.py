"""`ketline doctor` on real servers: it sees what is wrong, prints no secret, changes nothing, and never hangs."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import pytest

from ketline.db.claim_controls import SqlClaimControls
from ketline.db.engine.database import open_database
from ketline.db.schema.migrate import migrate
from ketline.domain.attempts.claim_stops import EVERY_QUEUE
from tests.actors import TESTER
from tests.servers import RabbitServer

SECRET = "s3cret-pass"


def diagnosed(directory: Path, *arguments: str, **environment: str) -> tuple[int, Mapping[str, dict[str, Any]], str]:
    """The exit status, the findings by check, and all output of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "ketline", "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=directory,
        env={**os.environ, **environment},
    )
    findings = json.loads(done.stdout)
    return done.returncode, {one["check"]: one for one in findings}, done.stdout + done.stderr


def grades(findings: Mapping[str, dict[str, Any]], *checks: str) -> list[str]:
    return [findings[check]["grade"] for check in checks]


async def test_distributed_service_is_examined_and_nothing_is_changed(
    postgres_url: str, rabbit_server: RabbitServer, tmp_path: Path
) -> None:
    queue = f"tasks_{uuid4().hex}"
    here = {"DATABASE_URL": postgres_url, "KETLINE_QUEUE_URL": rabbit_server.url, "KETLINE_TASK_QUEUE_NAME": queue}
    status, found, _ = await asyncio.to_thread(lambda: diagnosed(tmp_path, **here))
    assert status == 0
    assert grades(found, "database", "schema", "clock", "claims", "broker", f"queue {queue}") == ["ok"] * 6
    assert "not there yet" in found[f"queue {queue}"]["text"]
    async with await aio_pika.connect(rabbit_server.url) as connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.get_queue(queue)
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)
        async with open_database(postgres_url) as database:
            await SqlClaimControls(database).pause(EVERY_QUEUE, None, TESTER)
        session = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        await session.execute("UPDATE alembic_version SET version_num = '0001'")
        await session.close()
        status, found, _ = await asyncio.to_thread(lambda: diagnosed(tmp_path, **here))
        await channel.queue_delete(queue)
    assert status == 1
    assert grades(found, "schema", "claims", f"queue {queue}") == ["problem", "warning", "warning"]
    assert "inequivalent arg" in found[f"queue {queue}"]["text"]
    assert "ketline migrate" in found["schema"]["advice"]


async def test_servers_that_do_not_respond_are_problems_in_time_without_their_passwords(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        here = {
            "DATABASE_URL": f"postgresql://user:{SECRET}@127.0.0.1:{port}/db",
            "KETLINE_QUEUE_URL": f"redis://user:{SECRET}@127.0.0.1:{port}/0",
        }
        began = time.monotonic()
        status, found, output = await asyncio.to_thread(lambda: diagnosed(tmp_path, "--timeout", "2", **here))
        elapsed = time.monotonic() - began
    assert (status, grades(found, "database", "broker")) == (1, ["problem", "problem"])
    assert SECRET not in output
    assert elapsed < 30


async def test_embedded_service_is_examined_before_and_after_its_database_is_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    status, found, _ = await asyncio.to_thread(lambda: diagnosed(tmp_path, "--data-dir", str(data)))
    assert (status, found["database"]["grade"], data.exists()) == (0, "ok", False)
    data.mkdir()
    await migrate(f"sqlite+aiosqlite:///{data / 'ketline.db'}")
    files = sorted(one.name for one in data.iterdir())
    status, found, _ = await asyncio.to_thread(lambda: diagnosed(tmp_path, "--data-dir", str(data)))
    assert (status, grades(found, "database", "schema", "claims")) == (0, ["ok"] * 3)
    assert sorted(one.name for one in data.iterdir()) == files
    (data / "ketline.db").write_bytes(b"no database" * 1000)
    status, found, _ = await asyncio.to_thread(lambda: diagnosed(tmp_path, "--data-dir", str(data)))
    assert (status, found["database"]["grade"]) == (1, "problem")


def test_wrong_setting_is_a_finding(tmp_path: Path) -> None:
    status, found, _ = diagnosed(tmp_path, KETLINE_LEASE_S="never", KETLINE_DATA_DIR=str(tmp_path))
    assert (status, found["settings"]["grade"]) == (1, "problem")
    assert "KETLINE_LEASE_S" in found["settings"]["advice"]
