"""Guards of schedules, changes and deletions."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace

CHANGING = "tests/contract/test_changes.py"
LABELS = "tests/contract/test_labels.py"
HOLD = "tests/contract/test_hold.py"

SCHEDULES = (
    Guard(
        "schedule.available",
        "a scheduled task is not available before its time",
        Replace("now()"),
        (f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        "schedule.due",
        "a scheduled task is not due before its time",
        Replace("from_now(request.due_seconds)"),
        (f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        "schedule.stored",
        "a scheduled task is never stored as taken",
        Drop(),
        (f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        "schedule.outbox",
        "a scheduled task is left to the dispatcher",
        Replace("self.outbox.has_room()"),
        ("tests/unit/api/test_labels.py::test_scheduled_task_is_left_to_the_dispatcher",),
    ),
    Guard(
        "postpone.available",
        "a task that could not be published is not due before its time",
        Replace("from_now(delay.total_seconds())"),
        (f"{CHANGING}::test_put_off_task_is_not_due_early_when_its_message_could_not_be_published",),
    ),
    Guard(
        "change.dispatch",
        "a task that was put off is dispatched again",
        Drop("dispatch_count"),
        (f"{CHANGING}::test_task_that_was_dispatched_is_put_off",),
    ),
    Guard(
        "change.pending",
        "only a pending task is scheduled anew",
        Drop(),
        (
            f"{CHANGING}::test_schedule_of_a_task_that_was_started_stays",
            f"{CHANGING}::test_of_a_claim_and_a_change_of_schedule_one_wins",
        ),
    ),
    Guard(
        "hold.available",
        "a held task is not available",
        Replace("available_at"),
        (f"{HOLD}::test_held_task_waits_whatever_comes",),
    ),
    Guard(
        "hold.due",
        "a held task is not due",
        Replace("due_at"),
        (f"{HOLD}::test_held_task_waits_whatever_comes",),
    ),
    Guard(
        "hold.clock",
        "a corrected clock releases no held task",
        Drop(),
        (f"{HOLD}::test_held_task_waits_whatever_comes",),
    ),
    Guard(
        "hold.change",
        "another schedule releases no held task",
        Drop(),
        (f"{HOLD}::test_change_of_schedule_releases_nothing",),
    ),
    Guard(
        "hold.once",
        "a task that was released is not released again",
        Drop(),
        (f"{HOLD}::test_second_release_changes_nothing",),
    ),
    Guard(
        "delete.ended",
        "only a task that has ended is deleted",
        Drop(),
        (f"{CHANGING}::test_task_that_has_not_ended_is_not_deleted",),
    ),
)
