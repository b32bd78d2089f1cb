"""What the throwaway servers have in common: each is started, stopped, killed and discarded in the same way."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from tests.servers.process import ServerProcess


class Server(ABC):
    """A server on 127.0.0.1; a subclass sets the process and says when it answers.

    Holds nothing that belongs to an event loop: each method may be awaited from a different one.
    """

    NAME: ClassVar[str]
    START_SECONDS: ClassVar[float]
    POLL_SECONDS: ClassVar[float]
    _process: ServerProcess

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process.running

    async def start(self) -> None:
        """Starts the server, on the data it had before if any, and waits until it answers.

        Raises:
            ServerFailed: It ended or did not answer in time; the message holds its log.
        """
        self._process.launch()
        try:
            async with asyncio.timeout(self.START_SECONDS):
                await self._wait_until_ready()
        except TimeoutError as error:
            await self._process.kill()
            text = f"{self.NAME} did not answer within {self.START_SECONDS:.0f} s"
            raise self._process.failure(text) from error

    async def stop(self) -> None:
        """Shuts down cleanly; the data stays if the server keeps it."""
        await self._process.stop()

    async def kill(self) -> None:
        """Kills every process of the server at once, as a crash would."""
        await self._process.kill()

    async def close(self) -> None:
        """Stops the server and deletes its data."""
        await self._process.discard()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether the server answers as it will from now on."""

    async def _wait_until_ready(self) -> None:
        while not await self._answers():
            if not self._process.running:
                raise self._process.failure(f"{self.NAME} ended while starting")
            await asyncio.sleep(self.POLL_SECONDS)
