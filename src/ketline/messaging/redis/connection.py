"""Connections to Redis: the check of the URL, timeouts, and clients that report a lost connection at once.

Consumer and publisher open theirs with it.
"""

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ketline.domain.errors import ConfigurationInvalid
from ketline.messaging.supervision import Backoff

_CONNECT_SECONDS = 3.0
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
BROKER_ERRORS: tuple[type[Exception], ...] = (exceptions.RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisTiming:
    """How long the consumer waits, and how fast it detects and repairs a loss.

    A message that its consumer has neither acknowledged nor renewed for `abandoned_seconds` returns to the queue. That
    is longer than a lease, so a worker that still runs the task has lost it by then. One read waits for
    `block_seconds` at most, so a half-open connection is detected `reply_timeout_seconds` later.
    """

    abandoned_seconds: float = 30.0
    block_seconds: float = 5.0
    reply_timeout_seconds: float = 3.0
    close_timeout_seconds: float = 1.0
    first_pause_seconds: float = 0.1
    max_pause_seconds: float = 1.5

    @classmethod
    def for_lease(cls, lease_seconds: float) -> "RedisTiming":
        """Timing for a service whose leases last `lease_seconds`."""
        abandoned_seconds = max(2.5 * lease_seconds, 2.0)
        return cls(abandoned_seconds=abandoned_seconds, block_seconds=min(5.0, abandoned_seconds / 4))

    @property
    def sweep_seconds(self) -> float:
        """Pause between two looks for abandoned messages."""
        return min(5.0, self.abandoned_seconds / 4)

    @property
    def renew_seconds(self) -> float:
        """Pause between two renewals of a message that a slot holds."""
        return self.abandoned_seconds / 4

    def backoff(self) -> Backoff:
        """A new backoff between attempts to connect."""
        return Backoff(first_seconds=self.first_pause_seconds, max_seconds=self.max_pause_seconds)


class RedisAddress:
    """A checked URL of a Redis server, which makes clients of it.

    Raises:
        ConfigurationInvalid: it is not a Redis URL, or names certificates that cannot be used; the message does not
            contain it, because it may have a password.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 6379
            pool = BlockingConnectionPool.from_url(url)
        except (ValueError, TypeError):
            parts, host, port = None, None, 0
        if parts is None or parts.scheme not in {"redis", "rediss"} or not host:
            # Without the cause, because its message may contain the URL.
            raise ConfigurationInvalid("The broker URL must look like redis://user:password@host:6379/0") from None
        _check_tls(pool, f"{host}:{port}")
        self._url = url
        self._name = f"{host}:{port}"

    def __str__(self) -> str:
        """Host and port, for messages and logs."""
        return self._name

    def client(self, *, reply_timeout_seconds: float, connections: int = 8, retries: int = 1) -> Redis:
        """A client with up to `connections` connections; further callers wait for a free one.

        A call on a connection that was lost meanwhile is sent again once, because each command may be repeated.
        """
        pool = BlockingConnectionPool.from_url(self._url, max_connections=connections, timeout=None)
        # Override options in the URL: the adapters rely on these values.
        pool.connection_kwargs.update(
            protocol=2,
            decode_responses=False,
            socket_timeout=reply_timeout_seconds,
            socket_connect_timeout=min(_CONNECT_SECONDS, reply_timeout_seconds),
            retry=Retry(NoBackoff(), retries, supported_errors=(exceptions.ConnectionError,)),
        )
        return Redis.from_pool(pool)


def _check_tls(pool: BlockingConnectionPool, broker: str) -> None:
    # redis-py makes the context at the first connection, and would fail at each one with files that cannot be used.
    try:
        connection = pool.make_connection()  # type: ignore[no-untyped-call]
        if isinstance(connection, SSLConnection):
            context = connection.ssl_context.get()
            if not context.check_hostname:
                _log.warning(
                    "broker.certificate_unverified",
                    broker=broker,
                    remedy="leave ssl_cert_reqs and ssl_check_hostname out and give ssl_ca_certs",
                )
    except (OSError, ValueError, TypeError, exceptions.RedisError):
        raise ConfigurationInvalid(
            "A parameter of the broker URL cannot be used; ssl_ca_certs, ssl_certfile and ssl_keyfile are paths of "
            "files in PEM format, and need the scheme rediss."
        ) from None


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, at least 1: for Redis, 0 means to wait for ever."""
    return max(1, math.ceil(seconds * 1000))


def reason(error: Exception) -> str:
    """Why a call failed, for messages: type and text of the error, because its `repr` leaves out the text."""
    return f"{type(error).__name__}: {error}"
