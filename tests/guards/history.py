"""Guards of the history of statistics: what keeps it true, and that of one project from members of another."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace

CONTRACT = "tests/contract/test_history.py"

HISTORY = (
    Guard(
        "history.watched",
        "no minute is recorded that the process did not watch",
        Replace("self._since is None"),
        ("tests/unit/service/test_recorder.py::test_time_that_the_process_did_not_watch_is_left_out",),
    ),
    Guard(
        "history.deleted",
        "the history has tasks that were deleted before their minute was recorded",
        Drop(),
        (f"{CONTRACT}::test_deleted_tasks_stay_in_the_minute",),
    ),
    Guard(
        "history.project",
        "the history of a project has its tasks only",
        Replace("minute_figures.c.project.is_not(None)"),
        (f"{CONTRACT}::test_periods_sum_up_the_recorded_minutes",),
    ),
    Guard(
        "history.workers",
        "only operators see the numbers of workers and slots",
        Replace("{}"),
        ("tests/unit/api/test_history.py::test_workers_are_for_operators",),
    ),
)
