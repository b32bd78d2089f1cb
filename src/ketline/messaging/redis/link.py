"""The link of a consumer to Redis: detects losses, declares the streams, and returns abandoned messages to them.

`RedisConsumer` owns the link; its slots read by it.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import NoReturn, Self

import structlog

from ketline.messaging.queue_names import QueueNames
from ketline.messaging.redis.connection import BROKER_ERRORS, RedisAddress, RedisTiming
from ketline.messaging.redis.reader import Reader, open_reader
from ketline.messaging.redis.stream import TaskStream, TaskStreams
from ketline.messaging.supervision import bounded, end_task, keep_connected

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RedisLink:
    """Checks the server and sweeps the streams in the background; entering the context neither waits nor fails."""

    def __init__(self, url: str, names: QueueNames, timing: RedisTiming) -> None:
        self.timing = timing
        self._address = RedisAddress(url)
        self._client = self._address.client(reply_timeout_seconds=timing.reply_timeout_seconds)
        self._streams = TaskStreams(self._client, names.dead)
        self._backoff = timing.backoff()
        self._ready = asyncio.Event()
        self._check = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._log = _log.bind(broker=str(self._address), connection="ketline-consume")

    def stream(self, name: str) -> TaskStream:
        """The stream with this name, which is swept from now on."""
        return self._streams.named(name)

    def open_reader(self, stream: TaskStream, consumer: str) -> AbstractAsyncContextManager[Reader]:
        """A reader of a stream, with a connection of its own."""
        return open_reader(self._address, control=self._client, stream=stream, consumer=consumer, timing=self.timing)

    async def ready(self) -> None:
        """Wait until the server answers."""
        await self._ready.wait()

    def check(self) -> None:
        """Check the server now, because a call to it failed."""
        self._check.set()

    async def __aenter__(self) -> Self:
        self._supervisor = keep_connected(self._watch, backoff=self._backoff, expected=BROKER_ERRORS, log=self._log)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._supervisor is not None:
            await end_task(self._supervisor)
        await self._client.aclose()

    async def _watch(self) -> NoReturn:
        await self._sweep()
        self._log.info("broker.connected", failures=self._backoff.failures)
        self._backoff.reset()
        self._ready.set()
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.timing.sweep_seconds):
                        await self._check.wait()
                self._check.clear()
                await self._sweep()
        finally:
            self._ready.clear()

    async def _sweep(self) -> None:
        async with bounded(self.timing.reply_timeout_seconds):
            await self._client.ping()
            for stream in self._streams.made():
                returned = await stream.return_abandoned(self.timing.abandoned_seconds)  # guard: redis.abandoned
                if returned:
                    self._log.info("queue.abandoned_returned", queue=stream.name, messages=returned)
