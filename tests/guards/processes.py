"""Guards in workers, transactions, the simulator child and the broker's adapter."""

from tests.guards.guard import ADMISSION, GUARDS, GUARDS_RUNTIME, PROCESS, RABBIT, REDIS, SHARE, SQLITE, WORKER, Guard
from tests.guards.removals import AfterImports, Drop, Replace

PROTOCOL = "tests/unit/execution/test_protocol.py"

PROCESSES = (
    Guard(
        "lease.renewed",
        "a lease is renewed while its program runs",
        Drop(),
        (f"{PROCESS}::test_lease_is_renewed_while_the_program_runs",),
    ),
    Guard(
        "lease.unanswered",
        "a simulation goes on while renewals get no answer",
        Replace("False"),
        (f"{PROCESS}::test_simulation_goes_on_while_renewals_get_no_answer",),
    ),
    Guard(
        "lease.lost",
        "a lost lease kills the simulation at once",
        Drop(),
        (f"{GUARDS_RUNTIME}::test_cancelled_task_is_killed_long_before_its_lease_ends",),
    ),
    Guard(
        "process.hand_back",
        "a worker that stops hands its task back",
        Drop(),
        (
            f"{PROCESS}::test_cancelled_process_hands_the_task_back_unspent",
            f"{WORKER}::test_stop_beyond_the_grace_time_hands_the_task_back",
        ),
    ),
    Guard(
        "process.persist",
        "an outcome is offered until the database is back",
        Replace("raise"),
        (f"{PROCESS}::test_outcome_is_recorded_once_the_database_is_back",),
    ),
    Guard(
        "admission.one",
        "one large program runs at a time",
        Replace("False"),
        (f"{ADMISSION}::test_one_large_program_at_a_time",),
    ),
    Guard(
        "admission.end",
        "the machine is free once its program has ended",
        Replace("self._admission.enter()"),
        (
            f"{ADMISSION}::test_machine_is_free_after_an_answer",
            f"{ADMISSION}::test_machine_is_free_after_its_holder_is_killed",
        ),
    ),
    Guard(
        "run.left",
        "a cancelled run has left the machine when it returns",
        Drop(),
        (f"{ADMISSION}::test_machine_is_free_when_a_cancelled_run_returns",),
    ),
    Guard(
        "process.recall",
        "a deferred task is called back when another has ended",
        Drop(),
        (f"{PROCESS}::test_deferred_task_is_recalled_when_another_has_ended",),
    ),
    Guard(
        "admission.shared",
        "the slots of a worker share one admission",
        Drop("_admission"),
        (f"{ADMISSION}::test_one_large_program_at_a_time",),
    ),
    Guard(
        "admission.required",
        "a program is not simulated before it is admitted",
        Drop(),
        (f"{SHARE}::test_program_that_is_not_admitted_is_not_simulated",),
    ),
    Guard(
        "child.small_memory",
        "a small program has the memory of a slot",
        Replace("what, (most, most)", part="setrlimit"),
        (f"{ADMISSION}::test_real_programs_take_turns_and_small_ones_run_meanwhile",),
    ),
    Guard(
        "worker.message_waits",
        "a message waits while the database is down",
        Replace("return True"),
        (f"{WORKER}::test_message_waits_in_its_slot_during_a_database_outage",),
    ),
    Guard(
        "write.decided",
        "a cancelled write is decided when it returns",
        Replace("await task"),
        (f"{GUARDS}::test_cancelled_write_is_decided_when_it_returns",),
    ),
    Guard(
        "write.defect",
        "a defect that one request brings to light is that request's only",
        Replace("True"),
        ("tests/integration/test_together.py::test_defect_of_one_leaves_the_others_alone",),
    ),
    Guard(
        "sqlite.immediate",
        "SQLite: writers of two processes take turns",
        Replace('"BEGIN"', part="begin"),
        (f"{GUARDS}::test_sqlite_writers_of_two_processes_take_turns",),
    ),
    Guard(
        "sqlite.savepoint",
        "SQLite: work that failed undoes itself only",
        Drop(),
        (f"{SQLITE}::test_failure_of_one_leaves_the_others_of_its_commit",),
    ),
    Guard(
        "sqlite.synchronous",
        "SQLite: each commit reaches the disk",
        Replace('"synchronous=OFF"'),
        (f"{GUARDS}::test_sqlite_commits_reach_the_disk",),
    ),
    Guard(
        "child.dies",
        "a simulator dies with its parent",
        Drop(),
        ("tests/integration/execution/test_processes.py::test_child_at_work_dies_with_its_parent",),
    ),
    Guard(
        "child.tied_first",
        "a simulator is tied to its parent before it imports anything slow",
        AfterImports(),
        ("tests/integration/execution/test_processes.py::test_child_that_still_imports_dies_with_its_parent",),
    ),
    Guard(
        "child.confined",
        "a simulator is confined",
        Drop(),
        ("tests/integration/execution/test_sandbox.py::test_simulator_is_confined_and_has_no_capabilities",),
    ),
    Guard(
        "process.hidden",
        "a process that starts simulators hides its environment",
        Drop(),
        ("tests/integration/execution/test_sandbox.py::test_process_that_starts_a_simulator_hides_its_environment",),
    ),
    Guard(
        "run.killed",
        "a cancelled run kills its simulator",
        Replace("raise"),
        ("tests/integration/execution/test_runner.py::test_cancelling_kills_the_child_and_frees_the_runner",),
    ),
    Guard(
        "wire.token",
        "an answer is to the order that was given",
        Replace("False"),
        (f"{PROTOCOL}::test_answer_to_another_order_is_rejected",),
    ),
    Guard(
        "wire.counts",
        "the counts that a simulator's process sends are stored only if they are valid",
        Replace("re.compile(rb'[{][^{}]*[}]').match(data, start)"),
        (f"{PROTOCOL}::test_text_that_is_no_object_of_counts_is_rejected",),
    ),
    Guard(
        "wire.keys",
        "each bitstring is there once",
        Replace("False"),
        (f"{PROTOCOL}::test_text_that_is_no_object_of_counts_is_rejected",),
    ),
    Guard(
        "wire.shots",
        "the counts are those of all shots",
        Replace("False"),
        (f"{PROTOCOL}::test_what_is_no_answer_is_rejected",),
    ),
    Guard(
        "wire.measures",
        "the measured use of a program is a number that can be added to others",
        Replace("False"),
        (f"{PROTOCOL}::test_what_is_no_answer_is_rejected",),
    ),
    Guard(
        "wire.outputs",
        "outputs of a simulator's process have the shapes that were requested",
        Replace("False"),
        ("tests/unit/execution/test_outputs.py::test_other_shapes_are_not_accepted_from_a_simulator",),
    ),
    Guard(
        "wire.gradients",
        "derivatives of a simulator's process have the shape of their input",
        Replace("False"),
        ("tests/unit/execution/test_gradients.py::test_other_shapes_are_not_accepted_from_a_simulator",),
    ),
    Guard(
        "wire.mitigation",
        "a simulator's process sends a value of each observable at each scale factor",
        Replace("False"),
        ("tests/unit/execution/test_mitigation.py::test_answers_with_other_numbers_are_not_believed",),
    ),
    Guard(
        "wire.correction",
        "a simulator's process corrects the outcomes that were counted",
        Replace("False"),
        ("tests/unit/execution/test_corrected_counts.py::test_answers_with_other_outcomes_are_not_believed",),
    ),
    Guard(
        "publish.mandatory",
        "a message that no queue took is noticed",
        Replace("False", part="mandatory"),
        (f"{RABBIT}/test_topology.py::test_publish_without_a_queue_fails_and_the_queue_is_declared_again",),
    ),
    Guard(
        "publish.confirmed",
        "a message that the broker did not take is noticed",
        Replace("publisher_confirms=False", part="channel"),
        (
            f"{RABBIT}/test_topology.py::test_publish_without_a_queue_fails_and_the_queue_is_declared_again",
            f"{RABBIT}/test_losses.py::test_blocked_publish_times_out_and_consuming_goes_on",
        ),
    ),
    Guard(
        "consumer.stalled",
        "a consumer that gets no messages any more is noticed",
        Replace("False"),
        (f"{RABBIT}/test_losses.py::test_stalled_consumer_is_noticed",),
    ),
    Guard(
        "queue.hand_back",
        "a message that was not acknowledged goes to another",
        Drop(),
        ("tests/contract/test_queue.py::test_unacknowledged_message_comes_back_when_its_slot_closes",),
    ),
    Guard(
        "redis.hand_back",
        "on Redis, too, a message that was not acknowledged goes to another",
        Drop(),
        ("tests/contract/test_queue.py::test_unacknowledged_message_comes_back_when_its_slot_closes",),
    ),
    Guard(
        "redis.renew",
        "a message whose task is being run is not taken for abandoned",
        Drop(),
        (f"{REDIS}/test_abandoned.py::test_message_in_hand_is_renewed_and_never_delivered_twice",),
    ),
    Guard(
        "redis.abandoned",
        "messages of dead workers return to the queue",
        Replace("0"),
        (f"{REDIS}/test_abandoned.py::test_message_of_a_dead_consumer_is_delivered_again_and_the_consumer_removed",),
    ),
    Guard(
        "redis.reconnect",
        "a message that was delivered to a lost connection is delivered again at once",
        Drop(),
        (f"{REDIS}/test_losses.py::test_message_delivered_to_a_lost_connection_comes_again_at_once",),
    ),
    Guard(
        "backlog.full",
        "a full backlog rejects submissions",
        Replace("False"),
        ("tests/unit/api/test_idempotency.py::test_full_backlog_is_a_429_with_retry_after",),
    ),
)
