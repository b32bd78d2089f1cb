"""Encodes the data exchanged when a simulator process starts: its limits, an argument, and its `ready` message."""

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.fields import fields_of


def _fingerprint() -> str:
    """A digest of the code that both ends of the channel must share: the values, and this protocol."""
    package = Path(__file__).parents[2]
    execution = package / "execution"
    shared = (execution.glob("*.py"), (execution / "protocol").glob("*.py"), (package / "domain").rglob("*.py"))
    paths = [path for folder in shared for path in folder]
    return sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]


# The parent compares the whole message with its own, because the package may be replaced while a worker runs: its next
# child then runs another version.
READY = f'"ready {_fingerprint()}"'.encode()


def encode_limits(limits: ExecutionLimits) -> str:
    return json.dumps(
        {
            name: value.total_seconds() if isinstance(value, timedelta) else value
            for name, value in fields_of(limits).items()
        }
    )


def decode_limits(text: str) -> ExecutionLimits:
    values = json.loads(text)
    times = {name: timedelta(seconds=values[name]) for name in values if name.endswith("time_limit")}
    return ExecutionLimits(**(values | times))
