"""`python -m tests.failpoints.launch DIRECTORY <ketline arguments>`: the `ketline` command with failpoints in it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import ketline.cli.serve  # noqa: F401 - what every command here imports, ahead of time for the nursery
from ketline.cli.main import main
from tests.failpoints.adapters import install
from tests.failpoints.control import Control
from tests.failpoints.strike import Failpoints


def launch(directory: Path, arguments: Sequence[str]) -> None:
    """Run the command in this process; its first argument is the role of the process."""
    install(Failpoints(Control(directory), role=arguments[0]))
    sys.argv = ["ketline", *arguments]
    main()


if __name__ == "__main__":
    launch(Path(sys.argv[1]), sys.argv[2:])
