"""A seccomp filter: denies new processes and programs, sockets, and signals to and tracing of other processes.

`confine.py` calls it.

Source: https://docs.kernel.org/userspace-api/seccomp_filter.html, `linux/filter.h`, `linux/seccomp.h`; system call
numbers from `asm/unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64).
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ketline.execution.sandbox import kernel

_SECCOMP_SET_MODE_FILTER = 1
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL_WITH = 0x7FFF0000, 0x00050000
# Offsets in `struct seccomp_data`; the lower half of the first argument, on little-endian machines.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000  # linux/sched.h
# A program for the x32 interface marks its calls with this bit.
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of one architecture."""

    audit: int
    seccomp: int
    clone: int
    clone3: int
    kill: int
    tgkill: int
    prlimit: int
    denied: tuple[int, ...]


# The denied calls, in this order and if the architecture has them, one line for each line of numbers below:
# fork, vfork, execve, execveat;
# socket, connect, accept, accept4, bind, listen;
# tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, pidfd_open, pidfd_getfd;
# ptrace, process_vm_readv, process_vm_writev, process_madvise, kcmp, perf_event_open;
# io_uring_setup, io_uring_enter, io_uring_register;
# unshare, setns, mount, umount2, pivot_root, chroot, open_by_handle_at;
# bpf, userfaultfd, keyctl, add_key, request_key;
# setpriority, sched_setaffinity, sched_setscheduler, sched_setparam, sched_setattr, ioprio_set;
# and, because Landlock does not cover them, chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat,
# utimensat, setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr.
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        seccomp=317,
        clone=56,
        clone3=435,
        kill=62,
        tgkill=234,
        prlimit=302,
        denied=(
            *(57, 58, 59, 322),
            *(41, 42, 43, 288, 49, 50),
            *(200, 129, 297, 424, 434, 438),
            *(101, 310, 311, 440, 312, 298),
            *(425, 426, 427),
            *(272, 308, 165, 166, 155, 161, 304),
            *(321, 323, 250, 248, 249),
            *(141, 203, 144, 142, 314, 251),
            *(90, 91, 268, 452, 92, 93, 94, 260, 280, 188, 189, 190, 197, 198, 199),
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        seccomp=277,
        clone=220,
        clone3=435,
        kill=129,
        tgkill=131,
        prlimit=261,
        denied=(
            *(221, 281),
            *(198, 203, 202, 242, 200, 201),
            *(130, 138, 240, 424, 434, 438),
            *(117, 270, 271, 440, 272, 241),
            *(425, 426, 427),
            *(97, 268, 40, 39, 41, 51, 265),
            *(280, 282, 219, 217, 218),
            *(140, 122, 119, 118, 274, 30),
            *(52, 53, 452, 55, 54, 88, 5, 6, 7, 14, 15, 16),
        ),
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def supported() -> bool:
    """Whether there is a filter for this architecture."""
    return os.uname().machine in _MACHINES


def restrict() -> bool:
    """Filter the system calls of this thread and of threads that it starts; return whether the kernel accepted that.

    A denied call fails with EPERM. Set `PR_SET_NO_NEW_PRIVS` before.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    instructions = list(_filter(machine, os.getpid()))
    listed = (_Instruction * len(instructions))(*instructions)
    program = _Program(len(instructions), listed)
    try:
        kernel.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, 0, kernel.pointer(program))
    except OSError:
        return False
    return True


def _filter(machine: _Machine, own_pid: int) -> Iterator[_Instruction]:
    yield _Instruction(_LOAD_WORD, 0, 0, _ARCHITECTURE)
    yield _Instruction(_JUMP_EQUAL, 1, 0, machine.audit)
    yield _fail(errno.EPERM)
    yield _Instruction(_LOAD_WORD, 0, 0, _NUMBER)
    yield _Instruction(_JUMP_AT_LEAST, 0, 1, _X32)
    yield _fail(errno.EPERM)
    for number in machine.denied:
        yield _Instruction(_JUMP_EQUAL, 0, 1, number)
        yield _fail(errno.EPERM)
    # The C library then uses clone, whose flags a filter can read.
    yield _Instruction(_JUMP_EQUAL, 0, 1, machine.clone3)
    yield _fail(errno.ENOSYS)
    yield from _where_first_argument(machine.clone, _Instruction(_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD))
    for number in (machine.kill, machine.tgkill):  # abort() signals its own process
        yield from _where_first_argument(number, _Instruction(_JUMP_EQUAL, 1, 0, own_pid))
    yield from _where_first_argument(machine.prlimit, _Instruction(_JUMP_EQUAL, 1, 0, 0))
    yield _Instruction(_RETURN, 0, 0, _ALLOW)


def _where_first_argument(number: int, test: _Instruction) -> Iterator[_Instruction]:
    """Allow the call if `test` of its first argument jumps over one instruction; otherwise it fails."""
    yield _Instruction(_JUMP_EQUAL, 0, 4, number)
    yield _Instruction(_LOAD_WORD, 0, 0, _FIRST_ARGUMENT)
    yield test
    yield _fail(errno.EPERM)
    yield _Instruction(_RETURN, 0, 0, _ALLOW)


def _fail(number: int) -> _Instruction:
    return _Instruction(_RETURN, 0, 0, _FAIL_WITH | number)
