"""Drive the repository through more examples than CI does: `python -m tests.statemachine --examples 1000`."""

import argparse
import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
from hypothesis.stateful import get_state_machine_test

from ketline.db.schema.migrate import migrate
from tests.servers import PostgresServer
from tests.statemachine.machine import machine_on
from tests.statemachine.profiles import machine_settings
from tests.statemachine.world import World

DATABASE = "ketline"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.statemachine", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="on each database (%(default)s)")
    parser.add_argument("--seed", type=int, help="of an earlier run, to see it again")
    parser.add_argument("--on", choices=["sqlite", "postgresql"], help="one database only")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbits(32)
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if options.on in {None, name}:
            print(f"{name}: {options.examples} examples, --seed {seed}", flush=True)
            with opened() as url, World(url) as world:
                settings = machine_settings(options.examples, derandomized=False)
                hypothesis.seed(seed)(get_state_machine_test(machine_on(world), settings=settings))()
            print(f"{name}: no difference", flush=True)


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite+aiosqlite:///{Path(directory) / 'ketline.db'}"
        asyncio.run(migrate(url))
        yield url


@contextmanager
def _postgresql() -> Iterator[str]:
    server = PostgresServer()
    try:
        asyncio.run(_start(server))
        yield server.url(DATABASE)
    finally:
        asyncio.run(server.close())


async def _start(server: PostgresServer) -> None:
    await server.start()
    await server.create_database(DATABASE)
    await migrate(server.url(DATABASE))


if __name__ == "__main__":
    main()
