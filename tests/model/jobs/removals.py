"""Removing a guard of jobs on external backends breaks a property: which one, and in which scenario."""

from tests.model.jobs import properties as p
from tests.model.removals import removal

JOB_REMOVALS = (
    removal("remote_before", "blind", p.ONCE),
    removal("remote_id", "blind", p.TRULY_UNKNOWN),
    removal("remote_fence", "blind", p.ONCE),
    removal("remote_not_submitted", "blind", p.TRULY_UNKNOWN),
    removal("remote_nothing_sent", "both", p.CANCELLED_TOO),
    removal("reattach_first", "blind", p.ONCE),
    removal("unknown_fails", "finds", p.ONCE),
    removal("outcome_fence", "both", p.RECORDED_ONCE),
    removal("cancel_looks", "finds", p.JOB_FINISHES),
    removal("cancel_settled", "both", p.CANCELLED_TOO),
)
