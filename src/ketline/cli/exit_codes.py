"""The exit codes of the command line, and the functions that end a command with one and a line on standard error."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SUCCESS, TASK_FAILED, USAGE_ERROR, SERVICE_ERROR, TIMED_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 130
# The status that a shell reports for a program ended by SIGPIPE.
BROKEN_PIPE = 141
# The disk is full, a quota or size limit is reached, or the device fails.
_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def fail(message: str, status: int) -> NoReturn:
    """Print the message on standard error and end the command with this exit status."""
    print(f"ketline: {message}", file=sys.stderr, flush=True)
    raise SystemExit(status)


@contextmanager
def require_server_libraries(command: str) -> Iterator[None]:
    """Wrap the late imports of `command`: if a library of the service is missing, end with a message that names it."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == "ketline":
            raise
        fail(
            f"{command} needs the service's libraries ({missing} is missing): pip install 'ketline[server]'.",
            USAGE_ERROR,
        )


def exit_on_output_error(error: OSError) -> NoReturn:
    """End a command whose output cannot be written; without a message if the pipe was closed, as by `| head`.

    Raises:
        OSError: the error itself, if it is not about the output.
    """
    if not isinstance(error, BrokenPipeError) and error.errno not in _OUTPUT_ERRORS:
        raise error
    # The interpreter flushes standard output once more when it exits, which must not fail again.
    null_device = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_device, sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        raise SystemExit(BROKEN_PIPE)
    fail(f"Cannot write the output: {error.strerror}.", USAGE_ERROR)
