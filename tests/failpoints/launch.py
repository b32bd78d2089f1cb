"""The `ketline` command with failpoints in it, for `tests.forking.server`."""

from collections.abc import Sequence
from pathlib import Path

from tests.failpoints.adapters import install
from tests.failpoints.control import Control
from tests.failpoints.failpoint import Failpoints
from tests.forking import launch as ketline


def launch(directory: Path, arguments: Sequence[str]) -> None:
    """Run the command in this process; its first argument is the role of the process."""
    install(Failpoints(Control(directory), role=arguments[0]))
    ketline.launch(directory, arguments)
