"""Exit statuses, and the one line that every refusal is."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SUCCESS, TASK_FAILED, USAGE_ERROR, SERVICE_ERROR, TIME_UP, INTERRUPTED = 0, 1, 2, 3, 4, 130
# As a shell says it of a program that SIGPIPE ended.
READER_GONE = 141
# A disk without room, a quota, a size limit, a device that fails.
_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def fail(message: str, status: int) -> NoReturn:
    """Say what is wrong and end the command."""
    print(f"ketline: {message}", file=sys.stderr, flush=True)
    raise SystemExit(status)


@contextmanager
def server_libraries(what: str) -> Iterator[None]:
    """Say what to install where the libraries of the service are missing; `what` needs them."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == "ketline":
            raise
        fail(
            f"{what} needs the service's libraries ({missing} is missing): pip install 'ketline[server]'.", USAGE_ERROR
        )


def end_without_output(error: OSError) -> NoReturn:
    """End a command whose output cannot be written: quietly where its reader is gone, as of `head`.

    Raises:
        OSError: the error itself, which is about something else.
    """
    if not isinstance(error, BrokenPipeError) and error.errno not in _OUTPUT_ERRORS:
        raise error
    # The interpreter writes what is left once more at its end.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        raise SystemExit(READER_GONE)
    fail(f"cannot write: {error.strerror}", USAGE_ERROR)
