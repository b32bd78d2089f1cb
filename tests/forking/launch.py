"""The `ketline` command, for `tests.forking.server`; acceptance tests start services by it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop  # noqa: F401 - what every command and simulator imports, ahead of time for the fork server

import ketline.cli.server.serve
import ketline.db.schema.migrate
import ketline.execution.child.main  # noqa: F401
from ketline.cli.main import main
from tests.forking.template import fork_simulators


def launch(_directory: Path, arguments: Sequence[str]) -> None:
    """Run the command in this process."""
    fork_simulators()
    sys.argv = ["ketline", *arguments]
    main()
