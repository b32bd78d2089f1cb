"""Notifies every process that listens of committed changes, by PostgreSQL's NOTIFY.

The repository notifies; `runtime/database.py` opens the listener of an API process.

It is a statement of its own after the commit: a NOTIFY within would make all commits of the server wait for each
other. Without rows to write its own commit waits for no disk. Source: PostgreSQL's src/backend/commands/async.c
(PreCommit_Notify) and src/backend/access/transam/xact.c (RecordTransactionCommit).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Text, bindparam, func, select

from ketline.db.engine.connector import SESSION_ERRORS, Connector
from ketline.db.engine.database import Database
from ketline.db.engine.prepared import Prepared
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.service.loop import Loop

log = structlog.get_logger()

CHANNEL = "ketline_changes"
# A payload has at most 8,000 bytes; a change takes 47 at most.
CHANGES_IN_A_PAYLOAD = 150
MAX_WAITING = 10_000
# After this many changes at once, further ones are awaited: a statement for each would cost as much as the changes.
MANY = 3
GATHERING_SECONDS = 0.005
# Clients wait less for the start of a task than for its end, and a small task ends sooner than this.
BEGINNING_SECONDS = 0.01
COMMAND_TIMEOUT_SECONDS = 5.0
LOOK_SECONDS = 10.0
RETRY_SECONDS = 1.0

_NOTIFY = Prepared(select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text()))))


class NullNotifier:
    """A `Notifier` that does nothing."""

    def notify(self, *changes: Change) -> None:
        return


class PostgresqlNotifier:
    """A `Notifier`: sends the end of a task at once, together with less urgent changes.

    Changes that arrive while a statement runs share the next one; on a busy service it waits shortly for more.
    """

    def __init__(
        self,
        database: Database,
        *,
        beginning_seconds: float = BEGINNING_SECONDS,
        gathering_seconds: float = GATHERING_SECONDS,
    ) -> None:
        self._database = database
        self._beginning_seconds = beginning_seconds
        self._gathering_seconds = gathering_seconds
        self._waiting: list[Change] = []
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def notify(self, *changes: Change) -> None:
        if self._closed:
            return  # the next poll finds the change
        if len(self._waiting) < MAX_WAITING:
            self._waiting += changes
        if any(change.status.terminal for change in changes):
            self._begin()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._beginning_seconds, self._begin)

    async def close(self) -> None:
        """Returns when all changes are sent or lost, and ignores further ones."""
        self._closed = True
        self._begin()
        if self._sending is not None:
            await self._sending

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:CHANGES_IN_A_PAYLOAD], self._waiting[CHANGES_IN_A_PAYLOAD:]
            payload = "\n".join(f"{change.task_id} {change.status}" for change in now)
            try:
                await self._database.autocommit_in_background(_notifying(payload))
            except DatabaseUnavailable as error:
                log.debug("notification.lost", changes=len(now), error=str(error))
            except Exception:
                log.exception("notification.crashed")
            if len(now) >= MANY:
                await asyncio.sleep(self._gathering_seconds)


class PostgresqlListener:
    """Listens for notifications on a connection of its own, which it replaces when it is lost.

    Calls `on_change` with the changes, and `resync` whenever listening begins, since some may have been missed.
    """

    def __init__(self, url: str, on_change: Callable[[Sequence[Change]], None], resync: Callable[[], None]) -> None:
        self._connect = Connector(url)
        self._on_change = on_change
        self._resync = resync
        self._loop = Loop(
            self._listen,
            RETRY_SECONDS,
            delayed="listener.disconnected",
            crashed="listener.crashed",
            expected=SESSION_ERRORS,
        )

    async def run(self) -> None:
        """Listens until cancelled; returns at once behind a pooler, which would drop the notifications."""
        await self._loop.run()

    async def _listen(self) -> None:
        if await self._connect.is_pooled():
            log.warning("listener.through_pooler", remedy="set KETLINE_DATABASE_DIRECT_URL")
            self._loop.stop()
            return
        connection: Any = await self._connect(
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            server_settings={"application_name": "ketline-listener"},
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._take)
            self._resync()
            self._loop.succeeded()
            while not lost.is_set():
                # Only a query without a response reveals a connection that was cut silently.
                await connection.execute("SELECT 1")
                await _set_or_passed(lost, LOOK_SECONDS)
        finally:
            connection.terminate()

    def _take(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        self._on_change(_changes(payload))


def _notifying(payload: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        _NOTIFY.run(connection, {"payload": payload})

    return work


def _changes(payload: str) -> Sequence[Change]:
    """Reads a payload; gives no changes for one in another format."""
    try:
        pairs = [line.split(" ") for line in payload.splitlines()]
        return [Change(task_id=TaskId(UUID(task_id)), status=TaskStatus(status)) for task_id, status in pairs]
    except ValueError:
        log.debug("listener.ignored", characters=len(payload))
        return []


async def _set_or_passed(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
