"""Guards of projects: what keeps the tasks of one from those who work in another."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace, Widen

SESSIONS_TESTS = "tests/contract/test_sessions.py"
PROJECTS_TESTS = "tests/contract/test_projects.py"
DEVICES_TESTS = "tests/contract/test_devices.py"
CONTENTS_TESTS = "tests/contract/test_device_contents.py"
CACHES_TESTS = "tests/unit/execution/test_project_caches.py"

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
    Guard(
        "project.cache",
        "a simulator reads a program anew for each project",
        Replace('""'),
        (f"{CACHES_TESTS}::test_program_is_read_once_for_each_project",),
    ),
    Guard(
        "project.scanner",
        "a simulator forgets the statements of a project before it reads a program of another",
        Drop(),
        (f"{CACHES_TESTS}::test_first_reading_is_as_that_of_a_new_simulator",),
    ),
    Guard(
        "project.gates",
        "a simulator forgets the gates of a project before it lowers a program of another",
        Drop(),
        (f"{CACHES_TESTS}::test_first_reading_is_as_that_of_a_new_simulator",),
    ),
    Guard(
        "session.move_one",
        "a browser's choice of a project moves its own session alone",
        Widen(),
        (f"{SESSIONS_TESTS}::test_session_is_moved_to_another_project_under_another_token",),
    ),
    Guard(
        "session.move_ended",
        "a session that has ended is not moved",
        Drop(),
        (f"{SESSIONS_TESTS}::test_session_that_is_over_is_not_moved",),
    ),
    Guard(
        "session.move_token",
        "a session that was moved has another token, and the former one ends",
        Drop(),
        (f"{SESSIONS_TESTS}::test_session_is_moved_to_another_project_under_another_token",),
    ),
    Guard(
        "session.own_move",
        "a repeat after an uncertain COMMIT finds that it moved the session",
        Drop(),
        (f"{SESSIONS_TESTS}::test_repeated_move_is_the_same_move",),
    ),
    Guard(
        "device.lock",
        "devices of a project are stored one after the other",
        Replace("row"),
        (f"{DEVICES_TESTS}::test_devices_that_are_stored_at_once_are_stored_one_after_the_other",),
    ),
    Guard(
        "project.devices",
        "a simulator transpiles a program anew for each project",
        Replace('""'),
        ("tests/unit/execution/devices/test_device_runs.py::test_projects_share_no_devices_and_programs",),
    ),
    Guard(
        "submit.device",
        "the content of a task's device is stored before the task",
        Drop(),
        ("tests/unit/service/test_task_devices.py::test_content_is_kept_before_its_task_is_stored",),
    ),
    Guard(
        "submit.noise",
        "a large model of noise is stored before the task that has it",
        Drop(),
        ("tests/unit/service/test_task_noise.py::test_large_model_is_stored_before_its_task",),
    ),
    Guard(
        "submit.room",
        "what a quota rejects leaves no model of noise behind",
        Drop(),
        ("tests/unit/service/test_task_noise.py::test_model_of_a_rejected_submission_is_not_stored",),
    ),
    Guard(
        "noise.needed",
        "a stored model of noise stays stored as long as a task has it",
        Drop(),
        ("tests/contract/test_noise_contents.py::test_model_of_a_task_stays",),
    ),
    Guard(
        "device.needed",
        "the content of a task's device stays stored as long as the task",
        Drop(),
        (f"{CONTENTS_TESTS}::test_content_of_a_task_stays",),
    ),
)
