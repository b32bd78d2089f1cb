"""Run PennyLane's own tests of devices on a service: `python -m tests.pennylane_device [pytest's arguments]`.

They need two packages that nothing else does: `bash .ci/uv run --with flaky --with pytest-mock python -m
tests.pennylane_device`. With `--shots 20000` they test sampling. Ends with the status of pytest.
"""

import asyncio
import subprocess
import sys
from functools import partial

from pennylane.devices.tests import get_device_tests

from ketline.cli.client.ephemeral_server import with_ephemeral_server
from ketline.cli.server.commands import configured
from ketline.client import Client

_SLOTS = 2


def main() -> None:
    use = partial(_run, arguments=sys.argv[1:])
    sys.exit(asyncio.run(with_ephemeral_server(configured(embedded=True, log_level="error"), _SLOTS, use)))


def _run(client: Client, *, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", get_device_tests(), "-p", "no:cacheprovider", "-q", "--skip-ops"]
    device = ["--device=ketline.simulator", "--device-kwargs", f"url={client.url}"]
    return subprocess.run([*command, *arguments, *device], check=False).returncode


if __name__ == "__main__":
    main()
