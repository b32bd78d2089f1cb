"""Guards in the SQL of a claim and of the writes that end an attempt."""

from tests.guards.guard import CONTRACT, GUARDS, PROCESS, Guard
from tests.guards.removals import Call, Drop, Replace, Widen

PRIORITY = "tests/contract/test_priority.py"

CLAIMS = (
    Guard(
        "fence.token",
        "an attempt whose token is another's changes nothing",
        Widen(),
        (f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        "fence.attempt",
        "an earlier attempt changes nothing",
        Widen(),
        (f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        "fence.status",
        "what has ended, or waits again, is not ended once more",
        Drop(),
        (
            f"{CONTRACT}::test_cancelled_worker_is_fenced_off",
            f"{CONTRACT}::test_finish_again_with_the_same_lease_changes_nothing",
            f"{CONTRACT}::test_expired_lease_is_reaped_and_its_worker_fenced",
        ),
    ),
    Guard(
        "renew.fence",
        "only the holder of a lease renews it",
        Widen("tasks.c.task_id == request.task_id"),
        (f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        "claim.pending",
        "of concurrent claims one wins",
        Drop(),
        (
            f"{CONTRACT}::test_of_concurrent_claims_one_wins",
            f"{CONTRACT}::test_nobody_claims_what_is_unknown_or_finished",
            f"{PROCESS}::test_double_delivery_runs_once",
        ),
    ),
    Guard(
        "claim.available",
        "a task in a backoff is not claimed",
        Drop(),
        (f"{CONTRACT}::test_crashed_attempt_is_tried_again_after_a_backoff",),
    ),
    Guard(
        "claim.attempt",
        "each claim is another attempt",
        Replace("tasks.c.attempt"),
        (
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_release_without_cost_keeps_the_attempts",
        ),
    ),
    Guard(
        "defer.fence",
        "only the holder of a lease puts its task off",
        Widen("tasks.c.task_id == lease.task_id"),
        (f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        "defer.delay",
        "a deferred task waits for its delay",
        Replace("now()"),
        (
            f"{CONTRACT}::test_deferred_task_waits_for_its_delay_and_is_due_then",
            f"{PRIORITY}::test_deferred_task_leaves_messages_to_others_before_it_is_due",
        ),
    ),
    Guard(
        "defer.dispatch",
        "a deferred task is dispatched again",
        Drop(),
        (f"{CONTRACT}::test_deferred_task_waits_for_its_delay_and_is_due_then",),
    ),
    Guard(
        "defer.place",
        "a deferred task goes before those that came later",
        Drop(),
        (f"{PRIORITY}::test_deferred_task_goes_before_those_that_came_later",),
    ),
    Guard(
        "recall.fence",
        "only a deferral of one's own is recalled",
        Drop(),
        (f"{CONTRACT}::test_only_a_deferral_of_ones_own_is_recalled",),
    ),
    Guard(
        "recall.schedule",
        "a task that was scheduled meanwhile is not recalled",
        Drop(),
        (f"{CONTRACT}::test_task_that_was_scheduled_meanwhile_is_not_recalled",),
    ),
    Guard(
        "finish.own",
        "a repeat after an uncertain COMMIT finds its own outcome",
        Drop(),
        (f"{CONTRACT}::test_finish_again_with_the_same_lease_changes_nothing",),
    ),
    Guard(
        "own_line.token",
        "the outcome of another lease is not taken for one's own",
        Drop(),
        (f"{GUARDS}::test_outcome_of_another_lease_is_not_taken_for_ones_own",),
    ),
    Guard(
        "claim.own",
        "a repeat after an uncertain COMMIT finds its own claim",
        Replace("None"),
        (f"{CONTRACT}::test_repeated_claim_is_the_same_claim",),
    ),
    Guard(
        "hand_back.own",
        "a repeat after an uncertain COMMIT finds that it handed the task back",
        Replace("None"),
        (f"{CONTRACT}::test_repeated_outcomes_are_known_for_their_own",),
    ),
    Guard(
        "cancel.own",
        "a repeat after an uncertain COMMIT finds that it cancelled the task",
        Replace("status"),
        (f"{CONTRACT}::test_repeated_outcomes_are_known_for_their_own",),
    ),
    Guard(
        "own_line.cause",
        "a task that was reaped is not taken for one handed back",
        Drop(),
        (f"{CONTRACT}::test_reaped_task_is_not_taken_for_ones_own_doing",),
    ),
    Guard(
        "finish.history",
        "PostgreSQL: an outcome and its line of history are one statement",
        Drop("add_cte"),
        (f"{CONTRACT}::test_finish_records_result_and_history",),
    ),
    Guard(
        "finish.history_sqlite",
        "SQLite: an outcome and its line of history are one transaction",
        Drop(),
        (f"{CONTRACT}::test_finish_records_result_and_history",),
    ),
    Guard(
        "claim.history",
        "PostgreSQL: a claim and its line of history are one statement",
        Drop("add_cte"),
        (
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_finish_records_result_and_history",
        ),
    ),
    Guard(
        "claim.history_sqlite",
        "SQLite: a claim and its line of history are one transaction",
        Drop(),
        (
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_finish_records_result_and_history",
        ),
    ),
    Guard(
        "claim.overtaken",
        "a task waits for those that overtake it",
        Drop(),
        (f"{PRIORITY}::test_higher_priority_comes_first_and_every_message_finds_a_task",),
    ),
    Guard(
        "claim.priority",
        "a task of negative priority waits for all others",
        Drop(),
        (f"{PRIORITY}::test_negative_priority_waits_for_all_others",),
    ),
    Guard(
        "claim.another",
        "a message about a task that is taken is used for another",
        Drop(),
        (
            f"{PRIORITY}::test_task_that_was_overtaken_is_found_by_the_other_message",
            f"{PRIORITY}::test_message_about_no_task_takes_what_waits",
        ),
    ),
    Guard(
        "claim.another_transaction",
        "another task is claimed in one transaction with its line of history",
        Call("autocommit", instead_of="write"),
        (f"{PRIORITY}::test_claim_of_another_task_is_one_transaction_with_its_line",),
    ),
    Guard(
        "claim.best_has_message",
        "only a task that has a message is taken by that of another",
        Replace("tasks.c.dispatch_due_at.is_not(None)"),
        (f"{PRIORITY}::test_task_without_a_message_is_not_taken_by_that_of_another",),
    ),
    Guard(
        "claim.let_overtake",
        "a task that lost its message goes before those that came later",
        Drop(),
        (f"{PRIORITY}::test_those_who_were_overtaken_stay_in_order",),
    ),
    Guard(
        "cancel.ended",
        "a task that has ended is not cancelled",
        Replace("False"),
        (f"{CONTRACT}::test_ended_task_cannot_be_cancelled",),
    ),
    Guard(
        "cancel.lock",
        "nothing ends a task between the two halves of its cancellation",
        Drop(),
        (f"{GUARDS}::test_finish_between_the_two_halves_of_a_cancel_waits",),
    ),
)
