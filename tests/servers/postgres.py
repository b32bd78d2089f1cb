"""A throwaway PostgreSQL server."""

import asyncio
import ctypes
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tests.servers.binaries import find_postgres
from tests.servers.certificates import Certificate
from tests.servers.ports import free_ports
from tests.servers.process import Account, ServerProcess
from tests.servers.server import Server

_IPC_RMID = 0


class PostgresServer(Server):
    """PostgreSQL on 127.0.0.1 with a data directory of its own that survives stop, kill and start.

    Holds nothing that belongs to an event loop: each method may be awaited from a different one.
    """

    NAME = "PostgreSQL"
    START_SECONDS = 60.0
    POLL_SECONDS = 0.05

    def __init__(
        self, *, durable: bool = False, max_connections: int = 200, standby_of: "PostgresServer | None" = None
    ) -> None:
        self._binaries = find_postgres()
        self._account = Account.of_service("postgres")
        self._directory = self._account.make_directory()
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        self._standby_of = standby_of
        (self.port,) = free_ports(1)
        self._process = ServerProcess(
            [
                str(self._binaries / "postgres"),
                "-D",
                str(self._directory / "data"),
                *self._settings(durable, max_connections),
            ],
            directory=self._directory,
            account=self._account,
            environment=self._environment,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, rolls back, checkpoints
        )

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        if not (self._directory / "data" / "PG_VERSION").exists():
            await asyncio.to_thread(self._make_cluster)
        await super().start()

    async def close(self) -> None:
        """Stops the server and deletes its data."""
        await self._process.stop()
        self._release_shared_memory()
        await super().close()

    async def create_database(self, name: str, template: str | None = None) -> None:
        """Makes a database, as a copy of `template` when given; nobody may be connected to the template."""
        source = f' TEMPLATE "{template}"' if template else ""
        await self._execute(f'CREATE DATABASE "{name}"{source}')

    async def drop_database(self, name: str) -> None:
        """Ends every session of a database and removes it; no error if it does not exist."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def execute(self, *statements: str) -> None:
        """Runs statements as the superuser, each by itself."""
        for statement in statements:
            await self._execute(statement)

    async def fetch(self, query: str) -> Sequence[Any]:
        """The rows of a query as the superuser."""
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database="postgres", timeout=10
        )
        try:
            return list(await connection.fetch(query, timeout=60))
        finally:
            await connection.close(timeout=10)

    async def use_certificate(self, certificate: Certificate, *, client_authority: Path | None = None) -> None:
        """Offers TLS with this certificate from the next connection on.

        With `client_authority` every client over TLS has to show a certificate of its user that this authority signed.
        """
        data = self._directory / "data"
        files = {"server.crt": certificate.cert, "server.key": certificate.key, "root.crt": client_authority}
        for name, source in files.items():
            if source is not None:
                shutil.copy(source, data / name)
                self._account.own(data / name)
        (data / "server.key").chmod(0o600)
        statements = ["ALTER SYSTEM SET ssl = on"]
        if client_authority is not None:
            statements.append("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
            rules = data / "pg_hba.conf"
            rules.write_text(f"hostssl all all 127.0.0.1/32 cert\n{rules.read_text()}")
        await self.execute(*statements, "SELECT pg_reload_conf()")

    async def require_password(self, user: str) -> None:
        """Lets this user in with a password only, from the next connection on."""
        rules = self._directory / "data" / "pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        await self._execute("SELECT pg_reload_conf()")

    def _settings(self, durable: bool, max_connections: int) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._directory),
            "max_connections": str(max_connections),
            "dynamic_shared_memory_type": "mmap",  # in the data directory: a killed server leaves nothing in /dev/shm
            "jit": "off",
        }
        if not durable:  # safe against the death of the server, not of the machine
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return [f"--{name}={value}" for name, value in settings.items()]

    async def require_standby(self) -> None:
        """Has each commit wait until a standby has it too, from when one is connected, for which this waits."""
        await self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        query = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        async with asyncio.timeout(self.START_SECONDS):
            while not await self.fetch(query):  # noqa: ASYNC110 - the state is the server's
                await asyncio.sleep(self.POLL_SECONDS)

    async def promote(self) -> None:
        """Makes a standby a server that takes writes."""
        await self._execute("SELECT pg_promote()")

    def _make_cluster(self) -> None:
        if self._standby_of is not None:
            self._copy_cluster(self._standby_of)
            return
        self._account.run(
            [
                str(self._binaries / "initdb"),
                f"--pgdata={self._directory / 'data'}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            cwd=self._directory,
            environment=self._environment,
            timeout=self.START_SECONDS,
        )

    def _copy_cluster(self, primary: "PostgresServer") -> None:
        source = ["--host=127.0.0.1", f"--port={primary.port}", "--username=postgres"]
        self._account.run(
            [
                str(self._binaries / "pg_basebackup"),
                *source,
                f"--pgdata={self._directory / 'data'}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            cwd=self._directory,
            environment=self._environment,
            timeout=self.START_SECONDS,
        )

    def _release_shared_memory(self) -> None:
        # A killed server leaves its lock file, and line 7 of that the key and id of a System V segment that only the
        # next start on the same data would remove.
        lock = self._directory / "data" / "postmaster.pid"
        if lock.exists():
            segment = int(lock.read_text().splitlines()[6].split()[1])
            ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)

    async def _answers(self) -> bool:
        try:
            await self._execute("SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        return True

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database="postgres", timeout=10
        )
        try:
            await connection.execute(statement, timeout=60)
        finally:
            await connection.close(timeout=10)
