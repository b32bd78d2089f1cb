"""Runs the conformance suite as a third party does: pytest in a directory and a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A third party need not have the plugins that are installed for our own tests; two of them take half a second to load.
_NO_PLUGINS = [f"-pno:{name}" for name in ("asyncio", "anyio", "hypothesispytest", "schemathesis")]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of each test by its name, and the output."""

    outcomes: Mapping[str, str]
    output: str

    @property
    def failed(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome in ("FAILED", "ERROR")}

    @property
    def skipped(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome == "SKIPPED"}


def conformance(directory: Path, backend: str, *options: str, environment: Mapping[str, str] | None = None) -> Report:
    """Run the suite on a backend, as `--backend` names it."""
    command = [sys.executable, "-m", "pytest", "--pyargs", "ketline.testing.backends", "--backend", backend]
    command += ["-v", "-p", "no:cacheprovider", *_NO_PLUGINS, *options]
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    found = re.findall(r"::(test_\w+(?:\[\w+\])?) (PASSED|FAILED|SKIPPED|ERROR)", done.stdout)
    assert found, done.stdout + done.stderr
    report = Report(dict(found), done.stdout + done.stderr)
    assert (done.returncode == 0) is (not report.failed), report.output
    return report
