"""Checks facts about a database and a broker, which adapters have read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ketline.domain.attempts.claim_stops import covers
from ketline.domain.operations.diagnosis import Finding, ok, problem, warning
from ketline.domain.tasks.queues import TaskQueue

LARGE_SKEW_SECONDS, NOTABLE_SKEW_SECONDS = 60.0, 2.0
OLDEST_POSTGRESQL, OLDEST_SQLITE = (13, 0), (3, 35)
LARGE_LOG_BYTES = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """Facts about a database: `revision` is that of its schema, None without one; `skew_seconds` is how much its clock
    is ahead of this machine's, None where it is the same clock.

    `paused` are scopes, `workers` the queues of each live worker, `waiting` the queues with waiting tasks.
    """

    product: str
    version: tuple[int, int]
    revision: str | None
    skew_seconds: float | None = None
    read_only: bool = False
    size_bytes: int = 0
    log_bytes: int = 0
    sessions: tuple[int, int] | None = None
    paused: Sequence[tuple[str, datetime]] = ()
    workers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue at a broker: its messages and consumers, and how its arguments differ from Ketline's, if they do."""

    name: str
    exists: bool
    messages: int = 0
    consumers: int = 0
    difference: str | None = None
    dead_letters: bool = False


def judge_database(facts: DatabaseFacts, revisions: Sequence[str]) -> Sequence[Finding]:
    """The findings about a database; `revisions` are the schema revisions that this version knows, newest first."""
    found = [_version(facts), _schema(facts.revision, revisions)]
    if facts.read_only:
        found.append(problem("database", "it takes no writes", "Name the primary server in DATABASE_URL."))
    if facts.skew_seconds is not None:
        found.append(_clock(facts.skew_seconds))
    if facts.sessions is not None:
        found.append(_sessions(*facts.sessions))
    if facts.log_bytes > LARGE_LOG_BYTES:
        text = f"the write-ahead log has {facts.log_bytes >> 20} MiB"
        found.append(warning("database", text, "Something reads for a long time; end it, or restart the service."))
    return [*found, *_claims(facts)]


def judge_queues(product: str, queues: Sequence[QueueFacts]) -> Sequence[Finding]:
    """The findings about a broker and its queues."""
    found = [ok("broker", f"{product} responds")]
    for queue in queues:
        check = f"queue {queue.name}"
        if not queue.exists:
            found.append(ok(check, "not there yet; it is made when it is first used"))
        elif queue.difference is not None:
            advice = "Delete the queue while the service is stopped: tasks are published again from the database."
            found.append(warning(check, f"other arguments than Ketline's: {queue.difference}", advice))
        elif queue.dead_letters and queue.messages:
            advice = "Look at them on the page /ui/system, and requeue them there."
            found.append(warning(check, f"{queue.messages} dead letters", advice))
        else:
            found.append(ok(check, f"{queue.messages} messages, {queue.consumers} consumers"))
    return found


def _version(facts: DatabaseFacts) -> Finding:
    oldest = OLDEST_SQLITE if facts.product == "SQLite" else OLDEST_POSTGRESQL
    text = f"{facts.product} {'.'.join(map(str, facts.version))} responds, {facts.size_bytes / (1 << 20):,.0f} MiB"
    if facts.version < oldest:
        return problem("database", text, f"Use version {'.'.join(map(str, oldest))} or newer.")
    return ok("database", text)


def _schema(revision: str | None, revisions: Sequence[str]) -> Finding:
    if revision is None:
        return problem("schema", "the database has no schema", "Run `ketline migrate`, or start `ketline up`.")
    if revision not in revisions:
        text = f"schema {revision} is of a later version; this one knows {revisions[0]}"
        return warning("schema", text, "An upgrade is under way, or this process is to be upgraded too.")
    if revision != revisions[0]:
        text = f"schema {revision}, this version needs {revisions[0]}"
        advice = "Run `ketline migrate`; its --check says whether to stop the service. `ketline up` does so itself."
        return problem("schema", text, advice)
    return ok("schema", f"{revision}, up to date")


def _clock(skew_seconds: float) -> Finding:
    text = f"the database's clock is {abs(skew_seconds):.1f} s {'ahead of' if skew_seconds > 0 else 'behind'} this one"
    advice = "Set both clocks by NTP: tokens, certificates and logs depend on them. Leases use the database's only."
    if abs(skew_seconds) >= LARGE_SKEW_SECONDS:
        return problem("clock", text, advice)
    return warning("clock", text, advice) if abs(skew_seconds) >= NOTABLE_SKEW_SECONDS else ok("clock", text)


def _sessions(used: int, most: int) -> Finding:
    text = f"{used} of {most} connections of the server are in use"
    if used > 0.9 * most:
        advice = "Raise max_connections, put PgBouncer in front, or lower KETLINE_DATABASE_POOL_SIZE."
        return warning("connections", text, advice)
    return ok("connections", text)


def _claims(facts: DatabaseFacts) -> Sequence[Finding]:
    """Whether anything stops tasks from being claimed."""
    found = [
        warning(
            "claims",
            f"{scope} paused since {since:%Y-%m-%d %H:%M:%S}",
            f"End it with `ketline admin resume --queue {scope}`.",
        )
        for scope, since in facts.paused
    ]
    consumed = {queue for queues in facts.workers.values() for queue in queues}
    for name, count in sorted(facts.waiting.items()):
        queue = TaskQueue.named(name)
        if name not in consumed and not any(covers(scope, queue) for scope, _ in facts.paused):
            text = f"{count} tasks wait in {name}, which no live worker takes"
            found.append(warning("claims", text, "Start a worker for it: `ketline worker`, with fitting --kinds."))
    workers = f"{len(facts.workers)} live workers"
    return found or [ok("claims", f"{workers}, nothing is paused")]
