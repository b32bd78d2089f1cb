"""Forks service processes from one that has imported everything, since each import costs 2 s of processor time.

`python -m tests.forking.server LAUNCHER FD`; `tests.forking.client` starts it. The launcher is a module whose function
`launch(directory, arguments)` is what each process runs. Commands are JSON and come through the socket FD, each with
two descriptors: one that takes the output of the process, and a socket that gets its id and later its exit status.
No thread or event loop runs before the fork.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

Launch = Callable[[Path, Sequence[str]], None]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STDIN, _STDOUT, _STDERR = 0, 1, 2
MAX_COMMAND_BYTES = 1 << 17


def main(launcher: str, descriptor: int) -> None:
    """Serve until the client is gone; each forked process returns from `serve` with its command."""
    launch: Launch = import_module(launcher).launch
    gc.freeze()
    with ExitStack() as stack:
        command = serve(stack, socket.socket(fileno=descriptor))
    if command is not None:
        launch(Path(command["directory"]), command["arguments"])


def serve(stack: ExitStack, commands: socket.socket) -> Mapping[str, Any] | None:
    """Fork a process for each command. What the server has open is closed with the stack, in each process too."""
    stack.enter_context(commands)
    selector = stack.enter_context(selectors.DefaultSelector())
    woken = wake_on_ends(stack)
    reports: dict[int, socket.socket] = {}
    selector.register(commands, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if woken in ready:
            os.read(woken, 4096)
            reap(reports)
        if commands in ready:
            data, descriptors, _, _ = socket.recv_fds(commands, MAX_COMMAND_BYTES, 2)
            if not data:
                return None
            output, report = descriptors[0], stack.enter_context(socket.socket(fileno=descriptors[1]))
            pid = os.fork()
            if pid == 0:
                command: Mapping[str, Any] = json.loads(data)
                become_independent(command, output)
                return command
            os.close(output)
            reports[pid] = report
            send(report, pid)


def wake_on_ends(stack: ExitStack) -> int:
    """A descriptor that can be read when a child has ended."""
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for end in (woken, waker):
        stack.callback(os.close, end)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


def reap(reports: dict[int, socket.socket]) -> None:
    """Report the exit status of every child that has ended, negative after a signal."""
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with reports.pop(pid) as report:
            send(report, os.waitstatus_to_exitcode(status))


def send(report: socket.socket, number: int) -> None:
    """Send a line, unless the client has ended."""
    with suppress(BrokenPipeError, ConnectionResetError):
        report.sendall(b"%d\n" % number)


def become_independent(command: Mapping[str, Any], output: int) -> None:
    """Take a session, output, environment and working directory of its own; end with the fork server at the latest."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nowhere, _STDIN), (output, _STDOUT), (output, _STDERR)):
        os.dup2(source, target)
    os.close(nowhere)
    os.close(output)
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["directory"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
