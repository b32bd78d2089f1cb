"""Starts, kills and reaps one simulator process, and reports how it ended; a runner uses one at a time."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.start import encode_limits
from ketline.execution.sandbox import hide_process

# The only variables that the child inherits, because a service's environment contains credentials.
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TMPDIR")
_REAP_SECONDS = 10
_STDERR_TAIL_BYTES = 4096
_OUT_OF_MEMORY = (b"bad_alloc", b"memory allocation of", b"MemoryError", b"Cannot allocate memory")


_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Processor time of all threads of a process, and its resident memory."""

    processor_seconds: float = 0.0
    resident_bytes: int = 0


class ProcessEnded(Exception):
    """The process ended or closed its channel, and has been reaped.

    `ran_out_of_memory` says whether the end of its stderr is about memory; `how` tells users how it ended.
    """

    def __init__(self, how: str, *, ran_out_of_memory: bool, stderr_tail: str) -> None:
        super().__init__(how)
        self.how = how
        self.ran_out_of_memory = ran_out_of_memory
        self.stderr_tail = stderr_tail


class SimulatorProcess:
    """A started process; one thread starts and reaps it, any thread may kill it.

    The thread that starts it must outlive it: the kernel kills the process when that thread ends. Starting one hides
    the parent's memory and environment in `/proc` from other processes of its user.

    Raises:
        OSError: the command does not exist, or the system can start no further process.
    """

    def __init__(self, command: Sequence[str], limits: ExecutionLimits) -> None:
        self._killed = False
        self._usage = ProcessUsage()
        # Before a program runs in the child as the same user.
        hide_process()  # guard: process.hidden
        self._stderr = os.fdopen(os.memfd_create("simulator-stderr"), "rb")
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, str(theirs.fileno()), str(os.getpid()), encode_limits(limits)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                start_new_session=True,  # so that Ctrl-C in a terminal reaches only the parent
                env=_environment(limits),
            )
        except OSError:
            ours.close()
            self._stderr.close()
            raise
        finally:
            theirs.close()
        self._socket: socket.socket | None = ours

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs: it was not killed and has not ended by itself."""
        return not self._killed and self._process.poll() is None

    @property
    def reaped(self) -> bool:
        """Whether the process has been reaped; then its memory is free."""
        return self._process.returncode is not None

    @property
    def usage(self) -> ProcessUsage:
        """The resources that the process uses; after it has ended, the processor time that was read last."""
        self._usage = _read_usage(self.pid, self._usage) if not self.reaped else self._usage_of_ended()
        return self._usage

    def take_socket(self) -> socket.socket:
        """Return our end of the process's socket, once; the caller closes it."""
        ours, self._socket = self._socket, None
        assert ours is not None
        return ours

    def kill(self) -> None:
        """Kill the process; a pending `receive` on its channel raises `ChannelClosed`."""
        self._killed = True
        self._process.kill()

    def end(self) -> int | None:
        """Kill and reap the process, and return its exit status."""
        _ = self.usage  # the kernel forgets it
        self.kill()
        try:
            return self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return None  # it is stuck in the kernel, but will end
        finally:
            if self._socket is not None:
                self._socket.close()
            self._stderr.close()

    def exit_report(self) -> ProcessEnded:
        """Report how the process ended; one that still runs after a second is killed."""
        _ = self.usage
        try:
            status: int | None = self._process.wait(1)  # if it ends by itself, its status tells the cause
        except subprocess.TimeoutExpired:
            status = None
        tail = self._stderr_tail()
        self.end()
        return ProcessEnded(
            _how_it_ended(status),
            ran_out_of_memory=any(sign in tail for sign in _OUT_OF_MEMORY),
            stderr_tail=tail.decode(errors="replace"),
        )

    def _usage_of_ended(self) -> ProcessUsage:
        return ProcessUsage(self._usage.processor_seconds)

    def _stderr_tail(self) -> bytes:
        if self._stderr.closed:
            return b""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), _STDERR_TAIL_BYTES, max(0, size - _STDERR_TAIL_BYTES))


def _read_usage(pid: int, otherwise: ProcessUsage) -> ProcessUsage:
    """The usage from `/proc/PID/stat`; `otherwise` if it cannot be read.

    Source: proc(5): fields 14 and 15 are ticks in user and in kernel mode, field 24 are resident pages.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The second field, the name, may have blanks and parentheses.
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return otherwise
    ticks = int(fields[11]) + int(fields[12])
    return ProcessUsage(ticks / _TICKS_PER_SECOND, int(fields[21]) * _PAGE_BYTES)


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "the simulator process stopped in the middle of an answer"
    if status >= 0:
        return f"the simulator process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the simulator process was ended by {name}"


def _environment(limits: ExecutionLimits) -> dict[str, str]:
    """A child's environment: no threads besides Aer's, and few malloc arenas, which take address space."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "HOME": "/nonexistent",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": str(max(limits.threads, limits.share_threads)),
        "OPENBLAS_NUM_THREADS": "1",
        "QISKIT_PARALLEL": "FALSE",
        "RAYON_NUM_THREADS": "1",
    }
