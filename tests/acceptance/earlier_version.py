"""The source of the version that rolling upgrades are tested from, taken from the repository's history.

There is no published release yet. The base is the last commit whose newest migration is 0032: rolling upgrades began
with the next one.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BASE_COMMIT = "76cb73eb103deefd7ca73b49ce55611070ceda21"
BASE_SCHEMA = "0032"


class SourceMissing(Exception):
    """The repository does not have the base's source; the message says what to do."""


def unpack_base(directory: Path) -> Path:
    """Unpacks the base's package and migrations below `directory`, and gives the folder to put on PYTHONPATH.

    Raises:
        SourceMissing: this is no clone of the repository, or one without its history.
    """
    archive = _git("archive", "--format=tar", _base_commit(), "src", "migrations")
    with tarfile.open(fileobj=io.BytesIO(archive)) as source:
        source.extractall(directory, filter="data")
    return directory / "src"


def environment_of(source: Path) -> Mapping[str, str]:
    """The variables with which `python -m ketline` runs that source, with the libraries of this environment."""
    return {"PYTHONPATH": str(source)}


def _base_commit() -> str:
    try:
        return _git("rev-parse", "--verify", "--quiet", f"{BASE_COMMIT}^{{commit}}").decode().strip()
    except SourceMissing:
        # The history may have been rewritten: what follows the base added the next migration.
        added = _git("log", "--diff-filter=A", "--format=%H", "--reverse", "--", f"migrations/versions/{_next()}_*.py")
        if not added.split():
            raise
        return _git("rev-parse", "--verify", f"{added.decode().split()[0]}^").decode().strip()


def _next() -> str:
    return f"{int(BASE_SCHEMA) + 1:04}"


def _git(*arguments: str) -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SourceMissing(
            f"Rolling upgrades are tested from commit {BASE_COMMIT}, which this checkout does not have: it is an "
            "archive or a shallow clone. Run the tests in a full clone (git fetch --unshallow)."
        ) from error
