"""The protocol's SQL on one row of the model, guard for guard as in `ketline.db.tasks.statements`.

Each function is one transaction and gives the row after it, or None where the statement matches no row.
"""

from tests.model.guards import Guards
from tests.model.scenarios import Scenario
from tests.model.state import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    PROCESSING,
    TERMINAL,
    Lease,
    Line,
    Row,
)


def insert(guards: Guards) -> Row:
    return Row(status=PENDING, available=True, due=_due(guards.outbox), history=(Line(PENDING),))


def claim(row: Row, guards: Guards, worker: int) -> Row | None:
    if not row.status or (guards.claim_pending and row.status != PENDING):
        return None
    if guards.claim_available and not row.available:
        return None
    attempt = row.attempt + guards.attempt_grows
    token = row.claims + 1 if guards.fresh_token else worker + 1
    return row._replace(
        status=PROCESSING,
        attempt=attempt,
        token=token,
        expired=False,
        outage=False,
        due="",
        claims=row.claims + 1,
        history=(*row.history, Line(PROCESSING, attempt, token, "worker")),
    )


def finish(row: Row, guards: Guards, lease: Lease, program: str) -> Row | None:
    if not _matches(row, guards, lease, fenced=guards.fence_finish):
        return None
    status = FAILED if program == "wrong" else COMPLETED
    return _written(row, lease, status)._replace(expired=False, outage=False)


def is_settled(row: Row, lease: Lease) -> bool:
    """Whether this very lease has already recorded an outcome."""
    return row.status in TERMINAL and row.status != CANCELLED and (row.attempt, row.token) == lease[1:3]


def renew(row: Row, guards: Guards, lease: Lease) -> Row | None:
    if not _matches(row, guards, lease, fenced=guards.fence_renew):
        return None
    return row._replace(expired=False, outage=False, stale_write=row.stale_write or _is_stale(row, lease))


def release(row: Row, guards: Guards, lease: Lease) -> Row | None:
    if not _matches(row, guards, lease, fenced=guards.fence_release):
        return None
    return _written(row, lease, PENDING)._replace(expired=False, outage=False, due=_due(guards.due_again))


def defer(row: Row, guards: Guards, lease: Lease) -> Row | None:
    if not _matches(row, guards, lease, fenced=guards.fence_defer):
        return None
    return _written(row, lease, PENDING)._replace(
        expired=False, outage=False, available=False, due=_due(guards.due_again)
    )


def retry(row: Row, guards: Guards, lease: Lease, scenario: Scenario) -> Row | None:
    """The worker lives and its simulator died: a lost worker as far as budgets go."""
    if not _matches(row, guards, lease, fenced=guards.fence_retry):
        return None
    again = _another_attempt(row, guards, scenario)
    return _written(row, lease, again.status)._replace(
        spent=again.spent, lost=again.lost, expired=False, outage=False, available=False, due=again.due
    )


def reap(row: Row, guards: Guards, scenario: Scenario, *, held: bool) -> Row | None:
    """The first time without a delay; at no cost after an outage. `held`: a worker runs it that would renew it."""
    if row.status != PROCESSING or (guards.reap_expired_only and not row.expired):
        return None
    # Steady contact lasts for a lease: by then the worker has renewed.
    if guards.reap_steady_only and row.outage and held:
        return None
    if row.outage and guards.outage_excused:
        again = row._replace(status=PENDING, expired=False, outage=False, due=_due(guards.due_again))
    else:
        again = _another_attempt(row, guards, scenario)._replace(blamed=row.outage)
    return again._replace(
        available=row.spent == 0 or again.spent == row.spent,
        early_reap=held or not row.expired,
        history=(*row.history, Line(again.status, row.attempt, row.token, "reaper")),
    )


def may_cancel(row: Row, guards: Guards) -> bool:
    return row.status in (PENDING, PROCESSING) or (not guards.cancel_unfinished_only and row.status == COMPLETED)


def cancel(row: Row) -> Row:
    line = Line(CANCELLED, row.attempt, row.token)
    return row._replace(status=CANCELLED, expired=False, outage=False, due="", history=(*row.history, line))


def run_out_in_outage(row: Row) -> Row:
    return row._replace(expired=True, outage=True) if row.status == PROCESSING else row


def start_afresh(row: Row) -> Row:
    return row._replace(expired=row.status == PROCESSING, due="new" if row.status == PENDING else row.due)


def _matches(row: Row, guards: Guards, lease: Lease, *, fenced: bool) -> bool:
    """The fence: the row is still in the hands of exactly this attempt."""
    if not fenced:
        return True
    return (
        (row.status == PROCESSING or not guards.fence_status)
        and (row.attempt == lease.attempt or not guards.fence_attempt)
        and (row.token == lease.token or not guards.fence_token)
    )


def _written(row: Row, lease: Lease, status: str) -> Row:
    line = Line(status, lease.attempt, lease.token, "worker")
    return row._replace(
        status=status,
        history=(*row.history, line),
        due="",
        stale_write=row.stale_write or _is_stale(row, lease),
    )


def _is_stale(row: Row, lease: Lease) -> bool:
    return row.status != PROCESSING or row.claims != lease.claim


def _another_attempt(row: Row, guards: Guards, scenario: Scenario) -> Row:
    spent, lost = row.spent + 1, row.lost + 1
    exhausted = (guards.max_attempts and spent >= scenario.max_attempts) or (
        guards.crash_budget and lost >= scenario.crash_budget
    )
    return row._replace(
        status=FAILED if exhausted else PENDING,
        spent=spent,
        lost=lost,
        expired=False,
        outage=False,
        due=_due(not exhausted and guards.due_again),
    )


def _due(marked: bool) -> str:
    return "new" if marked else ""
