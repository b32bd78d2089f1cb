"""Guards of projects: what keeps the tasks of one from those who work in another."""

from tests.guards.guard import Guard
from tests.guards.removals import Replace, Widen

PROJECTS_TESTS = "tests/contract/test_projects.py"

PROJECTS = (
    Guard(
        "project.visible",
        "a task of another project is not found by its id",
        Widen(),
        (f"{PROJECTS_TESTS}::test_task_of_another_project_is_not_found",),
    ),
    Guard(
        "project.listed",
        "lists have the tasks of one project",
        Replace("()"),
        (f"{PROJECTS_TESTS}::test_lists_and_their_cursors_have_nothing_of_another_project",),
    ),
    Guard(
        "project.labelled",
        "lists by name or tag have the tasks of one project",
        Replace("()"),
        (f"{PROJECTS_TESTS}::test_lists_and_their_cursors_have_nothing_of_another_project",),
    ),
    Guard(
        "project.key",
        "an idempotency key names a task of its project",
        Replace("key"),
        (f"{PROJECTS_TESTS}::test_projects_have_keys_of_their_own",),
    ),
)
