"""Opens sessions of a PostgreSQL server: on the host that accepts writes, directly or through a pooler.

The pools of `postgresql.py`, the listener for notifications and migrations connect with it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from ketline.database_url import Host, parse_postgres_url

# For a session that a pooler in transaction mode may move to another server between two transactions: no statement is
# kept on the server by name, and asyncpg parses an unnamed one again in the message that runs it.
THROUGH_A_POOLER: dict[str, Any] = {"statement_cache_size": 0}
SQLALCHEMY_THROUGH_A_POOLER: dict[str, Any] = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
# The next host is tried after these errors: one does not respond, is starting up, or accepts no writes.
_NEXT_HOST = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.TargetServerAttributeNotMatched,
)
# The errors of the driver when a session is opened or used.
SESSION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_COMMAND_SECONDS = 5.0


class Connector:
    """Opens sessions of the database of a URL; of several hosts the one that worked last is tried first.

    Each host has the whole connect timeout; the driver would apply it to all hosts together.
    """

    def __init__(self, url: str) -> None:
        self._address = parse_postgres_url(url)
        self._hosts: list[Host] = list(self._address.hosts)
        self._pooled: bool | None = None
        self._probing = asyncio.Lock()

    async def __call__(self, **options: Any) -> Any:
        """An asyncpg connection.

        Raises:
            SESSION_ERRORS: the error of the last host that was tried.
        """
        tried = 0
        for host in tuple(self._hosts):
            tried += 1
            try:
                connection = await self._connect(host, options)
            except _NEXT_HOST:
                if tried == len(self._hosts):
                    raise
                continue
            self._prefer(host)
            return connection
        raise AssertionError("an address has a host")

    async def is_pooled(self) -> bool:
        """Whether a connection pooler is between this process and the server.

        A pooler gives clients its own keys for cancellation, so the process id in them is not the server's.

        Raises:
            SESSION_ERRORS: no session could be opened.
        """
        async with self._probing:
            if self._pooled is None:
                connection = await self(command_timeout=_COMMAND_SECONDS, **THROUGH_A_POOLER)
                try:
                    self._pooled = await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid()
                finally:
                    with suppress(Exception):
                        await connection.close(timeout=_COMMAND_SECONDS)
            return self._pooled

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts in the order in which they are tried."""
        return tuple(self._hosts)

    async def _connect(self, host: Host, options: dict[str, Any]) -> Any:
        name, port = host
        return await asyncpg.connect(
            self._address.dsn,
            host=name,
            port=port,
            target_session_attrs=self._address.target_session_attrs,
            timeout=self._address.connect_timeout_seconds,
            ssl=True
            if self._address.system_authorities
            else None,  # the driver reads other TLS parameters from the URL
            **options,
        )

    def _prefer(self, host: Host) -> None:
        if self._hosts[0] != host:
            self._hosts.sort(key=lambda other: other != host)
