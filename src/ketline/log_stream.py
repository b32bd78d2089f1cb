"""A text stream for logs: writing to it never waits and never fails, whatever is at the other end."""

import errno
import io
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

MOST_PENDING_BYTES = 4 << 20
# Lines that come together are written together: a thread that wakes for each would cost more than the line.
GATHER_SECONDS = 0.01
RETRY_SECONDS = 0.5
# What is left at the end of the process is written, unless nobody takes it.
CLOSE_SECONDS = 2.0
_CHUNK_BYTES = 64 << 10


class LogStream(io.TextIOBase):
    """Lines for a file descriptor, written by a thread of its own, in order.

    Where the other end takes nothing, is gone, or has no room, lines beyond `most_bytes` and those that failed are
    dropped and counted; `recovered` is called, in the thread, with their number and the last reason once a write works
    again.
    """

    def __init__(
        self,
        descriptor: int,
        recovered: Callable[[int, str], None] | None = None,
        *,
        most_bytes: int = MOST_PENDING_BYTES,
    ) -> None:
        self._descriptor = descriptor
        self._recovered = recovered
        self._most_bytes = most_bytes
        # Reentrant: a warning from the garbage collector may come in the middle of a write.
        self._lock = threading.RLock()
        self._lines: list[bytes] = []
        self._pending_bytes = 0
        self._dropped = 0
        self._reason = ""
        self._torn = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Lines dropped since `recovered` was last called."""
        return self._dropped

    def write(self, text: str) -> int:
        line = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._pending_bytes + len(line) > self._most_bytes:
                self._drop(1, "nobody reads")
                return len(text)
            self._lines.append(line)
            self._pending_bytes += len(line)
            if self._thread is None:
                # Not before it is needed: whoever only asks for the version has no thread.
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def drain(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait until what was written has gone out, or nobody has taken it for that long."""
        deadline = time.monotonic() + seconds
        self._closing.set()
        self._wake.set()
        while self._pending_bytes and time.monotonic() < deadline:
            time.sleep(0.001)
        self._closing.clear()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            with self._lock:
                lines, self._lines = self._lines, []
            if lines:
                self._send(lines)

    def _send(self, lines: list[bytes]) -> None:
        unsent = self._write_all(b"".join(lines))
        with self._lock:
            self._pending_bytes -= sum(map(len, lines))
            if unsent:
                self._drop(_lines_in(lines, unsent), self._reason)
            dropped, reason = self._dropped, self._reason
            if not unsent:
                self._dropped = 0
        if unsent:
            self._closing.wait(RETRY_SECONDS)
        elif dropped and self._recovered is not None:
            with suppress(Exception):  # this thread must go on
                self._recovered(dropped, reason)

    def _drop(self, lines: int, reason: str) -> None:
        self._dropped += lines
        self._reason = reason

    def _write_all(self, data: bytes) -> int:
        """Bytes that could not be written."""
        # The rest of a line that was cut off is lost: the next begins on a line of its own.
        view = memoryview(b"\n" + data if self._torn else data)
        whole = len(view)
        while view:
            try:
                view = view[os.write(self._descriptor, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                # Whoever shares the descriptor has made it non-blocking.
                select.select([], [self._descriptor], [], RETRY_SECONDS)
            except OSError as error:
                self._reason = errno.errorcode.get(error.errno or 0, "unknown")
                self._torn = self._torn or len(view) < whole
                return len(view)
        self._torn = False
        return 0


def _lines_in(lines: list[bytes], last_bytes: int) -> int:
    """How many of the lines are at least in part in the last bytes of all of them."""
    count = 0
    for line in reversed(lines):
        if last_bytes <= 0:
            break
        count += 1
        last_bytes -= len(line)
    return count
