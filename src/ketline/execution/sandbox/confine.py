"""Applies all protections that the kernel offers to a simulator process; `ketline.simulator` calls `confine`."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ketline.execution.sandbox import kernel, landlock, seccomp
from ketline.execution.sandbox.identity import become_nobody, drop_capabilities, hide_process

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h

# Files that Python, the C library and OpenMP read: modules and shared libraries, time zones, the number of cores.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/sys/devices/system",
    "/sys/fs/cgroup",
)
_DEVICES = ("/dev/null", "/dev/zero")
# Directories that the driver of an NVIDIA GPU reads.
_OF_DRIVER = ("/proc/driver/nvidia", "/sys/bus/pci", "/sys/devices", "/sys/module")
# Libraries look for a writable directory while they are imported, and fail if there is none.
_NO_DIRECTORY = "/nonexistent"


def confine(*, gpu: bool = False) -> None:
    """Restrict this process to reading its own code and using its open socket, and with `gpu` NVIDIA's devices.

    Call it before other threads are started: the kernel confines the calling thread and those that it starts. If the
    process is root it becomes nobody (then set `PR_SET_PDEATHSIG` again). It drops all capabilities, hides its `/proc`
    entries, and loses access to other files, to sockets, to new processes and to other processes.
    """
    code = _code()
    become_nobody(code)
    drop_capabilities(code)
    hide_process()
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(
        readable=[*code, *map(Path, _SYSTEM), *map(Path, _OF_DRIVER if gpu else ())],
        writable=[*map(Path, _DEVICES), *(Path("/dev").glob("nvidia*") if gpu else ())],
    )
    seccomp.restrict()
    tempfile.tempdir = _NO_DIRECTORY


def protections() -> dict[str, int | bool]:
    """The protections that this kernel offers to simulators, for the log at start."""
    return {"landlock": landlock.version(), "seccomp": seccomp.supported(), "root": os.geteuid() == 0}


def _code() -> Sequence[Path]:
    """The directories from which this interpreter imports, with symbolic links resolved."""
    places = {sys.prefix, sys.base_prefix, *sys.path}
    return sorted({Path(place).resolve() for place in places if place and Path(place).exists()})
