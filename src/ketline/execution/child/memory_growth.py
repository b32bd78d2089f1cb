"""Detects that a simulator process uses much more memory than when it was ready, so that it is replaced.

Qiskit 2.6 never frees a loop with a branch that contains `break` or `continue`. The placeholder for this branch and the
block around it refer to each other through `CircuitData`, which Python's garbage collector cannot traverse. Each loop
leaks 28 kB.
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
        self._initial_bytes = self._resident_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def exceeded(self) -> bool:
        """Whether the process has grown by more than `limit_bytes`, even after a garbage collection."""
        if not self._above_limit():
            return False
        gc.collect()
        return self._above_limit()

    def _above_limit(self) -> bool:
        return self._resident_bytes() - self._initial_bytes > self._limit_bytes

    def _resident_bytes(self) -> int:
        # Source: proc(5): the second field of statm is the resident set in pages.
        return int(os.pread(self._descriptor, 128, 0).split()[1]) * _PAGE_BYTES
