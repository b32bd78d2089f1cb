"""Guards in the SQL of a claim and of the writes that end an attempt."""

from benchmarks.guards.guard import CONTRACT, GUARDS, PROCESS, Guard

STATEMENTS = "db/statements.py"
ATTEMPTING = "db/attempting.py"
PRIORITY = "tests/contract/test_priority.py"
REPOSITORY = "db/repository.py"

FENCES = (
    Guard(
        name="fence on the token",
        file=STATEMENTS,
        old="        tasks.c.attempt == lease.attempt,\n        tasks.c.lease_token == lease.token,\n    )\n",
        new="        tasks.c.attempt == lease.attempt,\n"
        "        or_(tasks.c.lease_token == lease.token, tasks.c.lease_token.is_not(None)),\n    )\n",
        tests=(f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        name="fence on the attempt",
        file=STATEMENTS,
        old="        tasks.c.attempt == lease.attempt,\n        tasks.c.lease_token == lease.token,\n    )\n",
        new="        or_(tasks.c.attempt == lease.attempt, tasks.c.attempt > 0),\n"
        "        tasks.c.lease_token == lease.token,\n    )\n",
        tests=(f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        name="fence on the status",
        file=STATEMENTS,
        old="        checked(tasks.c.current_status == TaskStatus.PROCESSING),\n"
        "        tasks.c.attempt == lease.attempt,\n",
        new="        tasks.c.attempt == lease.attempt,\n",
        tests=(
            f"{CONTRACT}::test_cancelled_worker_is_fenced_off",
            f"{CONTRACT}::test_finish_again_with_the_same_lease_changes_nothing",
            f"{CONTRACT}::test_expired_lease_is_reaped_and_its_worker_fenced",
        ),
    ),
    Guard(
        name="fence on a renewal",
        file=STATEMENTS,
        old="        .where(_held(asked))\n        .values(lease_expires_at",
        new="        .where(or_(_held(asked), tasks.c.task_id == asked.task_id))\n        .values(lease_expires_at",
        tests=(f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        name="claim only what is pending",
        file=STATEMENTS,
        old=".where(which, checked(tasks.c.current_status == TaskStatus.PENDING), tasks.c.available_at <= now())",
        new=".where(which, tasks.c.available_at <= now())",
        tests=(
            f"{CONTRACT}::test_of_concurrent_claims_one_wins",
            f"{CONTRACT}::test_nobody_claims_what_is_unknown_or_finished",
            f"{PROCESS}::test_double_delivery_runs_once",
        ),
    ),
    Guard(
        name="claim only what is available",
        file=STATEMENTS,
        old=".where(which, checked(tasks.c.current_status == TaskStatus.PENDING), tasks.c.available_at <= now())",
        new=".where(which, checked(tasks.c.current_status == TaskStatus.PENDING))",
        tests=(f"{CONTRACT}::test_crashed_attempt_is_tried_again_after_a_backoff",),
    ),
    Guard(
        name="claim counts the attempt",
        file=STATEMENTS,
        old="attempt=tasks.c.attempt + 1,",
        new="attempt=tasks.c.attempt,",
        tests=(
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_release_without_cost_keeps_the_attempts",
        ),
    ),
    Guard(
        name="fence on a deferral",
        file=STATEMENTS,
        old="        .where(_held(lease))\n"
        "        .values(\n            current_status=TaskStatus.PENDING,\n            available_at=again,\n",
        new="        .where(tasks.c.task_id == lease.task_id)\n"
        "        .values(\n            current_status=TaskStatus.PENDING,\n            available_at=again,\n",
        tests=(f"{CONTRACT}::test_lost_lease_changes_nothing",),
    ),
    Guard(
        name="a deferred task waits for its delay",
        file=STATEMENTS,
        old="            available_at=again,\n",
        new="            available_at=now(),\n",
        tests=(
            f"{CONTRACT}::test_deferred_task_waits_for_its_delay_and_is_due_then",
            f"{PRIORITY}::test_deferred_task_leaves_messages_to_others_before_it_is_due",
        ),
    ),
    Guard(
        name="a deferred task is dispatched again",
        file=STATEMENTS,
        old="            dispatch_due_at=again,\n",
        new="",
        tests=(f"{CONTRACT}::test_deferred_task_waits_for_its_delay_and_is_due_then",),
    ),
    Guard(
        name="a deferred task keeps its place",
        file=STATEMENTS,
        old="            overtakes=True,\n        )\n        .returning(tasks.c.claimed_at, now()",
        new="        )\n        .returning(tasks.c.claimed_at, now()",
        tests=(f"{PRIORITY}::test_deferred_task_goes_before_those_that_came_later",),
    ),
    Guard(
        name="fence on a recall",
        file=STATEMENTS,
        old="            tasks.c.attempt == lease.attempt,\n            tasks.c.lease_token == lease.token,\n"
        "            tasks.c.available_at > now(),\n",
        new="            tasks.c.available_at > now(),\n",
        tests=(f"{CONTRACT}::test_only_a_deferral_of_ones_own_is_recalled",),
    ),
    Guard(
        name="a schedule outlives a recall",
        file=STATEMENTS,
        old="            or_(tasks.c.scheduled_for.is_(None), tasks.c.scheduled_for <= now()),\n",
        new="",
        tests=(f"{CONTRACT}::test_task_that_was_scheduled_meanwhile_is_not_recalled",),
    ),
    Guard(
        name="own outcome recognised after an uncertain COMMIT",
        file=ATTEMPTING,
        old=" or own_doing(connection, ending.lease, ending.cause) is status\n",
        new="\n",
        tests=(f"{CONTRACT}::test_finish_again_with_the_same_lease_changes_nothing",),
    ),
    Guard(
        name="only the own outcome recognised",
        file=STATEMENTS,
        old="        status_history.c.lease_token == lease.token,\n",
        new="",
        tests=(f"{GUARDS}::test_outcome_of_another_lease_is_not_taken_for_ones_own",),
    ),
    Guard(
        name="own claim recognised after an uncertain COMMIT",
        file=ATTEMPTING,
        old="    row = connection.execute(select_claimed(request.token)).one_or_none()\n",
        new="    row = None\n",
        tests=(f"{CONTRACT}::test_repeated_claim_is_the_same_claim",),
    ),
    Guard(
        name="own hand-back recognised after an uncertain COMMIT",
        file=ATTEMPTING,
        old="    return None if line is None else line.status\n",
        new="    return None\n",
        tests=(f"{CONTRACT}::test_repeated_outcomes_are_known_for_their_own",),
    ),
    Guard(
        name="own cancel recognised after an uncertain COMMIT",
        file=REPOSITORY,
        old="return None if repeated and status is TaskStatus.CANCELLED else status",
        new="return status",
        tests=(f"{CONTRACT}::test_repeated_outcomes_are_known_for_their_own",),
    ),
    Guard(
        name="only the own hand-back recognised",
        file=STATEMENTS,
        old="        status_history.c.cause.is_(None) if cause is None else status_history.c.cause == cause,\n",
        new="",
        tests=(f"{CONTRACT}::test_reaped_task_is_not_taken_for_ones_own_doing",),
    ),
    Guard(
        name="history of a finish in its statement",
        file=ATTEMPTING,
        old="    return Prepared(select(ended.c.lease_token).add_cte(noted))\n",
        new="    return Prepared(select(ended.c.lease_token))\n",
        tests=(f"{CONTRACT}::test_finish_records_result_and_history",),
    ),
    Guard(
        name="SQLite: history of a finish in its transaction",
        file=ATTEMPTING,
        old="    write_line(connection, ending.lease.task_id, status, row.at, ending.notes, **columns)\n",
        new="",
        tests=(f"{CONTRACT}::test_finish_records_result_and_history",),
    ),
    Guard(
        name="history of a claim in its statement",
        file=ATTEMPTING,
        old='.add_cte(insert(status_history).from_select(_LINE, lines).cte("noted")))\n',
        new=")\n",
        tests=(
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_finish_records_result_and_history",
        ),
    ),
    Guard(
        name="SQLite: history of a claim in its transaction",
        file=ATTEMPTING,
        old="        write_line(connection, lease.task_id, TaskStatus.PROCESSING, "
        "row.claimed_at, notes, **attempt_columns(lease))\n",
        new="",
        tests=(
            f"{CONTRACT}::test_claim_gives_all_a_worker_needs",
            f"{CONTRACT}::test_finish_records_result_and_history",
        ),
    ),
    Guard(
        name="a task waits for those that overtake it",
        file=STATEMENTS,
        old="and_(tasks.c.priority >= 0, not_(overtaken()))",
        new="and_(tasks.c.priority >= 0)",
        tests=(f"{PRIORITY}::test_higher_priority_comes_first_and_every_message_finds_a_task",),
    ),
    Guard(
        name="a task of negative priority waits for all others",
        file=STATEMENTS,
        old="and_(tasks.c.priority >= 0, not_(overtaken()))",
        new="not_(overtaken())",
        tests=(f"{PRIORITY}::test_negative_priority_waits_for_all_others",),
    ),
    Guard(
        name="a message about a task that is taken is used for another",
        file=REPOSITORY,
        old="            claim = await self.database.write(lambda connection: claim_another(connection, request))\n",
        new="            pass\n",
        tests=(
            f"{PRIORITY}::test_task_that_was_overtaken_is_found_by_the_other_message",
            f"{PRIORITY}::test_message_about_no_task_takes_what_waits",
        ),
    ),
    Guard(
        name="another task is claimed in one transaction with its history",
        file=REPOSITORY,
        old="            claim = await self.database.write(lambda",
        new="            claim = await self.database.autocommit(lambda",
        tests=(f"{PRIORITY}::test_claim_of_another_task_is_one_transaction_with_its_line",),
    ),
    Guard(
        name="only tasks with a message are taken by that of another",
        file="db/ranking.py",
        old="        .where(ready(), tasks.c.available_at <= now())\n        .order_by",
        new="        .where(tasks.c.dispatch_due_at.is_not(None), tasks.c.available_at <= now())\n        .order_by",
        tests=(f"{PRIORITY}::test_task_without_a_message_is_not_taken_by_that_of_another",),
    ),
    Guard(
        name="a task that lost its message goes before those that came later",
        file=ATTEMPTING,
        old='            connection.execute(let_overtake(), {"asked_task_id": request.task_id})\n',
        new="            pass\n",
        tests=(f"{PRIORITY}::test_those_who_were_overtaken_stay_in_order",),
    ),
    Guard(
        name="cancel only what has not ended",
        file=REPOSITORY,
        old="            if status.terminal:\n",
        new="            if False:\n",
        tests=(f"{CONTRACT}::test_ended_task_cannot_be_cancelled",),
    ),
    Guard(
        name="cancel locks the row it looks at",
        file=STATEMENTS,
        old="        .where(tasks.c.task_id == task_id)\n        .with_for_update()\n",
        new="        .where(tasks.c.task_id == task_id)\n",
        tests=(f"{GUARDS}::test_finish_between_the_two_halves_of_a_cancel_waits",),
    ),
)
