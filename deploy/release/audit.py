"""Compares the locked versions of what runs the service with the vulnerabilities that PyPI knows.

`python -m deploy.release.audit` exits with 1 if a library has one. It exits with 0 if none has, and also, with a
message, where there is nothing to compare with: a mirror of PyPI rarely has these data. `deploy/release/accepted.txt`
names those that do not concern the service.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
ACCEPTED = Path(__file__).with_name("accepted.txt")
# What a container of the service can have.
EXTRAS = ("server", "tracing", "braket", "qbraid")
AUDITOR = "pip-audit==2.10.1"

Report = Mapping[str, Any]


def main() -> int:
    """Audit, print what was found, and give the exit status."""
    requirements = locked_requirements()
    with TemporaryDirectory() as directory:
        # One first: where no data can be had, that is all that is requested.
        first = audit([next(line for line in requirements if ";" not in line)], Path(directory))
        report = audit(requirements, Path(directory)) if first and audited(first) else None
    if report is None:
        print("audit: NOT DONE: the package index has no data about vulnerabilities, or cannot be reached.")
        return 0
    return verdict(report)


def verdict(report: Report) -> int:
    """Print what a report says, and give the exit status."""
    vulnerable, compared = findings(report), audited(report)
    skipped = len(report["dependencies"]) - len(compared)
    print(f"audit: {len(compared)} packages compared, {skipped} unknown, {len(vulnerable)} vulnerabilities")
    for line in vulnerable:
        print(line)
    return 1 if vulnerable else 0


def locked_requirements() -> Sequence[str]:
    """The packages of the lock file for these extras, as `name==version ; marker`."""
    extras = [option for extra in EXTRAS for option in ("--extra", extra)]
    options = ["--frozen", "--no-default-groups", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    exported = _uv("export", *options, *extras)
    exported.check_returncode()
    return [line for line in exported.stdout.splitlines() if "==" in line]


def audit(requirements: Sequence[str], directory: Path) -> Report | None:
    """What pip-audit reports on these packages; None if it could not be run."""
    (directory / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    options = ["--disable-pip", "--no-deps", "--vulnerability-service", "pypi", "--format", "json"]
    run = ["tool", "run", "--quiet", "--from", AUDITOR, "pip-audit", *options]
    done = _uv(*run, *ignored(), "--requirement", str(directory / "requirements.txt"))
    try:
        report: Report = json.loads(done.stdout)
    except ValueError:
        print(done.stderr.strip(), file=sys.stderr)
        return None
    return report


def ignored() -> Sequence[str]:
    """Options for the vulnerabilities in `accepted.txt`, of which each line begins with an id, before its reason."""
    lines = ACCEPTED.read_text(encoding="utf-8").splitlines()
    ids = [line.split()[0] for line in lines if line and not line.startswith("#")]
    return [option for vulnerability in ids for option in ("--ignore-vuln", vulnerability)]


def audited(report: Report) -> Sequence[Mapping[str, Any]]:
    """The packages that were compared: one that the index does not know is reported, without a failure, as skipped."""
    return [package for package in report["dependencies"] if "skip_reason" not in package]


def findings(report: Report) -> Sequence[str]:
    """A line for each vulnerability: the package, the id, and the versions in which it is mended."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in audited(report)
        for found in package["vulns"]
    ]


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / ".ci" / "uv"), *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
