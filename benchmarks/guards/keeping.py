"""Guards of schedules, changes and deletions."""

from benchmarks.guards.guard import Guard

CHANGING = "tests/contract/test_changing.py"
LABELS = "tests/contract/test_labels.py"

KEEPING = (
    Guard(
        name="a scheduled task is not available before its time",
        file="db/submitting.py",
        old='"available_at": later(asked.scheduled_for, now()),',
        new='"available_at": now(),',
        tests=(f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        name="a scheduled task is not due before its time",
        file="db/submitting.py",
        old="later(asked.scheduled_for, from_now(asked.due_seconds))",
        new="from_now(asked.due_seconds)",
        tests=(f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        name="a scheduled task is never stored as taken",
        file="db/repository.py",
        old="        taken = taken and submission.scheduled_for is None\n",
        new="",
        tests=(f"{LABELS}::test_scheduled_task_waits_for_its_time",),
    ),
    Guard(
        name="a scheduled task is not put on the queue by who stores it",
        file="service/submit.py",
        old="scheduled_for is None and self.outbox.has_room()",
        new="self.outbox.has_room()",
        tests=("tests/unit/api/test_labels.py::test_scheduled_task_is_left_to_the_dispatcher",),
    ),
    Guard(
        name="a task that was put off is not due before its time",
        file="db/dispatching.py",
        old="later(tasks.c.available_at, from_now(delay.total_seconds()))",
        new="from_now(delay.total_seconds())",
        tests=(f"{CHANGING}::test_put_off_task_is_not_due_early_when_its_message_could_not_be_published",),
    ),
    Guard(
        name="a task that was put off is dispatched again",
        file="db/changing.py",
        old='"dispatch_due_at": at, "dispatch_count": 0}',
        new='"dispatch_due_at": at}',
        tests=(f"{CHANGING}::test_task_that_was_dispatched_is_put_off",),
    ),
    Guard(
        name="only a pending task is scheduled anew",
        file="db/changing.py",
        old="        statement = statement.where(checked(tasks.c.current_status == TaskStatus.PENDING))\n",
        new="",
        tests=(
            f"{CHANGING}::test_schedule_of_a_task_that_was_started_stays",
            f"{CHANGING}::test_of_a_claim_and_a_change_of_schedule_one_wins",
        ),
    ),
    Guard(
        name="only a task that has ended is deleted",
        file="db/catalogue.py",
        old="            if not status.terminal:\n                return status\n",
        new="",
        tests=(f"{CHANGING}::test_task_that_has_not_ended_is_not_deleted",),
    ),
)
