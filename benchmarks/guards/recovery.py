"""Guards of submission, dispatch, redispatch, reaping and budgets."""

from benchmarks.guards.guard import CONTRACT, GUARDS_RUNTIME, RECOVER, Guard

STATEMENTS = "db/statements.py"
LEASES = "db/leases.py"
REAP = "tests/integration/test_reap.py"
SUBMITTING = "db/submitting.py"
DISPATCHING = "db/dispatching.py"
SERVICE = "service/recover.py"

RECOVERY = (
    Guard(
        name="outbox: due with the insert",
        file=SUBMITTING,
        old="from_now(asked.due_seconds)),\n",
        new="from_now(asked.due_seconds + 3600.0)),\n",
        tests=(f"{CONTRACT}::test_new_task_is_due_once", f"{RECOVER}::test_nudge_dispatches_at_once"),
    ),
    Guard(
        name="insert may be repeated",
        file=SUBMITTING,
        old=".on_conflict_do_nothing(index_elements=[tasks.c.task_id])",
        new="",
        tests=(f"{CONTRACT}::test_adding_twice_stores_once",),
    ),
    Guard(
        name="a key stays bound until it expires",
        file=SUBMITTING,
        old=", where=idempotency_keys.c.expires_at <= now()",
        new="",
        tests=(
            f"{CONTRACT}::test_same_key_and_body_give_the_same_task",
            f"{CONTRACT}::test_concurrent_duplicates_create_one_task",
        ),
    ),
    Guard(
        name="a shared insert stores only what has bound its key",
        file=SUBMITTING,
        old="    rows = select(*new.values()).where(free)\n",
        new="    rows = select(*new.values())\n",
        tests=(f"{CONTRACT}::test_concurrent_duplicates_create_one_task",),
    ),
    Guard(
        name="a key is for one body",
        file="db/submission.py",
        old="    if fingerprint != key.fingerprint:\n",
        new="    if False:\n",
        tests=(f"{CONTRACT}::test_same_key_and_another_body_are_refused",),
    ),
    Guard(
        name="taken tasks are due again only later",
        file=DISPATCHING,
        old=".values(dispatch_due_at=from_now(interval), dispatch_count=tasks.c.dispatch_count + 1)",
        new=".values(dispatch_due_at=tasks.c.dispatch_due_at)",
        tests=(f"{CONTRACT}::test_new_task_is_due_once",),
    ),
    Guard(
        name="dispatchers skip each other's rows",
        file=DISPATCHING,
        old="        .with_for_update(skip_locked=True)\n",
        new="",
        tests=(f"{CONTRACT}::test_concurrent_dispatchers_take_disjoint_tasks",),
    ),
    Guard(
        name="claimed tasks are not due",
        file=STATEMENTS,
        old="            dispatch_due_at=None,\n        )\n        .returning(*CLAIM_COLUMNS)\n",
        new="        )\n        .returning(*CLAIM_COLUMNS)\n",
        tests=(f"{CONTRACT}::test_claimed_task_is_not_counted_as_dispatched",),
    ),
    Guard(
        name="only pending tasks are postponed",
        file=DISPATCHING,
        old=".where(tasks.c.task_id.in_(task_ids), checked(tasks.c.current_status == TaskStatus.PENDING))",
        new=".where(tasks.c.task_id.in_(task_ids))",
        tests=(f"{CONTRACT}::test_claimed_task_is_never_due",),
    ),
    Guard(
        name="refused publishes are postponed",
        file=SERVICE,
        old="            await self.repository.postpone(failed, REPUBLISH_DELAY)\n",
        new="",
        tests=(f"{RECOVER}::test_refused_publish_is_tried_again_when_the_queue_is_back",),
    ),
    Guard(
        name="nothing is taken while the queue is away",
        file=SERVICE,
        old="            await self.publisher.ping()\n",
        new="            pass\n",
        tests=(f"{RECOVER}::test_absent_queue_leaves_due_tasks_alone",),
    ),
    Guard(
        name="due tasks have their turn beside the outbox",
        file=SERVICE,
        old="        if self._ready:\n            await self._require_queue()\n",
        new="        while self._ready:\n            await self._require_queue()\n",
        tests=(f"{RECOVER}::test_steady_submissions_do_not_keep_due_tasks_waiting",),
    ),
    Guard(
        name="what is left in the outbox is due at once",
        file=SERVICE,
        old="                    await self.repository.postpone("
        "[dispatch.task_id for dispatch in self._ready], timedelta())\n",
        new="                    pass\n",
        tests=(f"{RECOVER}::test_tasks_that_were_put_are_due_at_once_when_their_process_stops",),
    ),
    Guard(
        name="redispatch",
        file=SERVICE,
        old="                await self._look_for_lost_messages()\n",
        new="",
        tests=(f"{GUARDS_RUNTIME}::test_dispatcher_looks_for_lost_messages_by_itself",),
    ),
    Guard(
        name="redispatch counts what the queue holds",
        file=SERVICE,
        old="missing = dispatched - await self.publisher.depth()",
        new="missing = dispatched",
        tests=(f"{RECOVER}::test_healthy_backlog_is_not_published_again",),
    ),
    Guard(
        name="long overdue is published whatever the queue holds",
        file=SERVICE,
        old="        return await self._send(await self.repository.take_overdue(self.batch, by=LONG_OVERDUE))\n",
        new="        return 0\n",
        tests=(f"{RECOVER}::test_long_overdue_tasks_are_published_whatever_the_queue_holds",),
    ),
    Guard(
        name="the poll makes up for a lost nudge",
        file=SERVICE,
        old="            async with asyncio.timeout(max(0.0, self._poll_at - self.clock.monotonic())):\n",
        new="            async with asyncio.timeout(None):\n",
        tests=(f"{RECOVER}::test_lost_nudge_is_made_up_for_by_the_poll",),
    ),
    Guard(
        name="reaper takes only expired leases",
        file=LEASES,
        old="    return tasks.c.lease_expires_at < as_of\n",
        new="    return tasks.c.lease_expires_at != as_of\n",
        tests=(f"{CONTRACT}::test_renewed_lease_is_not_reaped",),
    ),
    Guard(
        name="leases are judged as of the last look",
        file=LEASES,
        old="    as_of = now() if expiry.as_of is None else literal(expiry.as_of, UtcDateTime)\n",
        new="    as_of = now()\n",
        tests=("tests/contract/test_leases.py::test_lease_is_judged_as_of_the_look",),
    ),
    Guard(
        name="leases are judged in steady contact only",
        file="service/reap.py",
        old="while self.contact.steady and await self.reap(survey) == self.batch:",
        new="while await self.reap(survey) == self.batch:",
        tests=(
            f"{REAP}::test_clock_that_jumps_on_does_not_end_leases",
            f"{REAP}::test_reaper_that_has_just_started_waits_for_a_lease",
        ),
    ),
    Guard(
        name="an outage costs an attempt nothing",
        file=LEASES,
        old="    excused = [] if expiry.outage is None else _take(",
        new="    excused = [] if True or expiry.outage is None else _take(",
        tests=(
            "tests/contract/test_leases.py::test_lease_that_ran_out_in_an_outage_costs_nothing",
            f"{REAP}::test_worker_that_ended_in_an_outage_costs_its_task_nothing",
        ),
    ),
    Guard(
        name="an outage is an excuse only so often",
        file=LEASES,
        old=", earlier.scalar_subquery() < MOST_EXCUSED)",
        new=", earlier.scalar_subquery() >= 0)",
        tests=("tests/contract/test_leases.py::test_outages_end_attempts_at_no_cost_only_so_often",),
    ),
    Guard(
        name="times are corrected when the clock was set back",
        file="service/reap.py",
        old="            self._corrections = CORRECTIONS\n",
        new="            pass\n",
        tests=(f"{REAP}::test_tasks_and_leases_go_on_when_the_clock_is_set_back",),
    ),
    Guard(
        name="times are corrected at the start",
        file="service/reap.py",
        old="    _corrections: int = field(default=1, init=False)\n",
        new="    _corrections: int = field(default=0, init=False)\n",
        tests=(f"{REAP}::test_start_after_the_clock_was_set_back_corrects_times",),
    ),
    Guard(
        name="leases that nobody renews end though the clock was set back",
        file="service/reap.py",
        old="unrenewed=self._unrenewed())",
        new="unrenewed=())",
        tests=(f"{REAP}::test_tasks_and_leases_go_on_when_the_clock_is_set_back",),
    ),
    Guard(
        name="only times from before the clock was set back are corrected",
        file=LEASES,
        old="        or_(tasks.c.attempt == 0, last_line > now()),\n",
        new="",
        tests=("tests/contract/test_leases.py::test_delay_that_began_after_the_step_is_kept",),
    ),
    Guard(
        name="reaper",
        file="runtime.py",
        old="_running(dispatcher.run(), reaper.run(), retention.run())",
        new="_running(dispatcher.run(), retention.run())",
        tests=(f"{GUARDS_RUNTIME}::test_next_start_frees_what_the_last_process_held",),
    ),
    Guard(
        name="attempts budget",
        file=STATEMENTS,
        old="tasks.c.spent_attempts + 1 >= tasks.c.max_attempts",
        new="tasks.c.spent_attempts + 1 < 0",
        tests=(f"{CONTRACT}::test_spent_attempts_end_in_worker_lost",),
    ),
    Guard(
        name="crash budget",
        file=STATEMENTS,
        old="tasks.c.crashed_attempts + 1 >= budget.max_crashes",
        new="tasks.c.crashed_attempts + 1 < 0",
        tests=(f"{CONTRACT}::test_crash_budget_is_smaller_than_that_of_attempts",),
    ),
    Guard(
        name="start afresh",
        file="runtime.py",
        old="            await repository.start_afresh()\n",
        new="",
        tests=(f"{GUARDS_RUNTIME}::test_next_start_frees_what_the_last_process_held",),
    ),
    Guard(
        name="start afresh voids leases",
        file="db/repository.py",
        old="            connection.execute(statements.expire_leases())\n",
        new="",
        tests=(f"{CONTRACT}::test_start_afresh_frees_what_the_last_process_held",),
    ),
    Guard(
        name="start afresh makes pending tasks due",
        file="db/repository.py",
        old="            connection.execute(dispatching.make_pending_due())\n",
        new="",
        tests=(f"{CONTRACT}::test_start_afresh_frees_what_the_last_process_held",),
    ),
    Guard(
        name="one owner of a data directory",
        file="runtime.py",
        old="            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        new="            pass\n",
        tests=(f"{GUARDS_RUNTIME}::test_data_directory_has_one_owner_at_a_time",),
    ),
)
