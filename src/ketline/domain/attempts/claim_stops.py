"""Stops of claims: pauses of queues, for all workers, and the drain of one worker.

Operators set both in the database, and every worker reads them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from ketline.domain.access.principals import Owner
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import TaskQueue

# `all`, the name of a queue, or `run` for the queues of all external backends.
PauseScope = NewType("PauseScope", str)

EVERY_QUEUE = PauseScope("all")
MAX_REASON_CHARACTERS = 500
_SCOPE = re.compile(rf"{EVERY_QUEUE}|simulate|convert|run(\.[A-Za-z0-9_-][A-Za-z0-9._-]{{0,63}})?")


def parse_pause_scope(text: str) -> PauseScope:
    """The scope of a pause by its name.

    Raises:
        ValueError: it is not one.
    """
    if not _SCOPE.fullmatch(text):
        kinds = ", ".join(TaskKind)
        raise ValueError(f"write {EVERY_QUEUE}, {kinds}, or the queue of a backend, such as run.braket-local")
    return PauseScope(text)


def parse_reason(text: str) -> str:
    """The reason that an operator gives.

    Raises:
        ValueError: it is empty, too long, or has characters that cannot be shown in a line.
    """
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise ValueError(f"write a line of 1 to {MAX_REASON_CHARACTERS} characters")
    return reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause: from `since` on workers claim no task of the queues in its scope."""

    scope: PauseScope
    since: datetime
    reason: str | None = None
    owner: Owner | None = None

    def covers(self, queue: TaskQueue) -> bool:
        """Whether it stops the claims of a queue."""
        return covers(self.scope, queue)


def covers(scope: str, queue: TaskQueue) -> bool:
    """Whether a pause of this scope stops the claims of a queue."""
    return scope in (EVERY_QUEUE, queue.name, queue.kind.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimStops:
    """The stops of one worker's claims: the scopes of all pauses, and since when it is being drained.

    `drained` says that it was recorded that the worker holds no task any more.
    """

    scopes: Sequence[str] = ()
    draining_since: datetime | None = None
    drained: bool = False

    def allows(self, queue: TaskQueue) -> bool:
        """Whether the worker may claim tasks of a queue."""
        return self.draining_since is None and not any(covers(scope, queue) for scope in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The drain of a worker: since when it claims nothing, and since when it holds no task; None before that.

    `stopped` says that the worker is not live any more, and `tasks` how many it held before.
    """

    worker_id: str
    draining_since: datetime | None
    drained_at: datetime | None = None
    tasks: int = 0
    stopped: bool = False
