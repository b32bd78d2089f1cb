"""Removing a guard breaks a property: which one, and in which scenario, for each guard."""

from dataclasses import dataclass

from tests.model import properties as p


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Guards taken away together, the scenario that needs them, and the property that breaks without them."""

    guards: tuple[str, ...]
    scenario: str
    breaks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """A guard whose removal alone breaks nothing in these scenarios (in none at all, with `--deep`), and why."""

    guard: str
    scenarios: tuple[str, ...]
    why: str


def removal(guards: str, scenario: str, breaks: str) -> Removal:
    """A removal of guards whose names are separated by blanks."""
    return Removal(guards=tuple(guards.split()), scenario=scenario, breaks=breaks)


REMOVALS = (
    removal("answer_after_commit", "submit", p.STORED),
    removal("outbox", "delivery", p.FINISHES),
    removal("insert_on_conflict", "submit", p.REJECTION_TRUE),
    removal("key_in_transaction", "submit", p.ONE_KEY),
    removal("redispatch", "delivery", p.FINISHES),
    removal("due_again", "delivery", p.FINISHES),
    removal("claim_pending", "takeover", p.ONE_TERMINAL),
    removal("claim_available", "flaky", p.DELAY_KEPT),
    removal("claim_queue", "queues", p.OWN_QUEUE),
    removal("claim_queue", "unserved", p.UNSERVED_WAIT),
    removal("another_queue", "queues", p.OWN_QUEUE),
    removal("missing_by_queue", "unserved", p.FINISHES),
    removal("attempt_grows", "delivery", p.ATTEMPT_GROWS),
    removal("fresh_token", "failover", p.NO_STALE_WRITE),
    removal("fence_status", "races", p.ONE_TERMINAL),
    removal("fence_token", "failover", p.RECORDED_BY_LEASE),
    removal("fence_attempt fresh_token", "takeover", p.RECORDED_BY_LEASE),
    removal("fence_attempt fence_token", "takeover", p.RECORDED_BY_LEASE),
    removal("fence_finish", "takeover", p.ONE_TERMINAL),
    removal("fence_release", "races", p.LEGAL),
    removal("fence_defer", "large", p.LEGAL),
    removal("fence_retry", "flaky", p.LEGAL),
    removal("fence_renew", "takeover", p.NO_STALE_WRITE),
    removal("own_outcome", "races", p.REPORT_TRUE),
    removal("reaper", "delivery", p.FINISHES),
    removal("reap_expired_only", "takeover", p.NO_EARLY_REAP),
    removal("reap_steady_only", "outage", p.NO_EARLY_REAP),
    removal("outage_excused", "outage", p.NOT_BLAMED),
    removal("crash_budget", "poison", p.BOUNDED),
    removal("max_attempts", "flaky", p.BOUNDED),
    removal("cancel_unfinished_only", "races", p.ONE_TERMINAL),
    removal("cancel_locks", "races", p.ONE_TERMINAL),
)

REDUNDANCIES = (
    Redundancy(
        guard="fence_attempt",
        scenarios=("takeover", "failover"),
        why="a fresh token per claim already names the attempt; this guard counts only where tokens repeat or are not "
        "compared, as the two pairs above show. It stays as a second, independent check",
    ),
    Redundancy(
        guard="late_acknowledge",
        scenarios=("submit", "delivery", "takeover", "flaky", "poison"),
        why="a message acknowledged before its task is done and then lost with its worker is no worse than any lost "
        "message: the reaper and the dispatcher bring the task back. Acknowledging late is for flow control (prefetch "
        "1 gives a busy slot no second task) and for speed (a worker that dies between receiving and claiming costs "
        "no redispatch interval); neither safety nor liveness needs it",
    ),
)
