"""The commands `ketline admin` in conditions of a bad night: no database, and one that fails half way."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from ketline.db.engine.database import open_database
from ketline.db.schema.migrate import migrate
from ketline.db.tasks.repository import SqlTaskRepository
from tests.contract.test_repository import claimed, submission


def typed(*arguments: str, data_dir: Path) -> tuple[int, str, str]:
    """The exit status, the output and the errors of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "ketline", *arguments, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ,
    )
    return done.returncode, done.stdout, done.stderr


def test_wrong_directory_is_an_error_and_gets_no_database(tmp_path: Path) -> None:
    directory = tmp_path / "typo"
    status, output, errors = typed("admin", "pause", data_dir=directory)
    assert (status, output) == (2, "")
    assert f"There is no database at {directory / 'ketline.db'}" in errors
    assert not directory.exists()


async def test_what_was_done_is_shown_also_if_the_database_fails_then(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ketline.db'}"
    await migrate(url)
    async with open_database(url) as database:
        repository = SqlTaskRepository(database)
        waiting = submission()
        running = (await claimed(repository)).lease.task_id
        await repository.add(waiting, taken=True)
        await database.write(lambda connection: connection.execute(text("DROP TABLE status_history")))
    command = ("admin", "requeue", str(waiting.task_id), str(running), "--json")
    status, output, errors = await asyncio.to_thread(lambda: typed(*command, data_dir=tmp_path))
    assert json.loads(output) == [{"task_id": str(waiting.task_id), "requeued": "published"}]
    assert (status, "schema" in errors) == (3, True)
