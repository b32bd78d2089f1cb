"""Guards in workers, transactions, the simulator child and the broker's adapter."""

from benchmarks.guards.guard import ADMISSION, GUARDS, GUARDS_RUNTIME, PROCESS, RABBIT, SHARE, SQLITE, WORKER, Guard

SERVICE = "service/process.py"
RUNNER = "execution/runner.py"

PROCESSES = (
    Guard(
        name="lease is renewed",
        file=SERVICE,
        old="        keeper.start()\n",
        new="",
        tests=(f"{PROCESS}::test_lease_is_renewed_while_the_program_runs",),
    ),
    Guard(
        name="a simulation goes on while renewals get no answer",
        file=SERVICE,
        old="            self._failing = True\n            return True\n",
        new="            self._failing = True\n            return False\n",
        tests=(f"{PROCESS}::test_simulation_goes_on_while_renewals_get_no_answer",),
    ),
    Guard(
        name="a lost lease kills the simulation at once",
        file=SERVICE,
        old="        self.lost.set_result(None)\n",
        new="",
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
        old="                delayed = True\n            await self.clock.sleep(RETRY_SECONDS)\n",
        new="                raise\n",
        tests=(f"{PROCESS}::test_outcome_is_recorded_once_the_database_is_back",),
    ),
    Guard(
        name="one large program at a time",
        file="execution/admission.py",
        old="            if self._grant is not None:\n",
        new="            if False:\n",
        tests=(f"{ADMISSION}::test_one_large_program_at_a_time",),
    ),
    Guard(
        name="the machine is free once its program has ended",
        file=RUNNER,
        old="            grants.callback(self._admission.enter().end)\n",
        new="            self._admission.enter()\n",
        tests=(
            f"{ADMISSION}::test_machine_is_free_after_an_answer",
            f"{ADMISSION}::test_machine_is_free_after_its_holder_is_killed",
        ),
    ),
    Guard(
        name="a cancelled run has left the machine when it returns",
        file=RUNNER,
        old="                await self._in_thread(child.process.end)\n                raise\n",
        new="                raise\n",
        tests=(f"{ADMISSION}::test_machine_is_free_when_a_cancelled_run_returns",),
    ),
    Guard(
        name="who was turned away is called back",
        file=SERVICE,
        old="            await self.deferrals.recall(claim.lease.task_id)\n",
        new="",
        tests=(f"{PROCESS}::test_deferred_task_is_called_back_when_another_has_ended",),
    ),
    Guard(
        name="slots share one admission",
        file=RUNNER,
        old="ChildRunner(self._limits, self._command, self._admission)",
        new="ChildRunner(self._limits, self._command)",
        tests=(f"{ADMISSION}::test_one_large_program_at_a_time",),
    ),
    Guard(
        name="a program is not simulated before it is admitted",
        file="execution/share.py",
        old='            raise MachineBusy("another large program runs")\n',
        new="            pass\n",
        tests=(f"{SHARE}::test_program_that_is_not_admitted_is_not_simulated",),
    ),
    Guard(
        name="memory of a small program is that of a slot",
        file="execution/child.py",
        old="        resource.setrlimit(what, (min(soft, most), most))\n",
        new="        resource.setrlimit(what, (most, most))\n",
        tests=(f"{ADMISSION}::test_real_programs_take_turns_and_small_ones_run_meanwhile",),
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
        file="simulator.py",
        old="    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)\n",
        new="",
        tests=("tests/integration/execution/test_processes.py::test_child_at_work_dies_with_its_parent",),
    ),
    Guard(
        name="the child is tied to its parent before it imports anything slow",
        file="simulator.py",
        old=(
            "    die_with_parent(int(parent))\n"
            "    from ketline.execution.sandbox import confine\n"
            "\n"
            "    confine()\n"
            "    die_with_parent(int(parent))  # a process that changes its user loses its parent-death signal\n"
            "    from ketline.execution import child, wire\n"
        ),
        new=(
            "    from ketline.execution.sandbox import confine\n"
            "\n"
            "    confine()\n"
            "    from ketline.execution import child, wire\n"
            "\n"
            "    die_with_parent(int(parent))\n"
        ),
        tests=("tests/integration/execution/test_processes.py::test_child_that_still_imports_dies_with_its_parent",),
    ),
    Guard(
        name="a simulator is confined",
        file="simulator.py",
        old="    confine()\n",
        new="",
        tests=("tests/integration/execution/test_sandbox.py::test_simulator_is_confined_and_has_no_capabilities",),
    ),
    Guard(
        name="a process that starts simulators hides its environment",
        file="execution/process.py",
        old="        hide_process()  # from the program that will run in the child, as the same user\n",
        new="",
        tests=(
            "tests/integration/execution/test_sandbox.py::test_process_that_starts_a_simulator_hides_its_environment",
        ),
    ),
    Guard(
        name="a cancelled run kills the child",
        file="execution/runner.py",
        old="            except BaseException:\n                child.kill()\n",
        new="            except BaseException:\n                raise\n",
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
