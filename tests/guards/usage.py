"""Guards of usage: what keeps its sums complete, and those of one project from members of another."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace

CONTRACT = "tests/contract/test_usage.py"

USAGE = (
    Guard(
        "usage.deleted",
        "usage has what deleted tasks took",
        Drop(),
        (f"{CONTRACT}::test_usage_adds_up_before_and_after_tasks_are_deleted",),
    ),
    Guard(
        "usage.project",
        "usage of a project has its tasks only",
        Drop(),
        (f"{CONTRACT}::test_usage_of_a_project_by_day_and_owner",),
    ),
    Guard(
        "usage.own",
        "only administrators see the usage of other projects",
        Replace("False"),
        ("tests/unit/api/test_usage.py::test_members_see_the_usage_of_their_project_only",),
    ),
)
