"""Entry point of a simulator process; `execution/parent` starts it as `python -m ketline.simulator FD PARENT LIMITS`.

The process is tied to its parent before it imports anything slow: on a busy machine importing Qiskit takes seconds, and
its worker may be killed meanwhile. It is confined before it starts its first thread.
"""

import ctypes
import gc
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # guard: child.dies
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before the line above
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main(fd: str, parent: str, limits: str) -> None:
    """Run as a simulator process of `parent`, which has the other end of the socket `fd`."""
    die_with_parent(int(parent))  # guard: child.tied_first
    # Imported modules live as long as the process, and garbage collection during imports takes a sixth of the start
    # time. `child/main.py` turns the collector on again.
    gc.disable()
    from ketline.execution.child.resource_use import ResourceUse
    from ketline.execution.sandbox import confine

    use = ResourceUse()
    confine(gpu=json.loads(limits)["gpu"])  # guard: child.confined
    # Again, because a process that changes its user loses its parent-death signal.
    die_with_parent(int(parent))  # guard: child.tied_first
    from ketline.execution.child.main import main as serve_parent
    from ketline.execution.protocol.start import decode_limits

    serve_parent(int(fd), decode_limits(limits), use)


if __name__ == "__main__":
    main(*sys.argv[1:])
