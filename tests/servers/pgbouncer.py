"""A throwaway PgBouncer in transaction mode before a test's PostgreSQL."""

import asyncio
import os
import signal
from types import TracebackType
from typing import Self

from tests.servers.binaries import find_pgbouncer
from tests.servers.ports import free_ports
from tests.servers.postgres import PostgresServer
from tests.servers.process import Account, ServerProcess

_START_SECONDS = 30.0
_POLL_SECONDS = 0.02


class PgBouncer:
    """Lends each transaction one of `sessions` sessions of the server; a client has none between two of them."""

    def __init__(self, server: PostgresServer, *, sessions: int = 4) -> None:
        self._account = Account.of_service("postgres")
        self._directory = self._account.make_directory()
        (self.port,) = free_ports(1)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": str(sessions),
            "max_client_conn": "500",
        }
        lines = [f"* = host=127.0.0.1 port={server.port} user=postgres", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        path = self._directory / "pgbouncer.ini"
        path.write_text("\n".join(["[databases]", *lines, ""]))
        self._account.own(path)
        self._process = ServerProcess(
            [str(find_pgbouncer()), str(path)],
            directory=self._directory,
            account=self._account,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stop_signal=signal.SIGTERM,
        )

    def url(self, database: str) -> str:
        """The URL of a database through it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    async def __aenter__(self) -> Self:
        self._process.launch()
        async with asyncio.timeout(_START_SECONDS):
            while not await self._answers():
                if not self._process.running:
                    raise self._process.failure("PgBouncer ended while starting")
                await asyncio.sleep(_POLL_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._process.discard()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True
