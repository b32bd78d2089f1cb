"""Guards of quotas: what keeps a project within them when many submit at once."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace

QUOTAS_TESTS = "tests/contract/test_quotas.py"

QUOTAS = (
    Guard(
        "quota.lock",
        "submissions to a project with quotas are counted one after the other",
        Replace("_select_project(project)"),
        (f"{QUOTAS_TESTS}::test_quotas_hold_when_a_hundred_submit_at_once",),
    ),
    Guard(
        "quota.repeat",
        "a repeated submission uses nothing of a quota, and is not rejected",
        Replace("[None] * len(requests)"),
        (f"{QUOTAS_TESTS}::test_repeat_of_a_stored_task_is_never_rejected",),
    ),
    Guard(
        "quota.project",
        "default quotas hold in a project that nobody created",
        Replace("False"),
        (f"{QUOTAS_TESTS}::test_default_quotas_hold_in_a_project_that_nobody_created",),
    ),
    Guard(
        "quota.room",
        "nothing is stored beyond a quota",
        Replace("False"),
        (
            f"{QUOTAS_TESTS}::test_waiting_tasks_are_counted_until_they_run",
            f"{QUOTAS_TESTS}::test_shots_of_a_day_are_those_of_all_points",
        ),
    ),
    Guard(
        "quota.request",
        "no task is stored that exceeds a quota by itself",
        Replace("False"),
        (f"{QUOTAS_TESTS}::test_request_above_a_quota_is_rejected_for_good",),
    ),
    Guard(
        "quota.deleted",
        "the seconds of a deleted task stay used",
        Drop(),
        (f"{QUOTAS_TESTS}::test_deleting_tasks_gives_no_seconds_back",),
    ),
    Guard(
        "quota.settled",
        "the seconds of a deleted task are counted once",
        Replace("sum(row.seconds for row in deleted)"),
        (f"{QUOTAS_TESTS}::test_seconds_that_are_counted_are_not_counted_again_when_their_task_is_deleted",),
    ),
)
