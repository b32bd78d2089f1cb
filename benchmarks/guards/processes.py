"""Guards in workers, transactions, the simulator child and the broker's adapter."""

from benchmarks.guards.guard import GUARDS, GUARDS_RUNTIME, PROCESS, RABBIT, SQLITE, WORKER, Guard

SERVICE = "service/process.py"

PROCESSES = (
    Guard(
        name="lease is renewed",
        file=SERVICE,
        old="        keeping = asyncio.create_task(keeper.run())\n",
        new="        keeping = asyncio.create_task(asyncio.sleep(3600))\n",
        tests=(f"{PROCESS}::test_lease_is_renewed_while_the_program_runs",),
    ),
    Guard(
        name="unconfirmed renewals kill the simulation",
        file=SERVICE,
        old="self._deadline - self._process.clock.monotonic()",
        new="3600.0",
        tests=(f"{GUARDS_RUNTIME}::test_simulation_is_killed_when_its_lease_may_be_over",),
    ),
    Guard(
        name="deadline counts from before a renewal",
        file=SERVICE,
        old="            self._deadline = asked_at + process",
        new="            self._deadline = process.clock.monotonic() + process",
        tests=(f"{GUARDS_RUNTIME}::test_slow_renewal_extends_the_deadline_from_when_it_was_sent",),
    ),
    Guard(
        name="a lost lease kills the simulation at once",
        file=SERVICE,
        old="                self.lost.set_result(None)\n                return\n",
        new="                return\n",
        tests=(f"{GUARDS_RUNTIME}::test_cancelled_task_is_killed_long_before_its_lease_ends",),
    ),
    Guard(
        name="hand back on cancellation",
        file=SERVICE,
        old="            await self._hand_back(claim.lease)\n",
        new="",
        tests=(
            f"{PROCESS}::test_cancelled_process_hands_the_task_back_unspent",
            f"{WORKER}::test_stop_beyond_the_grace_time_hands_the_task_back",
        ),
    ),
    Guard(
        name="an outcome is offered until the database is back",
        file=SERVICE,
        old="                if self.clock.monotonic() >= deadline:\n",
        new="                if True:\n",
        tests=(f"{PROCESS}::test_outcome_is_recorded_once_the_database_is_back",),
    ),
    Guard(
        name="a message waits while the database is away",
        file="worker/loop.py",
        old="                await self._pause(stop)\n            else:\n                return True\n",
        new="                return True\n            else:\n                return True\n",
        tests=(f"{WORKER}::test_message_waits_in_its_slot_while_the_database_is_away",),
    ),
    Guard(
        name="a cancelled write waits for its outcome",
        file="db/engine.py",
        old="        return await asyncio.shield(task)\n",
        new="        return await task\n",
        tests=(f"{GUARDS}::test_cancelled_write_is_decided_when_it_returns",),
    ),
    Guard(
        name="a defect is one request's",
        file="db/engine.py",
        old="            if len(requests) == 1 or isinstance(error, DatabaseUnavailable):\n",
        new="            if True:\n",
        tests=("tests/integration/test_together.py::test_defect_of_one_leaves_the_others_alone",),
    ),
    Guard(
        name="SQLite transactions write from their beginning",
        file="db/sqlite.py",
        old='begin="BEGIN IMMEDIATE"',
        new='begin="BEGIN"',
        tests=(f"{GUARDS}::test_sqlite_writers_of_two_processes_take_turns",),
    ),
    Guard(
        name="SQLite: a failed work undoes itself only",
        file="db/sqlite.py",
        old="        with translated(), connection.begin_nested():\n",
        new="        with translated():\n",
        tests=(f"{SQLITE}::test_failure_of_one_leaves_the_others_of_its_commit",),
    ),
    Guard(
        name="SQLite reaches the disk with each commit",
        file="db/sqlite.py",
        old='"synchronous=FULL"',
        new='"synchronous=OFF"',
        tests=(f"{GUARDS}::test_sqlite_commits_reach_the_disk",),
    ),
    Guard(
        name="the child dies with its parent",
        file="execution/child.py",
        old="    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)\n",
        new="",
        tests=("tests/integration/execution/test_processes.py::test_child_at_work_dies_with_its_parent",),
    ),
    Guard(
        name="a cancelled run kills the child",
        file="execution/runner.py",
        old="            self._cancel(job)\n",
        new="",
        tests=("tests/integration/execution/test_runner.py::test_cancelling_kills_the_child_and_frees_the_runner",),
    ),
    Guard(
        name="an answer carries its order's token",
        file="execution/wire.py",
        old='        if said["token"] != order.token:\n',
        new="        if False:\n",
        tests=("tests/unit/execution/test_wire.py::test_answer_to_another_order_is_refused",),
    ),
    Guard(
        name="publishes are mandatory",
        file="messaging/rabbit/publisher.py",
        old="mandatory=True",
        new="mandatory=False",
        tests=(f"{RABBIT}/test_topology.py::test_publish_without_a_queue_fails_and_the_queue_is_declared_again",),
    ),
    Guard(
        name="publishes are confirmed",
        file="messaging/rabbit/publisher.py",
        old="publisher_confirms=True, on_return_raises=True",
        new="publisher_confirms=False",
        tests=(
            f"{RABBIT}/test_topology.py::test_publish_without_a_queue_fails_and_the_queue_is_declared_again",
            f"{RABBIT}/test_losses.py::test_blocked_publish_times_out_and_consuming_goes_on",
        ),
    ),
    Guard(
        name="a deaf consumer is noticed",
        file="messaging/rabbit/subscription.py",
        old="            if idle and await self._deaf(check_timeout_seconds):\n",
        new="            if False:\n",
        tests=(f"{RABBIT}/test_losses.py::test_deaf_consumer_is_noticed",),
    ),
    Guard(
        name="unacknowledged messages go back",
        file="messaging/memory.py",
        old="            slot.hand_back()\n",
        new="            pass\n",
        tests=("tests/contract/test_queue.py::test_unacknowledged_message_comes_back_when_its_slot_closes",),
    ),
    Guard(
        name="a full backlog refuses",
        file="service/backlog.py",
        old="        if self._pending + tasks > self.cap:\n",
        new="        if False:\n",
        tests=("tests/unit/api/test_idempotency.py::test_full_backlog_is_a_429_with_retry_after",),
    ),
)
