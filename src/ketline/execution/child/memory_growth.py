"""Detects that a simulator process has grown too much since it was ready, so that it retires.

Qiskit 2.6 never frees a loop with a branch that breaks or continues: its placeholder for the branch and the block
around it refer to each other through `CircuitData`, which Python's garbage collector cannot traverse: 28 kB per loop.
"""

import gc
import os
import resource
from typing import Self

_PAGE_BYTES = resource.getpagesize()


class MemoryGrowth:
    """Compares the resident memory of this process with its initial value."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._at_first = self._resident_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def exceeded(self) -> bool:
        """Whether the process has grown by more than `limit_bytes` that cannot be freed."""
        if not self._is_over():
            return False
        gc.collect()
        return self._is_over()

    def _is_over(self) -> bool:
        return self._resident_bytes() - self._at_first > self._limit_bytes

    def _resident_bytes(self) -> int:
        # Source: proc(5): the second field of statm is the resident set in pages.
        return int(os.pread(self._descriptor, 128, 0).split()[1]) * _PAGE_BYTES
