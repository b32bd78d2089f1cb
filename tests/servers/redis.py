"""A throwaway Redis server."""

import contextlib
import os
import shutil
import signal
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.servers.binaries import find_redis
from tests.servers.certificates import Certificate
from tests.servers.ports import free_ports
from tests.servers.process import Account, ServerProcess
from tests.servers.server import Server


class RedisServer(Server):
    """Redis on 127.0.0.1 with data of its own; no modules.

    With `durable` it appends every write to a file, so that the data survives stop, kill and start; without, it forgets
    everything. With a `certificate` it also serves TLS, on `tls_port`.
    """

    NAME = "Redis"
    START_SECONDS = 30.0
    POLL_SECONDS = 0.02

    def __init__(self, *, durable: bool = False, certificate: Certificate | None = None) -> None:
        account = Account.of_service("redis")
        self._directory = account.make_directory()
        self.port, self.tls_port = free_ports(2)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._directory),
            "save": "",
            "appendonly": "yes" if durable else "no",
            "appendfsync": "always",
        }
        if certificate is not None:
            options |= {"tls-port": str(self.tls_port), "tls-auth-clients": "no"}
            for name, source in (
                ("cert", certificate.cert),
                ("key", certificate.key),
                ("ca-cert", certificate.authority),
            ):
                shutil.copy(source, self._directory / source.name)
                account.own(self._directory / source.name)
                options[f"tls-{name}-file"] = str(self._directory / source.name)
        self._process = ServerProcess(
            [str(find_redis()), *(word for name, value in options.items() for word in (f"--{name}", value))],
            directory=self._directory,
            account=account,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            stop_signal=signal.SIGTERM,
        )

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def command(self, *words: str | bytes | int) -> Any:
        """The reply to one command."""
        client = Redis(host="127.0.0.1", port=self.port, protocol=2)
        async with contextlib.aclosing(client):
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def _answers(self) -> bool:
        try:
            return bool(await self.command("PING"))
        except (RedisError, OSError):
            return False
