"""Which of a file's tests a session runs, and in how many processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.schedule import in_share, number_of_workers, turn_of

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

def test_short(): pass

@pytest.mark.long
def test_long(): pass

@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.long)])
def test_some(number): pass
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["test_file.py"], ["test_short", "test_some[1]"]),
        (["test_file.py", "--long"], ["test_short", "test_long", "test_some[1]", "test_some[2]"]),
        (["test_file.py", "--long-share", "1"], ["test_short", "test_long", "test_some[1]", "test_some[2]"]),
        (["test_file.py::test_long"], ["test_long"]),
        (["test_file.py", "--long", "-n", "2"], ["test_short", "test_long", "test_some[1]", "test_some[2]"]),
    ],
    ids=["as it is", "all", "the only share", "by name", "in two workers"],
)
def test_session_runs(tmp_path: Path, arguments: list[str], expected: list[str]) -> None:
    (tmp_path / "test_file.py").write_text(TESTS)
    plain = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "xdist", "-p", "tests.schedule"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", *plain, *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    passed = {word.partition("::")[2] for word in done.stdout.split() if "::" in word}
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed == set(expected)


@pytest.mark.parametrize(
    ("paths", "cores", "expected"),
    [
        (["tests"], 2, 3),
        (["tests/unit", "tests/contract"], 2, 3),
        (["tests"], 16, 8),
        (["tests/unit"], 2, 2),
        (["tests/unit/api/test_docs.py", "tests/unit/db"], 2, 2),
    ],
)
def test_unit_tests_alone_get_one_worker_for_each_core(paths: list[str], cores: int, expected: int) -> None:
    assert number_of_workers(paths, cores) == expected


def test_each_long_test_is_in_one_share() -> None:
    tests = [f"tests/failpoints/test_failpoints.py::test_struck[{number}]" for number in range(400)]
    chosen = [[test for test in tests if in_share(test, turn, 4)] for turn in range(4)]
    assert sorted(test for share in chosen for test in share) == sorted(tests)
    assert all(70 < len(share) < 130 for share in chosen)


def test_commits_take_turns() -> None:
    assert {turn_of(f"{number:08x}" + "0" * 32, 4) for number in range(8)} == {0, 1, 2, 3}
