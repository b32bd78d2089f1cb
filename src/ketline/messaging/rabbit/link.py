"""A link to RabbitMQ: a connection that is opened again after each loss while its context is open.

The consumer and the publisher have one each.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

import structlog
from aio_pika.connection import make_url
from aio_pika.exceptions import ChannelNotFoundEntity
from yarl import URL

from ketline.domain.errors import ConfigurationInvalid, QueueTlsFailed, QueueUnavailable
from ketline.messaging.rabbit.session import BROKER_ERRORS, BrokerBlocked, Session, open_connection
from ketline.messaging.supervision import Backoff, bounded, end_task, keep_connected
from ketline.messaging.topology import Topology
from ketline.tls_errors import tls_problem

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTiming:
    """How fast a link detects and repairs a loss.

    It detects a half-open connection within `probe_seconds + probe_timeout_seconds`. The pauses between attempts to
    connect are short, so that messages are delivered within seconds after the broker is back.
    """

    connect_timeout_seconds: float = 3.0
    heartbeat_seconds: int = 10
    probe_seconds: float = 5.0
    probe_timeout_seconds: float = 3.0
    first_pause_seconds: float = 0.1
    max_pause_seconds: float = 1.5
    idle_check_seconds: float = 10.0

    def backoff(self) -> Backoff:
        """A new backoff between attempts to connect."""
        return Backoff(first_seconds=self.first_pause_seconds, max_seconds=self.max_pause_seconds)


async def _prepare_nothing(_: Session) -> None:
    return


class Link:
    """Connects in the background, and again after every loss; entering the context neither waits nor fails.

    `prepare` opens what each session needs, such as channels, before others can use the session.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        topology: Topology,
        timing: LinkTiming,
        prepare: Callable[[Session], Awaitable[None]] = _prepare_nothing,
    ) -> None:
        self._url = broker_url(url, name=name, heartbeat_seconds=timing.heartbeat_seconds)
        self._topology = topology
        self._timing = timing
        self._prepare = prepare
        self._backoff = timing.backoff()
        self._session: Session | None = None
        self._usable = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._tls_problem: str | None = None
        self._log = _log.bind(broker=self.address, connection=name)
        if self._url.scheme == "amqps" and _unverified(self._url):
            self._log.warning("broker.certificate_unverified", remedy="leave no_verify_ssl out and give a cafile")

    @property
    def address(self) -> str:
        """Host and port, for messages and logs."""
        return f"{self._url.host}:{self._url.port or _PORTS[self._url.scheme]}"

    @property
    def current(self) -> Session | None:
        """The current session, None while there is no connection."""
        return self._session

    def no_connection(self) -> QueueUnavailable:
        """The error to raise while there is no connection."""
        text = f"No connection to the broker at {self.address}"
        if self._tls_problem is None:
            return QueueUnavailable(text)
        return QueueTlsFailed(f"{text}: TLS failed, {self._tls_problem}; check its certificate, and cafile in the URL.")

    async def session(self) -> Session:
        """Wait for a usable session."""
        while self._session is None:
            await self._usable.wait()
        return self._session

    async def __aenter__(self) -> Self:
        self._supervisor = keep_connected(
            self._run_session, backoff=self._backoff, expected=BROKER_ERRORS, log=self._log
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._supervisor is not None:
            await end_task(self._supervisor)

    async def _run_session(self) -> None:
        try:
            await self._connect_and_watch()
        except BROKER_ERRORS as error:
            self._tls_problem = tls_problem(error)
            raise

    async def _connect_and_watch(self) -> None:
        async with open_connection(self._url, self._timing.connect_timeout_seconds) as connection:
            session = Session(connection, self._topology)
            connection.close_callbacks.add(session.lose)
            async with bounded(self._timing.connect_timeout_seconds):
                await self._topology.declare(connection)
                await self._prepare(session)
            self._hand_out(session)
            try:
                await self._watch(session)
            finally:
                self._session = None
                self._usable.clear()

    def _hand_out(self, session: Session) -> None:
        self._log.info("broker.connected", failures=self._backoff.failures)
        self._backoff.reset()
        self._session = session
        self._usable.set()

    async def _watch(self, session: Session) -> NoReturn:
        while not session.lost:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.probe_seconds):
                    await session.wake.wait()
            if not session.lost:
                session.wake.clear()
                await self._check(session)
        raise ConnectionResetError(f"the connection was lost: {session.loss_reason}")

    async def _check(self, session: Session) -> None:
        # A blocked broker still sends heartbeats, so aiormq detects a dead peer during a block.
        with suppress(BrokerBlocked, ChannelNotFoundEntity):
            async with bounded(self._timing.probe_timeout_seconds):
                if session.queue_missing:
                    session.queue_missing = False
                    await self._topology.declare(session.connection)
                await session.probe()


def broker_url(url: str, *, name: str, heartbeat_seconds: int) -> URL:
    """The URL with a connection name, and with a heartbeat interval unless it has one.

    Raises:
        ConfigurationInvalid: it is not an AMQP URL, or names certificates that cannot be used; the message does not
            contain it, because it may have a password.
    """
    try:
        parsed = make_url(url)
    except ValueError:
        # Without the cause, because yarl's message contains the URL.
        raise ConfigurationInvalid("The broker URL cannot be read; use amqp://user:password@host:port/") from None
    if parsed.scheme not in {"amqp", "amqps"} or not parsed.host:
        raise ConfigurationInvalid("The broker URL must look like amqp://user:password@host:port/")
    _check_certificates(parsed)
    return parsed.update_query({"heartbeat": str(heartbeat_seconds), "name": name, **parsed.query})


def _check_certificates(url: URL) -> None:
    # aiormq makes a context like this one at each connection, and would try for ever with files that cannot be used.
    given = url.query
    if not {"cafile", "capath", "certfile", "keyfile"} & given.keys():
        return
    try:
        context = ssl.create_default_context(cafile=given.get("cafile"), capath=given.get("capath"))
        if "certfile" in given:
            context.load_cert_chain(given["certfile"], given.get("keyfile"), password="")
    except (OSError, ValueError):
        raise ConfigurationInvalid(
            "A certificate or key that the broker URL names cannot be used; cafile, certfile and keyfile are paths of "
            "files in PEM format, the key without a password."
        ) from None


def _unverified(url: URL) -> bool:
    return url.query.get("no_verify_ssl", "0") != "0"
