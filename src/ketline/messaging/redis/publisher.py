"""The publisher on Redis: adds messages to streams, confirmed by the server, in bounded time.

`runtime/queue.py` opens it for the dispatcher.
"""

from types import TracebackType
from typing import Self

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import PublishFailed, QueueTlsFailed, QueueUnavailable
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging import message
from ketline.messaging.queue_names import DEFAULT_QUEUE_NAME, QueueNames
from ketline.messaging.redis.connection import RedisAddress, reason
from ketline.messaging.redis.dead_letters import RedisDeadLetterBox
from ketline.messaging.redis.stream import TaskStreams
from ketline.messaging.supervision import bounded
from ketline.tls_errors import tls_problem


class RedisPublisher:
    """The `TaskPublisher` on Redis; it has connections of its own, and publishes concurrently.

    It connects with the first call, and again with the next call after a loss.
    """

    def __init__(
        self,
        url: str,
        *,
        queue_name: str = DEFAULT_QUEUE_NAME,
        publish_timeout_seconds: float = 5.0,
        ping_timeout_seconds: float = 0.8,
    ) -> None:
        self._address = RedisAddress(url)
        self._publish_timeout_seconds = publish_timeout_seconds
        self._ping_timeout_seconds = ping_timeout_seconds
        self._client = self._address.client(reply_timeout_seconds=publish_timeout_seconds)
        self._names = QueueNames(queue_name)
        self._streams = TaskStreams(self._client, self._names.dead)
        self.dead_letters = RedisDeadLetterBox(self._streams, self._names, self._address)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def publish(self, dispatch: Dispatch) -> None:
        try:
            async with bounded(self._publish_timeout_seconds):
                await self._streams.named(self._names.of(dispatch.queue)).add(message.encode(dispatch))
        except Exception as error:
            raise PublishFailed(f"Task {dispatch.task_id} not published: {self._reason(error)}") from error

    async def ping(self) -> None:
        """As the port says; also fails while the server accepts no writes, such as without memory or as a replica."""
        try:
            async with bounded(self._ping_timeout_seconds):
                await self._streams.named(self._names.base).declare()
        except Exception as error:
            raise self._unavailable(error) from error

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        try:
            async with bounded(self._ping_timeout_seconds):
                return await self._streams.named(self._names.of(queue)).depth()
        except Exception as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> QueueUnavailable:
        if problem := tls_problem(error):
            return QueueTlsFailed(
                f"No connection to the broker at {self._address}: TLS failed, {problem}; check its certificate, and "
                "ssl_ca_certs in the URL."
            )
        return QueueUnavailable(f"The broker at {self._address} did not answer: {reason(error)}")

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no confirmation within {self._publish_timeout_seconds} s"
        return reason(error)
