"""The guards of the protocol; each can be switched off in the model."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Which guards are in force; the comment of each says where the code has it."""

    answer_after_commit: bool = True  # service.tasks.submission: the 202 follows the COMMIT
    outbox: bool = True  # new_task: dispatch_due_at is set in the transaction that stores the row
    insert_on_conflict: bool = True  # _unless_stored: on_conflict_do_nothing, so a repeated insert finds its own row
    key_in_transaction: bool = True  # submission.store: the unique key is taken in the transaction that stores the row
    redispatch: bool = True  # take_due, take_overdue: a taken row keeps its mark, and is taken again
    missing_by_queue: bool = True  # Dispatcher: compares sent tasks with messages on each queue by itself
    due_again: bool = True  # release, defer, retry, reap: a row that turns pending is due in the same statement
    claim_pending: bool = True  # claim_task: WHERE current_status = pending
    claim_available: bool = True  # claim_task: WHERE available_at <= now
    claim_queue: bool = True  # claim_task: WHERE queue = the queue that the message was on
    another_queue: bool = True  # select_best: of the queue that the message was on
    attempt_grows: bool = True  # claim_task: attempt + 1
    fresh_token: bool = True  # repository.claim: a new token for each claim, not the worker's name
    fence_status: bool = True  # _held: WHERE current_status = processing
    fence_attempt: bool = True  # _held: WHERE attempt = the lease's
    fence_token: bool = True  # _held: WHERE lease_token = the lease's
    fence_finish: bool = True  # complete_task, fail_task: use _held at all
    fence_release: bool = True  # release_task: uses _held at all
    fence_defer: bool = True  # defer_task: uses _held at all
    fence_retry: bool = True  # retry_task: uses _held at all
    fence_renew: bool = True  # renew_lease: uses _held at all
    own_outcome: bool = True  # select_own_line: a repeated finish recognises its own outcome
    reaper: bool = True  # Reaper: takes tasks away from workers that no longer renew their leases
    reap_expired_only: bool = True  # leases.reap: WHERE lease_expires_at < now
    reap_steady_only: bool = True  # Reaper: judges leases only after a lease of steady contact
    outage_excused: bool = True  # leases.reap: an attempt that an outage ended is not counted
    crash_budget: bool = True  # _another_attempt: failed after so many lost workers
    max_attempts: bool = True  # _another_attempt: failed after so many spent attempts
    cancel_unfinished_only: bool = True  # repository.cancel: only a row that has not ended
    cancel_locks: bool = True  # lock_task: FOR UPDATE, so nothing happens between the read and the cancel
    late_acknowledge: bool = True  # worker.loop: the message is acknowledged after the outcome is recorded

    def without(self, *names: str) -> "Guards":
        """These guards with some removed."""
        return replace(self, **dict.fromkeys(names, False))


GUARDS = tuple(field.name for field in fields(Guards))
