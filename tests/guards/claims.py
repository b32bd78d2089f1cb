"""Guards in the SQL of a claim and of the writes that end an attempt."""

from tests.guards.guard import CONTRACT, GUARDS, PROCESS, REMOTE, Guard
from tests.guards.removals import Call, Drop, Replace, Widen

FAIR_SHARE = "tests/contract/test_fair_share.py"
KINDS = "tests/contract/test_kinds.py"
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
        "a task that has ended, or is pending again, is not ended again",
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
        "remote.fence",
        "only the holder of a lease records the job of its task",
        Drop(),
        (f"{KINDS}::test_job_of_a_lost_lease_is_not_recorded",),
    ),
    Guard(
        "remote.before",
        "the intent to submit a job is committed before the call",
        Drop(),
        (f"{REMOTE}::test_worker_that_dies_before_it_has_the_answer",),
    ),
    Guard(
        "remote.id",
        "the id of a job is committed before anything else is done with it",
        Drop(),
        (f"{REMOTE}::test_worker_that_stops_or_dies_is_replaced_by_one_that_goes_on_with_the_job",),
    ),
    Guard(
        "remote.limit",
        "the time limit of a job counts from its submission, also for the next worker",
        Drop(),
        (f"{REMOTE}::test_time_limit_of_a_job_counts_from_its_submission_for_the_next_worker",),
    ),
    Guard(
        "remote.not_submitted",
        "a job that a backend did not take is not looked for",
        Drop(),
        (f"{REMOTE}::test_backend_that_takes_no_jobs_now_gets_the_task_later",),
    ),
    Guard(
        "remote.nothing_sent",
        "a job is looked for if an earlier request for it may have arrived",
        Drop(),
        (f"{REMOTE}::test_job_is_looked_for_if_an_earlier_request_may_have_arrived",),
    ),
    Guard(
        "remote.settled",
        "the job of a cancelled task is looked for until it cannot arrive any more",
        Drop(),
        (f"{REMOTE}::test_job_that_arrives_after_its_task_was_cancelled_is_cancelled",),
    ),
    Guard(
        "claim.queue",
        "a message on one queue claims no task of another",
        Drop(),
        (f"{KINDS}::test_message_on_another_queue_claims_nothing",),
    ),
    Guard(
        "claim.best_queue",
        "a message is used for no task of another queue",
        Drop(),
        (f"{KINDS}::test_message_is_used_for_a_task_of_its_own_queue",),
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
        "claim.project",
        "a task waits while another project has its turn",
        Drop(),
        (f"{FAIR_SHARE}::test_one_that_came_late_waits_for_no_flood",),
    ),
    Guard(
        "claim.best_project",
        "a message about another task is used for the project in turn",
        Drop(),
        (f"{FAIR_SHARE}::test_priority_counts_within_a_project_only",),
    ),
    Guard(
        "turn.use",
        "the project that used least lately has the next turn",
        Replace("select(uses.c.project).order_by(uses.c.project)"),
        (f"{FAIR_SHARE}::test_project_that_used_nothing_lately_comes_first",),
    ),
    Guard(
        "turn.weight",
        "a project of three times the weight has three times the turns",
        Replace("literal(1.0)"),
        (f"{FAIR_SHARE}::test_slots_go_by_weight",),
    ),
    Guard(
        "turn.running",
        "running tasks count before their use is measured",
        Replace("tasks.c.task_id.is_(None)"),
        (f"{FAIR_SHARE}::test_projects_take_turns",),
    ),
    Guard(
        "turn.batch",
        "PostgreSQL: claims of one statement take turns as single ones do",
        Replace("uses.c.seconds / uses.c.weight"),
        (f"{FAIR_SHARE}::test_claims_at_once_divide_all_tasks_between_them",),
    ),
    Guard(
        "turn.fairest",
        "the project that used least lately has the next turn, also of a message that names a task of another",
        Replace("0.0, row.rank_at, project"),
        (f"{FAIR_SHARE}::test_project_that_used_nothing_lately_comes_first",),
    ),
    Guard(
        "turn.counted",
        "SQLite: claims of one transaction take turns as single ones do",
        Drop(),
        (f"{FAIR_SHARE}::test_claims_at_once_divide_all_tasks_between_them",),
    ),
    Guard(
        "turn.others",
        "a message is used for the next project if the one in turn has no task for it",
        Replace("return None"),
        (f"{FAIR_SHARE}::test_short_claim_passes_over_a_project_whose_tasks_are_long",),
    ),
    Guard(
        "next.skip_locked",
        "PostgreSQL: a claim waits for no other claim of the task in turn",
        Drop(),
        (f"{GUARDS}::test_message_finds_another_project_while_the_task_in_turn_is_being_claimed",),
    ),
    Guard(
        "next.let_overtake",
        "PostgreSQL: tasks that lost their messages at once go before those that came later",
        Replace('_noted(claimed.cte("taken"))'),
        (f"{FAIR_SHARE}::test_tasks_whose_messages_were_used_at_once_keep_their_places",),
    ),
    Guard(
        "shared.lost",
        "on a shared queue no task is claimed by its message before those of its project that lost theirs may overtake",
        Replace("self.clock() < self._until.get(queue.name, 0.0)"),
        (f"{FAIR_SHARE}::test_tasks_whose_messages_were_used_under_load_keep_their_places",),
    ),
    Guard(
        "claim.others_own",
        "PostgreSQL: a repeat after an uncertain COMMIT claims no second task",
        Drop(),
        (f"{FAIR_SHARE}::test_repeated_claim_takes_no_second_task",),
    ),
    Guard(
        "shares.once",
        "the use of a project is measured once",
        Replace("at - timedelta(seconds=MAX_SECONDS)"),
        (f"{FAIR_SHARE}::test_measurement_soon_after_another_counts_nothing_twice",),
    ),
    Guard(
        "shares.decay",
        "the use of a project counts less with time",
        Replace("project_shares.c.used_seconds"),
        (f"{FAIR_SHARE}::test_use_counts_for_half_after_a_while",),
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
