"""A copy of the repository in which guards are taken out and tests run, so that the original is never touched."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import children
from tests.guards.guard import SOURCE, Guard
from tests.guards.markers import NoLongerApplies, markers

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
RUN_SECONDS = 900
# On a busy machine a test that is slow must not pass for one that fails.
TEST_SECONDS = 60
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
_ERROR = re.compile(r"^ERROR ", re.MULTILINE)


class TestsNotRun(Exception):
    """pytest ended otherwise than with passed or failed tests: with errors, or not at all."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A copy of the working tree."""

    root: Path

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        """The copy without a guard, for the time of the context.

        Raises:
            NoLongerApplies: the source has no such guard.
        """
        path = markers(self.root / SOURCE).get(guard.name)
        if path is None:
            raise NoLongerApplies(f"{guard.name}: nothing is marked by this name")
        source = path.read_text()
        path.write_text(guard.removed_from(source))
        try:
            yield
        finally:
            path.write_text(source)

    def red(self, tests: Sequence[str]) -> list[str]:
        """Run tests, and give those that failed.

        Raises:
            TestsNotRun: they could not be run.
        """
        # On a busy machine a server may not have started in time.
        for _ in range(2):
            done = self._run_tests(tests)
            if done.returncode in {0, 1} and not _ERROR.search(done.stdout):
                return sorted(set(_FAILED.findall(done.stdout)))
        raise TestsNotRun(done.stdout[-2000:] + done.stderr[-2000:])

    def _run_tests(self, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
        options = ["-q", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}", "--tb=no"]
        try:
            return self._python("-m", "pytest", *options, *tests)
        except subprocess.TimeoutExpired as error:
            raise TestsNotRun(f"no end after {error.timeout:.0f} s") from error

    def imported_from(self) -> Path:
        """Where the copy's Python finds the package."""
        done = self._python("-c", "import ketline.runtime as runtime; print(runtime.__file__)")
        return Path(done.stdout.strip())

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=self.root,
                env=environment,
                timeout=RUN_SECONDS,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            _end_orphans()


def adopt_orphans() -> None:
    """Become the parent of what tests leave behind: without some guards that is a simulator at work for ever."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _end_orphans() -> None:
    while left := children():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextmanager
def copied(directory: Path) -> Iterator[Workspace]:
    """Copy what git does not ignore; the copy is deleted afterwards."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    workspace = Workspace(directory)
    found = workspace.imported_from()
    if not found.is_relative_to(directory):
        raise TestsNotRun(f"tests would run on {found}, not on the copy")
    yield workspace
