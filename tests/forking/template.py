"""Forks simulators from a template process that has imported their libraries: each import costs 2 s of processor time.

A service process of the fork server forks its template before it starts a thread. The template then makes a simulator
for each start that the service asks for, as a child of the service, which watches, kills and reaps it as one of its
own. From its `main` on a simulator is what it is elsewhere, with its sandbox and its limits.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fcntl import F_DUPFD, fcntl
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from unittest import mock

from ketline.execution.parent import process

# linux/sched.h and asm/unistd.h: the new process becomes a sibling of the one that clones itself.
_CLONE_PARENT = 0x00008000
_CLONE = {"x86_64": 56, "aarch64": 220}
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_M_ARENA_MAX = -8  # malloc.h
TEMPLATE_NAME = "template"
SIMULATOR_NAME = "simulator"
_MAX_START_BYTES = 1 << 17
# The descriptor of a simulator's socket.
_CHANNEL = 3


def fork_simulators() -> None:
    """Let this process, which has one thread and is to become a service, start its simulators from a template."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    service = os.getpid()
    if os.fork() == 0:
        ours.close()
        _run(_serve, theirs, service)
    theirs.close()
    template = _Template(ours)

    def start(command: Sequence[str], **options: Any) -> "ForkedSimulator":
        return template.start(command, **options)

    stand_in = SimpleNamespace(
        Popen=start, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired, template=template
    )
    mock.patch.object(process, "subprocess", stand_in).start()


class ForkedSimulator:
    """A simulator that the template made, a child of this process; it looks like a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._reaping = threading.Lock()
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        with self._reaping:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
                    os.close(self._end)
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.poll() is None:
            select.select([self._end], [], [], timeout)
        if self.poll() is None or self.returncode is None:
            raise subprocess.TimeoutExpired("simulator", timeout)
        return self.returncode

    def kill(self) -> None:
        with self._reaping:
            if self.returncode is None:
                os.kill(self.pid, signal.SIGKILL)


class _Template:
    """The service's end of the socket to its template."""

    def __init__(self, commands: socket.socket) -> None:
        self._commands = commands
        self._starting = threading.Lock()

    def start(
        self, command: Sequence[str], *, pass_fds: Sequence[int], stderr: IO[bytes], env: Mapping[str, str], **_: Any
    ) -> ForkedSimulator:
        [descriptor] = pass_fds
        arguments = command[command.index("-m") + 1 :]
        start = json.dumps({"arguments": arguments, "environment": dict(env)})
        with self._starting:
            socket.send_fds(self._commands, [start.encode()], [descriptor, stderr.fileno()])
            return ForkedSimulator(int(self._commands.recv(32)))


def is_template(pid: int) -> bool:
    """Whether this process is a template and no simulator; False if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == TEMPLATE_NAME
    except OSError:
        return False


def _serve(commands: socket.socket, service: int) -> None:
    """Be a template, until the service ends; each simulator returns from `_next` with its start."""
    _set_name(TEMPLATE_NAME)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != service:
        return
    os.setsid()
    gc.freeze()
    if (start := _next(commands)) is not None:
        _simulate(*start)


def _next(commands: socket.socket) -> tuple[Mapping[str, Any], Sequence[int]] | None:
    while True:
        data, descriptors, _, _ = socket.recv_fds(commands, _MAX_START_BYTES, 2)
        if not data:
            return None
        pid = _clone()
        if pid == 0:
            return json.loads(data), descriptors
        for one in descriptors:
            os.close(one)
        with suppress(BrokenPipeError):
            commands.send(b"%d" % pid)


def _clone() -> int:
    """As `os.fork`, but the new process is a child of this one's parent."""
    python, libc = ctypes.pythonapi, ctypes.PyDLL(None)
    python.PyOS_BeforeFork()
    flags, nothing = ctypes.c_long(_CLONE_PARENT | signal.SIGCHLD), [ctypes.c_long(0)] * 4
    pid = int(libc.syscall(ctypes.c_long(_CLONE[os.uname().machine]), flags, *nothing))
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def _simulate(start: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Become what `subprocess.Popen` would have started, as far as a simulator can tell."""
    _set_name(SIMULATOR_NAME)
    os.setsid()
    environment = start["environment"]
    opened = [os.open(os.devnull, os.O_RDWR), *descriptors]
    nowhere, channel, stderr = (fcntl(one, F_DUPFD, _CHANNEL + 1) for one in opened)
    for source, target in ((nowhere, 0), (nowhere, 1), (stderr, 2), (channel, _CHANNEL)):
        os.dup2(source, target)
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    # These variables are read when the libraries are loaded.
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, int(environment["MALLOC_ARENA_MAX"]))
    for library in _libraries("libgomp"):
        ctypes.CDLL(library).omp_set_num_threads(int(environment["OMP_NUM_THREADS"]))
    module, *arguments = start["arguments"]
    # The descriptor has another number here.
    arguments[-3] = str(_CHANNEL)
    sys.argv = [module, *arguments]
    import_module(module).main(*arguments)


def _libraries(name: str) -> set[str]:
    lines = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    return {line[-1] for line in lines if name in Path(line[-1]).name}


def _set_name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def _run(work: Any, *arguments: Any) -> None:
    """Run this in a forked process, and end it with the exit status that a program's main module would have."""
    status = 0
    try:
        work(*arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)
