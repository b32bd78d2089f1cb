"""Transactions on SQLite that share a commit stay apart in everything else."""

import asyncio
import sys
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from ketline.db.engine.clock import now
from ketline.db.engine.database import open_database
from ketline.db.schema.tables import idempotency_keys


class adding:  # noqa: N801 - reads as what it does
    """Adds a key, then raises if told to."""

    def __init__(self, key: str, *, then: Exception | None = None) -> None:
        self.key = key
        self.then = then

    def __call__(self, connection: Connection) -> str:
        values = {"key": self.key, "fingerprint": "f", "task_id": UUID(int=0), "expires_at": now()}
        connection.execute(insert(idempotency_keys).values(values))
        if self.then is not None:
            raise self.then
        return self.key


def stored(connection: Connection) -> set[str]:
    return set(connection.execute(select(idempotency_keys.c.key)).scalars())


async def test_failure_of_one_leaves_the_others_of_its_commit(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        outcomes = await asyncio.gather(
            database.write(adding("first")),
            *(database.write(adding(f"good-{n}")) for n in range(5)),
            database.write(adding("bad", then=ValueError("not this one"))),
            database.write(adding("good-3")),
            *(database.write(adding(f"good-{n}")) for n in range(5, 10)),
            return_exceptions=True,
        )
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [str] * 6 + [ValueError, IntegrityError] + [str] * 5
        assert await database.read(stored) == {"first", *(f"good-{n}" for n in range(10))}


async def test_cancelled_caller_does_not_stop_the_others(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        writes = [asyncio.create_task(database.write(adding(f"k-{n}"))) for n in range(6)]
        await asyncio.sleep(0)
        writes[2].cancel()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(outcomes[2], asyncio.CancelledError)
        assert [outcome for n, outcome in enumerate(outcomes) if n != 2] == ["k-0", "k-1", "k-3", "k-4", "k-5"]
        assert len(await database.read(stored)) == 6, "a cancelled caller's transaction still has an outcome"


# The middle one of three writes in a commit does not fit on the "disk".
DISK_FULL = """
import asyncio, resource, sys
from uuid import UUID
from sqlalchemy import insert, text
from ketline.db.engine.clock import now
from ketline.db.engine.database import open_database
from ketline.db.schema.tables import idempotency_keys

def adding(key, size):
    def work(connection):
        values = {"key": key, "fingerprint": "f" * size, "task_id": UUID(int=0), "expires_at": now()}
        connection.execute(insert(idempotency_keys).values(values))
    return work

def look(connection):
    connection.execute(text("SELECT 1"))

async def main():
    async with open_database(sys.argv[1]) as database:
        await database.write(adding("before", 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.RLIM_INFINITY))
        sizes = {"first": 1, "large": 8 << 20, "last": 1}
        writes = [database.write(adding(key, size)) for key, size in sizes.items()]
        outcomes = await asyncio.gather(database.write(look), *writes, return_exceptions=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(*[key for key, outcome in zip(sizes, outcomes[1:]) if outcome is None])
asyncio.run(main())
"""


async def test_what_was_answered_as_committed_is_there_when_the_disk_gives_out(sqlite_url: str) -> None:
    """SQLite undoes the whole transaction for an error of the disk, and so the work of other callers in it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DISK_FULL, sqlite_url, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await child.communicate()
    assert child.returncode == 0
    async with open_database(sqlite_url) as database:
        assert await database.read(stored) == {"before", *printed.decode().split()}
