"""Landlock: restricts a process to named files, and denies it TCP and signals to other processes.

`confine.py` calls it.

Source: https://docs.kernel.org/userspace-api/landlock.html and `linux/landlock.h`. A confined process may not trace a
process outside its domain either, so it cannot read that process's `/proc` entries of memory and environment.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ketline.execution.sandbox import kernel

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1 << 1, 1 << 2, 1 << 3
# The rights to the file system that each version of Landlock knows, as a number of lowest bits.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_FILE_RIGHTS_SINCE_5 = 16
_TCP_SINCE, _TCP_RIGHTS = 4, 0b11
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract UNIX sockets and signals


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("directory", ctypes.c_int32))


def version() -> int:
    """The version of Landlock that the kernel offers to this process; 0 if none."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(*, readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Restrict this thread, and threads that it starts, to these files; return whether the kernel supports it.

    `readable` files can be read, `writable` files read and written. A directory includes everything below it. Paths
    that do not exist are skipped. Set `PR_SET_NO_NEW_PRIVS` before.
    """
    offered = version()
    if offered == 0:
        return False
    handled = (1 << _FILE_RIGHTS.get(offered, _FILE_RIGHTS_SINCE_5)) - 1
    rules = _Ruleset(
        handled,
        _TCP_RIGHTS if offered >= _TCP_SINCE else 0,
        _SCOPES if offered >= _SCOPES_SINCE else 0,
    )
    ruleset = kernel.syscall(_CREATE_RULESET, kernel.pointer(rules), _size(offered), 0)
    try:
        for place in readable:
            _allow(ruleset, place, _READ_FILE | _READ_DIRECTORY)
        for place in writable:
            _allow(ruleset, place, _READ_FILE | _WRITE_FILE)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _size(offered: int) -> int:
    """The size of the structure: an older kernel rejects one with fields that it does not know."""
    if offered >= _SCOPES_SINCE:
        return 24
    return 16 if offered >= _TCP_SINCE else 8


def _allow(ruleset: int, place: Path, rights: int) -> None:
    try:
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not place.is_dir():
            rights &= ~_READ_DIRECTORY
        rule = _PathBeneath(rights, opened)
        kernel.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, kernel.pointer(rule), 0)
    finally:
        os.close(opened)
