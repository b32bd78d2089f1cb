"""Pooled sessions of PostgreSQL, for `postgresql.py`: opening one takes as long as many statements."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from ketline.domain.operations.metrics import POOL_WAIT
from ketline.ports.operations.metrics import Metrics, NoMetrics

T = TypeVar("T")

ACQUIRE_TIMEOUT_SECONDS = 5.0
# After the server has rejected a session, no other is opened for this time.
FULL_SECONDS = 1.0
_TOO_MANY_CLIENTS = "53300"
# The server was shut down, or has become read-only: its other sessions are of no use either.
_ENDED_STATES = ("57P", "25006")


class ServerFull(Exception):
    """The server accepts no more clients, and no session of this kind is open."""


@dataclass(slots=True)
class ServerRoom:
    """Remembers for `FULL_SECONDS` that the server accepted no further session of this process."""

    full_until: float = 0.0

    def is_full(self) -> bool:
        return asyncio.get_running_loop().time() < self.full_until

    def mark_full(self) -> None:
        self.full_until = asyncio.get_running_loop().time() + FULL_SECONDS


class Sessions:
    """A pool of at most `most` sessions of one kind; further uses wait. `pinned` of them stay open while idle.

    Methods other than properties run in a greenlet of SQLAlchemy's, where a wait lets the event loop continue.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        most: int,
        room: ServerRoom | None = None,
        pinned: int = 0,
        metrics: Metrics | None = None,
    ) -> None:
        self._engine = engine
        self._most = most
        self._metrics = metrics or NoMetrics()
        self._spare = most
        self._room = room
        self._pinned = pinned
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False

    @property
    def has_spare(self) -> bool:
        """Whether `run` would begin at once."""
        return self._spare > 0

    @property
    def idle(self) -> int:
        """Sessions that are open and not in use."""
        return len(self._idle)

    @property
    def used(self) -> int:
        """Sessions in use."""
        return self._most - self._spare

    def run(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        """Run `work` with a session, and return its result; `urgent` work goes before all that wait.

        Raises:
            ServerFull: no session is open, and the server accepts no other.
            TimeoutError: no session became free within `ACQUIRE_TIMEOUT_SECONDS`.
        """
        if self._spare:
            self._spare -= 1
        else:
            began = time.monotonic()
            try:
                await_only(self._acquire(urgent))
            finally:
                self._metrics.observe(POOL_WAIT, time.monotonic() - began)
        try:
            return self._run(work)
        finally:
            self._release()

    def open(self) -> None:
        """Open a session, if none is open."""
        if self._spare and not self._idle and not self._closed:
            self.run(lambda _: None)

    def close_idle(self, idle_seconds: float) -> None:
        """Close the sessions that have been idle for `idle_seconds`, except pinned ones."""
        now = asyncio.get_running_loop().time()
        # The session that was used last is used next, so those that have been idle for longest come first.
        while len(self._idle) > self._pinned and now - self._idle[0][1] >= idle_seconds:
            _close_session(self._idle.pop(0)[0])

    def close(self) -> None:
        """Close the idle sessions now, and the others after their use."""
        self._closed = True
        while self._idle:
            _close_session(self._idle.pop()[0])

    def _run(self, work: Callable[[Connection], T]) -> T:
        connection = self._take_idle() or self._open()
        try:
            result = work(connection)
        except (DBAPIError, OSError) as error:  # a timeout is an OSError
            _abandon(connection)
            if _ends_others(error):
                while self._idle:
                    _abandon(self._idle.pop()[0])
            raise
        except Exception:
            self._put_back(connection)  # the work's own error: its transaction was rolled back
            raise
        except BaseException:
            _abandon(connection)
            raise
        self._put_back(connection)
        return result

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()[0]
            if not _is_closed(connection):
                return connection
            _abandon(connection)
        return None

    def _open(self) -> Connection:
        if self._room is not None and self._room.is_full():
            raise ServerFull
        try:
            return self._engine.connect()
        except Exception as error:
            if self._room is not None and _sqlstate(error) == _TOO_MANY_CLIENTS:
                self._room.mark_full()
                raise ServerFull from error
            raise

    def _put_back(self, connection: Connection) -> None:
        if self._closed:
            _close_session(connection)
        else:
            self._idle.append((connection, asyncio.get_running_loop().time()))

    async def _acquire(self, urgent: bool) -> None:
        acquired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if urgent:
            self._waiting.appendleft(acquired)
        else:
            self._waiting.append(acquired)
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                await acquired
        except BaseException:
            if acquired.done() and not acquired.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            acquired = self._waiting.popleft()
            if not acquired.done():
                acquired.set_result(None)
                return
        self._spare += 1


def _close_session(connection: Connection) -> None:
    """Close a session as the server expects it, or by force if the server does not respond within two seconds."""
    # SQLAlchemy limits the time of `invalidate`; `close` alone would wait for ever.
    connection.invalidate()
    connection.close()


def _abandon(connection: Connection) -> None:
    """Close a session that may be broken, without a message to the server."""
    if not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        if driver is not None:
            driver.terminate()
    _close_session(connection)


def _is_closed(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return driver is None or bool(driver.is_closed())


def _ends_others(error: Exception) -> bool:
    """Whether the error that ended this session also ends the others, or should."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _sqlstate(error).startswith(_ENDED_STATES)
    return True


def _sqlstate(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
