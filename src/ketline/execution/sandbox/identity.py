"""The user and the capabilities of a simulator process, and the protection of its `/proc` entries.

`confine.py` calls it; the parent hides its own entries with it.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ketline.execution.sandbox import kernel

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
# The user and group of the kernel's overflow ids: `nobody`, which owns no files and runs no service.
NOBODY = 65534


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    # Effective, permitted and inheritable, in two halves of 32 bits.
    _fields_ = (("words", ctypes.c_uint32 * 6),)


def hide_process() -> None:
    """Make this process's memory and environment in `/proc` unreadable for other processes of its user.

    A process with CAP_SYS_PTRACE can still read them. A new program (`exec`) starts without this protection.
    """
    kernel.prctl(_PR_SET_DUMPABLE, 0)


def become_nobody(code: Iterable[Path]) -> bool:
    """Become `nobody` if this process is root and `nobody` can read `code`; return whether it did."""
    if os.geteuid() != 0 or not _readable(code, NOBODY):
        return False
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except PermissionError:
        return False  # root in a container without CAP_SETUID
    return True


def drop_capabilities(code: Iterable[Path]) -> bool:
    """Drop all capabilities, unless `code` can only be read with them; return whether none is left."""
    machine = os.uname().machine
    if machine not in _CAPSET or not _readable(code, os.geteuid()):
        return False
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), _CapabilityData()
    try:
        kernel.syscall(_CAPSET[machine], kernel.pointer(header), kernel.pointer(data))
    except OSError:
        return False
    return True


def _readable(code: Iterable[Path], user: int) -> bool:
    """Whether `user`, in no group, may enter and list each directory of `code`."""
    return all(_allows(place, user) for root in code for place in (root, *root.parents))


def _allows(place: Path, user: int) -> bool:
    try:
        status = place.stat()
    except OSError:
        return False
    needed = 0o500 if status.st_uid == user else 0o005
    return status.st_mode & needed == needed
