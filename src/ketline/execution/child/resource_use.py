"""Measures the processor time and the peak memory that a simulator process uses for each program.

`ketline.simulator` creates the `ResourceUse` before confinement, and `child/main.py` measures with it.
"""

import os
import re
import time
from dataclasses import replace

from ketline.domain.results.result import RunResult
from ketline.execution.protocol.responses import Response

# Source: proc_pid_clear_refs(5): resets the peak resident set size to the current size.
_CLEAR_REFS, _RESET_PEAK = "/proc/self/clear_refs", b"5"
# Not `getrusage`, whose peak is at least that of the process that started this one.
_STATUS, _PEAK = "/proc/self/status", re.compile(rb"VmHWM:\s+(\d+) kB")
_STATUS_BYTES = 4096


class ResourceUse:
    """The resources that this process used since `begin`; memory is unknown where the kernel cannot reset its peak."""

    def __init__(self, clear_refs: str = _CLEAR_REFS) -> None:
        """Open the files in /proc to measure with; `clear_refs` can only be opened before confinement."""
        self._started = time.process_time()
        try:
            self._reset: int | None = os.open(clear_refs, os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self._reset = None
        self._status = os.open(_STATUS, os.O_RDONLY | os.O_CLOEXEC)

    def begin(self) -> None:
        """Start a new measurement."""
        self._started = time.process_time()
        if self._reset is not None:
            os.write(self._reset, _RESET_PEAK)

    def added_to(self, response: Response) -> Response:
        """The response with the measured use added to its profile; unchanged if it contains no run result."""
        result = response.outcome
        if not isinstance(result, RunResult):
            return response
        seconds = round(time.process_time() - self._started, 6)
        profile = replace(result.profile, processor_seconds=seconds, memory_bytes=self._memory_bytes())
        return replace(response, outcome=replace(result, profile=profile))

    def _memory_bytes(self) -> int | None:
        if self._reset is None:
            return None
        found = _PEAK.search(os.pread(self._status, _STATUS_BYTES, 0))
        return None if found is None else int(found[1]) << 10
