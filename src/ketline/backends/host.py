"""Entry point of a device's process; `device_process.py` starts it as `python -m ketline.backends.host PARENT DEVICE`.

DEVICE is JSON: `factory`, as `module:name`, and its keyword `arguments`. The process answers calls on its standard
input until that is closed. What libraries print is discarded: it may contain programs and credentials.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ketline.backends.loading import load
from ketline.backends.wire import decode_call, encode_error, encode_value
from ketline.domain.errors import BackendFailed, BackendOutcomeUnknown, BackendUnavailable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CALLS = frozenset({"describe", "validate", "run", "submit", "poll", "result", "cancel", "reattach"})


def main(parent: str, device: str) -> None:
    """Serve the calls of `parent`, which owns the pipes."""
    _die_with_parent(int(parent))
    _be_killed_first()
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(devnull, stream)
    serve(calls, answers, lambda: _open_device(device))


def serve(calls: BinaryIO, answers: BinaryIO, open_device: Callable[[], Any]) -> None:
    """Answer each call; the device is opened by the first one, and by the next if that failed."""
    device = None
    for line in calls:
        try:
            device = device or open_device()
            answer = encode_value(_call(device, line))
        except BackendFailed as error:
            answer = encode_error(error)
        except Exception as error:
            answer = encode_error(_unexpected(line, error))
        answers.write(answer)
        answers.flush()


def _call(device: Any, line: bytes) -> object:
    name, arguments = decode_call(line)
    assert name in _CALLS, name
    return getattr(device, name)(*arguments)


def _unexpected(line: bytes, error: Exception) -> BackendFailed:
    """The error for an exception of a vendor's library, without its text, which may contain credentials or programs."""
    name, _ = decode_call(line)
    if name == "submit":
        return BackendOutcomeUnknown(f"Submitting failed with {type(error).__name__}; the backend may have the job.")
    # Errors of connections: those of `requests` and of sockets are OSError, others are recognised by their names.
    temporary = isinstance(error, OSError) or any(word in type(error).__name__ for word in ("Connect", "Timeout"))
    kind = BackendUnavailable if temporary else BackendFailed
    return kind(f"The device failed in `{name}` with {type(error).__name__}.")


def _open_device(text: str) -> Any:
    device = json.loads(text)
    try:
        factory = load(device["factory"])
    except ImportError as error:
        raise BackendUnavailable(f"A library of this backend is not installed: {error}") from error
    return factory(**device["arguments"])


def _be_killed_first() -> None:
    """Have the kernel kill this process, not its worker, when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main(*sys.argv[1:])
