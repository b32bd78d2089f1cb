"""Runs one server as its child and lets no process of it outlive the test run.

    python guard.py UID GID STOP_SIGNAL DIRECTORY COMMAND...

The guard is a subreaper: whatever the server starts, daemons too (Erlang's epmd), stays below it. It reads orders from
standard input: `stop` passes the stop signal on, `kill` kills everything at once. When the input ends the test run is
gone, however it died: the guard stops the server and deletes its directory. It exits when all of the server has.

Standard library only and imports nothing from Ketline, so that it starts in a few milliseconds.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_ORPHAN_GRACE_SECONDS = 10.0


def main(arguments: list[str]) -> int:
    uid, gid, stop_signal = (int(argument) for argument in arguments[:3])
    directory, command = arguments[3], arguments[4:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    switch = {"user": uid, "group": gid, "extra_groups": [gid]} if os.geteuid() == 0 else {}
    server = subprocess.Popen(  # type: ignore[call-overload]
        command, stdin=subprocess.DEVNULL, cwd=directory, start_new_session=True, **switch
    )
    ended, orphaned = threading.Event(), threading.Event()
    threading.Thread(target=_obey, args=(server.pid, stop_signal, ended, orphaned), daemon=True).start()
    code = _reap(server.pid)
    ended.set()
    _sweep()
    if orphaned.is_set():
        shutil.rmtree(directory, ignore_errors=True)
    return code


def _obey(server: int, stop_signal: int, ended: threading.Event, orphaned: threading.Event) -> None:
    for order in sys.stdin:
        if order == "stop\n":
            _signal(server, stop_signal)
        elif order == "kill\n":
            _strike()
    orphaned.set()
    _signal(server, stop_signal)
    if not ended.wait(_ORPHAN_GRACE_SECONDS):
        _strike()


def _reap(server: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == server:
            return abs(os.waitstatus_to_exitcode(status))


def _sweep() -> None:
    # A dead process hands its children to the guard, so the last descendant is gone when no child is left. A process
    # whose threads are still ending, with its sockets open, looks dead in /proc but cannot be waited for yet.
    with contextlib.suppress(ChildProcessError):
        while True:
            _strike()
            os.waitpid(-1, 0)


def _strike() -> None:
    """Kills every descendant alive right now."""
    for pid in list(_descendants()):
        _signal(pid, signal.SIGKILL)


def _descendants() -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    children.setdefault(int(parent), []).append(int(entry.name))
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        yield from below


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
