"""Confine a simulator process as far as this kernel lets it."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ketline.execution.sandbox import kernel, landlock, seccomp
from ketline.execution.sandbox.identity import become_nobody, drop_capabilities, hide_process

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h

# What Python, the C library and OpenMP read: modules and shared libraries, time zones, and how many cores there are.
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
# Libraries look for a directory that they can write to while they are imported, and fail where there is none.
_NO_DIRECTORY = "/nonexistent"


def confine() -> None:
    """Leave this process its own code to read and its open pipe, and nothing else of what the machine has.

    To be called before other threads are started: the kernel confines the calling thread and what it starts.
    It becomes nobody where it was root (then `PR_SET_PDEATHSIG` is to be set again), gives up all capabilities, hides
    its `/proc` entries, and loses files but its code, sockets, new processes, and any way to other processes.
    """
    code = _code()
    become_nobody(code)
    drop_capabilities(code)
    hide_process()
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(
        readable=[*code, *map(Path, _SYSTEM)],
        writable=map(Path, _DEVICES),
    )
    seccomp.restrict()
    tempfile.tempdir = _NO_DIRECTORY


def protections() -> dict[str, int | bool]:
    """Which protections this kernel offers to the simulators of this process, for its log."""
    return {"landlock": landlock.version(), "seccomp": seccomp.supported(), "root": os.geteuid() == 0}


def _code() -> Sequence[Path]:
    """Where this interpreter imports from, symbolic links followed."""
    places = {sys.prefix, sys.base_prefix, *sys.path}
    return sorted({Path(place).resolve() for place in places if place and Path(place).exists()})
