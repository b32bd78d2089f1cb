"""A queue on Redis seen by somebody who is not Ketline."""

from dataclasses import dataclass
from typing import Any

from tests.brokers import eventually
from tests.servers import RedisServer

GROUP = "workers"


@dataclass(frozen=True, slots=True)
class StreamView:
    """A task stream and its dead-letter stream, by plain commands."""

    server: RedisServer
    name: str

    @property
    def dead_name(self) -> str:
        return f"{self.name}.dead"

    async def put(self, *fields: str | bytes) -> None:
        """Add an entry with any fields, as somebody else would."""
        await self.server.command("XADD", self.name, "*", *fields)

    async def length(self, *, dead: bool = False) -> int:
        return int(await self.server.command("XLEN", self.dead_name if dead else self.name))

    async def pending(self) -> int:
        """The number of entries that consumers hold."""
        return int((await self.server.command("XPENDING", self.name, GROUP))["pending"])

    async def consumers(self) -> dict[str, int]:
        """The consumers of the group, and how many entries each holds."""
        found: list[dict[str, Any]] = await self.server.command("XINFO CONSUMERS", self.name, GROUP)
        return {entry["name"].decode(): entry["pending"] for entry in found}

    async def wait_for(self, *, length: int | None = None, pending: int | None = None, dead: int | None = None) -> None:
        """Wait until the streams hold that many entries."""

        async def reached() -> bool:
            return (
                (length is None or await self.length() == length)
                and (pending is None or await self.pending() == pending)
                and (dead is None or await self.length(dead=True) == dead)
            )

        await eventually(reached)

    async def wait_for_readers(self, count: int) -> None:
        """Wait until so many slots wait for a message, of any queue on the server."""

        async def reached() -> bool:
            clients: dict[str, int] = await self.server.command("INFO", "clients")
            return clients["blocked_clients"] == count

        await eventually(reached)

    async def delete_all(self) -> None:
        await self.server.command("DEL", self.name, self.dead_name)
