"""System calls for which Python has no function; the other modules of this folder make them."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> None:
    """Call `prctl(2)`; an error is an OSError with its errno."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    if _libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(argument) for argument in padded)) == -1:
        raise _os_error()


def syscall(number: int, *arguments: ctypes.c_void_p | int | None) -> int:
    """Call `syscall(2)` with integers and pointers; an error is an OSError with its errno."""
    passed = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *passed))
    if result == -1:
        raise _os_error()
    return result


def pointer(value: ctypes.Structure | ctypes.Array[ctypes.c_uint32]) -> ctypes.c_void_p:
    """The address of a value; the caller must keep the value alive."""
    return ctypes.cast(ctypes.pointer(value), ctypes.c_void_p)


def _os_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
