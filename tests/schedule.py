"""Which tests a session runs, `--long` for all of them, and how pytest-xdist's workers share them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest
from xdist.scheduler import LoadScopeScheduling

# A worker that gets one of these late keeps the others waiting at the end: they come first, the longest first.
FIRST = (
    "tests/failpoints/",
    "tests/chaos/",
    "tests/acceptance/test_outages.py",
    "tests/model/",
    "tests/acceptance/",
    "tests/statemachine/",
    "tests/difference/",
    "tests/backends/",
    "tests/browser/",
    "tests/integration/",
    "tests/contract/",
)
MAX_WORKERS = 8
# Their tests are long and share nothing but the session's servers: several workers run one file.
SEPARATE = (
    "tests/acceptance/test_database_faults.py",
    "tests/acceptance/test_log_faults.py",
    "tests/acceptance/test_outages.py",
    "tests/backends/test_conformance.py",
    "tests/difference/",
    "tests/integration/test_sessions.py",
    "tests/statemachine/",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked as long too")
    parser.addoption(
        "--long-share", type=int, metavar="N", help="run one of N shares of the long tests too, another for each commit"
    )


@pytest.fixture(scope="session")
def long_run(request: pytest.FixtureRequest) -> bool:
    """Whether the long tests run too; tests that draw examples then draw more of them."""
    return bool(request.config.getoption("--long"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes long; `--long` runs it, and so does one of a few runs of .ci/run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = any("::" in argument for argument in config.args)
    if not named and not config.getoption("--long"):
        shares = config.getoption("--long-share")
        turn = turn_of(_commit(), shares) if shares else 0
        left_out = {item for item in items if _is_long(item) and not (shares and in_share(item.nodeid, turn, shares))}
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The workers of `-n auto`."""
    return number_of_workers(config.args, len(os.sched_getaffinity(0)))


def number_of_workers(paths: Sequence[str], cores: int) -> int:
    """One more than cores, since many tests wait for servers; for unit tests alone, which do not, one for each.

    With two for each core, processes of tests are starved of processor time for seconds on a slow machine.
    """
    unit = all(path.startswith("tests/unit") for path in paths)
    return min(cores if unit else cores + 1, MAX_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """One worker runs all tests of a file, but those of `SEPARATE` one by one, in the order of collection."""

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if nodeid.startswith(SEPARATE) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def turn_of(commit: str, shares: int) -> int:
    """Which of the shares of the long tests a commit runs, from 0."""
    return int(commit[:8], 16) % shares


def in_share(nodeid: str, turn: int, shares: int) -> bool:
    """Whether a long test is in the share whose turn it is; each test is in one."""
    return crc32(nodeid.encode()) % shares == turn


def _commit() -> str:
    """The hash of the commit that is tested; zeros outside of a checkout."""
    asked = ("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD")
    done = subprocess.run(asked, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "0" * 40


def _is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def _rank(nodeid: str, order: Sequence[str] = FIRST) -> int:
    return next((rank for rank, start in enumerate(order) if nodeid.startswith(start)), len(order))
