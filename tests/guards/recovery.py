"""Guards of submission, dispatch, redispatch, reaping and budgets."""

from tests.guards.guard import CONTRACT, GUARDS_RUNTIME, RECOVER, Guard
from tests.guards.removals import Drop, Loop, Replace

REAP = "tests/integration/test_reap.py"
INTERVENTIONS = "tests/contract/test_interventions.py"

RECOVERY = (
    Guard(
        "submit.due",
        "a new task is due from the moment it is stored",
        Replace("later(request.scheduled_for, from_now(request.due_seconds + 3600.0))"),
        (f"{CONTRACT}::test_new_task_is_due_once", f"{RECOVER}::test_nudge_dispatches_at_once"),
    ),
    Guard(
        "submit.repeat",
        "a submission that is repeated is stored once",
        Drop("on_conflict_do_nothing"),
        (f"{CONTRACT}::test_adding_twice_stores_once",),
    ),
    Guard(
        "key.bound",
        "a key stays bound until it expires",
        Drop(),
        (
            f"{CONTRACT}::test_same_key_and_body_give_the_same_task",
            f"{CONTRACT}::test_concurrent_duplicates_create_one_task",
        ),
    ),
    Guard(
        "key.first",
        "a batched insert stores only tasks whose idempotency keys it has bound",
        Drop("where"),
        (f"{CONTRACT}::test_concurrent_duplicates_create_one_task",),
    ),
    Guard(
        "key.body",
        "a key is for one body",
        Replace("False"),
        (f"{CONTRACT}::test_same_key_and_another_body_are_rejected",),
    ),
    Guard(
        "dispatch.later",
        "a task that a dispatcher took is due again only later",
        Replace("dispatch_due_at=tasks.c.dispatch_due_at"),
        (f"{CONTRACT}::test_new_task_is_due_once",),
    ),
    Guard(
        "dispatch.skip_locked",
        "dispatchers skip each other's rows",
        Drop(),
        (f"{CONTRACT}::test_concurrent_dispatchers_take_disjoint_tasks",),
    ),
    Guard(
        "claim.not_due",
        "a task that was claimed is not due",
        Drop(),
        (f"{CONTRACT}::test_claimed_task_is_not_counted_as_dispatched",),
    ),
    Guard(
        "postpone.pending",
        "only a pending task is postponed",
        Drop(),
        (f"{CONTRACT}::test_claimed_task_is_never_due",),
    ),
    Guard(
        "publish.postpone",
        "a task whose publish was rejected is due again",
        Drop(),
        (f"{RECOVER}::test_rejected_publish_is_tried_again_when_the_queue_is_back",),
    ),
    Guard(
        "dispatch.queue_down",
        "nothing is taken while the queue is down",
        Drop(),
        (f"{RECOVER}::test_due_tasks_are_not_taken_while_the_queue_is_down",),
    ),
    Guard(
        "dispatch.turn",
        "due tasks have their turn beside the outbox",
        Loop(),
        (f"{RECOVER}::test_steady_submissions_do_not_keep_due_tasks_waiting",),
    ),
    Guard(
        "outbox.rest",
        "tasks that a process leaves in its outbox are due immediately",
        Drop(),
        (f"{RECOVER}::test_tasks_that_were_put_are_due_at_once_when_their_process_stops",),
    ),
    Guard(
        "redispatch",
        "a lost message is made up for",
        Drop(),
        (f"{GUARDS_RUNTIME}::test_dispatcher_looks_for_lost_messages_by_itself",),
    ),
    Guard(
        "redispatch.depth",
        "a backlog is not published again",
        Replace("dispatched"),
        (f"{RECOVER}::test_healthy_backlog_is_not_published_again",),
    ),
    Guard(
        "redispatch.overdue",
        "a task that is long overdue is published, however many messages the queue has",
        Replace("0"),
        (f"{RECOVER}::test_long_overdue_tasks_are_published_whatever_the_queue_holds",),
    ),
    Guard(
        "dispatch.poll",
        "a lost nudge costs no more than an interval",
        Replace("3600.0"),
        (f"{RECOVER}::test_lost_nudge_is_made_up_for_by_the_poll",),
    ),
    Guard(
        "reap.expired",
        "only an expired lease is reaped",
        Replace("tasks.c.lease_expires_at != as_of"),
        (f"{CONTRACT}::test_renewed_lease_is_not_reaped",),
    ),
    Guard(
        "reap.as_of",
        "leases are judged as of the last look at the clock",
        Replace("now()"),
        ("tests/contract/test_leases.py::test_lease_is_judged_as_of_the_look",),
    ),
    Guard(
        "reap.set_back",
        "a lease given since the clock was set back is not judged by a look from before",
        Replace("now() if expiry.as_of is None else literal(expiry.as_of, UtcDateTime)"),
        (
            "tests/contract/test_leases.py"
            "::test_lease_given_after_the_clock_was_set_back_is_not_judged_by_a_look_from_before",
        ),
    ),
    Guard(
        "reap.steady",
        "leases are judged in steady contact with the database only",
        Replace("True", part="steady"),
        (
            f"{REAP}::test_clock_set_forward_does_not_end_leases",
            f"{REAP}::test_reaper_that_has_just_started_waits_for_a_lease",
        ),
    ),
    Guard(
        "reap.excuse",
        "a lease that ran out in an outage costs its task nothing",
        Replace("[]"),
        (
            "tests/contract/test_leases.py::test_lease_that_ran_out_in_an_outage_costs_nothing",
            f"{REAP}::test_worker_that_ended_in_an_outage_costs_its_task_nothing",
        ),
    ),
    Guard(
        "reap.excuses",
        "an outage is an excuse only so often",
        Drop(),
        ("tests/contract/test_leases.py::test_outages_end_attempts_at_no_cost_only_so_often",),
    ),
    Guard(
        "clock.corrections",
        "times are corrected when the database's clock was set back",
        Drop(),
        (f"{REAP}::test_tasks_and_leases_go_on_when_the_clock_is_set_back",),
    ),
    Guard(
        "clock.at_start",
        "times are corrected at the start",
        Replace("0", part="default"),
        (f"{REAP}::test_start_after_the_clock_was_set_back_corrects_times",),
    ),
    Guard(
        "clock.unrenewed",
        "a lease that is not renewed ends although the clock was set back",
        Replace("(self.contact.outage, ())"),
        (f"{REAP}::test_tasks_and_leases_go_on_when_the_clock_is_set_back",),
    ),
    Guard(
        "clock.still_distant",
        "a lease that is renewed at last is not taken from its worker though the clock was set back",
        Replace("tasks.c.lease_expires_at > now()"),
        ("tests/contract/test_leases.py::test_lease_that_was_renewed_since_the_look_is_not_reaped",),
    ),
    Guard(
        "clock.only_before",
        "only times from before the clock was set back are corrected",
        Drop(),
        ("tests/contract/test_leases.py::test_delay_that_began_after_the_step_is_kept",),
    ),
    Guard(
        "reaper",
        "the tasks of lost workers are run again",
        Drop(),
        (f"{GUARDS_RUNTIME}::test_next_start_frees_what_the_last_process_held",),
    ),
    Guard(
        "budget.attempts",
        "a task is tried no more often than it may be",
        Replace("tasks.c.spent_attempts < 0"),
        (f"{CONTRACT}::test_spent_attempts_end_in_worker_lost",),
    ),
    Guard(
        "budget.crashes",
        "a task crashes no more often than it may",
        Drop(),
        (f"{CONTRACT}::test_crash_budget_is_smaller_than_that_of_attempts",),
    ),
    Guard(
        "start.afresh",
        "an embedded service frees what the process before it held",
        Drop(),
        (f"{GUARDS_RUNTIME}::test_next_start_frees_what_the_last_process_held",),
    ),
    Guard(
        "start.leases",
        "at its start every lease is void",
        Drop(),
        (f"{CONTRACT}::test_start_afresh_frees_what_the_last_process_held",),
    ),
    Guard(
        "start.due",
        "at its start every pending task is due",
        Drop(),
        (f"{CONTRACT}::test_start_afresh_frees_what_the_last_process_held",),
    ),
    Guard(
        "start.owner",
        "a data directory has one owner at a time",
        Drop(),
        (f"{GUARDS_RUNTIME}::test_data_directory_has_one_owner_at_a_time",),
    ),
    Guard(
        "requeue.lost",
        "a task is taken back only from a worker that is dead",
        Drop(),
        (f"{INTERVENTIONS}::test_task_of_a_living_worker_is_not_taken",),
    ),
    Guard(
        "fail.ended",
        "an administrator fails no task that has ended",
        Drop(),
        (f"{INTERVENTIONS}::test_ended_task_is_neither_requeued_nor_failed",),
    ),
)
