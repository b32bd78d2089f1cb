"""Exit statuses, and the one line that every refusal is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SUCCESS, TASK_FAILED, USAGE_ERROR, SERVICE_ERROR, TIME_UP, INTERRUPTED = 0, 1, 2, 3, 4, 130


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
