"""Bears service processes by fork from one that has imported everything, since each import costs 2 s of CPU.

`python -m tests.failpoints.nursery` reads orders from stdin and reports births and deaths on stdout, as JSON lines.
Each process is what `python -m tests.failpoints.launch` would have been; no thread or event loop runs before the fork.
"""

import ctypes
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tests.failpoints.launch import launch

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main() -> None:
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(_STDIN, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        orders = Orders()
        while not orders.ended:
            ready = {key.fd for key, _ in selector.select()}
            if _STDIN in ready:
                for order in orders.read():
                    report(born=bear(order))
            if woken in ready:
                os.read(woken, 4096)
                bury()


class Orders:
    """The lines that come in, whole."""

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""

    def read(self) -> Iterator[Mapping[str, Any]]:
        data = os.read(_STDIN, 1 << 16)
        self.ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from map(json.loads, lines)


def report(**fact: int) -> None:
    os.write(_STDOUT, json.dumps(fact).encode() + b"\n")


def bear(order: Mapping[str, Any]) -> int:
    """Fork a process for the order, and give its id."""
    pid = os.fork()
    if pid == 0:
        live(order)
    return pid


def bury() -> None:
    """Report every child that has ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        report(died=pid)


def live(order: Mapping[str, Any]) -> NoReturn:
    """In the child: become the process that was ordered."""
    status = 1
    try:
        settle(order)
        launch(Path(order["directory"]), order["arguments"])
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def settle(order: Mapping[str, Any]) -> None:
    """Leave the nursery: own session, output, environment and working directory, and no outliving it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nowhere, _STDIN), (output, _STDOUT), (output, _STDERR)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])


if __name__ == "__main__":
    main()
