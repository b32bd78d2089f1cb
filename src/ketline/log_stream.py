"""A text stream for logs whose writes never block and never fail, whatever happens to the reader.

`logs.py` wraps standard error in it.
"""

import errno
import io
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

MAX_PENDING_BYTES = 4 << 20
# Lines within this time are written together, because waking the thread costs more than writing a line.
GATHER_SECONDS = 0.01
RETRY_SECONDS = 0.5
# At the end of the process, how long to wait for the remaining lines to be written.
CLOSE_SECONDS = 2.0
_CHUNK_BYTES = 64 << 10


class LogStream(io.TextIOBase):
    """Writes lines to a file descriptor, in order, from its own thread.

    If the reader is stuck or gone, or the disk is full, it drops and counts lines beyond `most_bytes` and lines that
    failed. When a write succeeds again, its thread calls `recovered` with their number and the last reason.
    """

    def __init__(
        self,
        descriptor: int,
        recovered: Callable[[int, str], None] | None = None,
        *,
        most_bytes: int = MAX_PENDING_BYTES,
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
                # Started late, so that short commands have no thread.
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
        """Wait until all lines are written, at most for `seconds`."""
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
            with suppress(Exception):  # an error must not end this thread
                self._recovered(dropped, reason)

    def _drop(self, lines: int, reason: str) -> None:
        self._dropped += lines
        self._reason = reason

    def _write_all(self, data: bytes) -> int:
        """Write bytes; return how many could not be written."""
        # After a line was written in part, its rest is lost: begin the next one on a new line.
        view = memoryview(b"\n" + data if self._torn else data)
        whole = len(view)
        while view:
            try:
                view = view[os.write(self._descriptor, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                # Another process that shares the descriptor has made it non-blocking.
                select.select([], [self._descriptor], [], RETRY_SECONDS)
            except OSError as error:
                self._reason = errno.errorcode.get(error.errno or 0, "unknown")
                self._torn = self._torn or len(view) < whole
                return len(view)
        self._torn = False
        return 0


def _lines_in(lines: list[bytes], last_bytes: int) -> int:
    """The number of lines that are at least partly within the last bytes."""
    count = 0
    for line in reversed(lines):
        if last_bytes <= 0:
            break
        count += 1
        last_bytes -= len(line)
    return count
