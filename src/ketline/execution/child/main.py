"""What a simulator process does once it is tied to its parent: it answers the orders of a pipe, and ends with it."""

import gc
import os
import resource
import sys
from contextlib import redirect_stderr
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from ketline.domain.errors import MachineBusy
from ketline.execution.child.executor import Executor
from ketline.execution.child.memory_growth import MemoryGrowth
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import (
    GRANTED,
    READY,
    Request,
    decode_request,
    encode_admission_request,
    encode_response,
)

# Importing Qiskit and Aer reserves 1.3 GB of address space, most of it never touched.
_BASE_ADDRESS_SPACE = 2 << 30
# A thread reserves an 8 MB stack and its share of the allocator's arenas.
_ADDRESS_SPACE_PER_THREAD = 80 << 20
# Room for what libraries write to stderr on their way down; see `process.py`.
_FILE_SIZE = 64 << 10
_RECURSION_LIMIT = 4000


def main(fd: int, limits: ExecutionLimits) -> None:
    """Warm up, say that this process is ready, and answer what comes through the pipe until it closes."""
    bound_resources(limits)
    executor = Executor(limits)
    executor.warm_up()
    gc.collect()
    gc.freeze()  # a hundred thousand objects of libraries, which later collections need not look at
    # From now on stderr is for the last words of libraries; the parser would echo programs to it.
    with (
        Connection(fd) as pipe,
        MemoryGrowth(limits.growth_bytes) as growth,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),
    ):
        pipe.send_bytes(READY)
        serve(pipe, executor, growth)


def bound_resources(limits: ExecutionLimits) -> None:
    """Bound this process's address space, and leave no core dumps or other files behind.

    The bound on its address space is that of a small program; it can be raised for a large one, and no further.
    """
    small, large = limits.share_bytes, limits.memory_bytes
    if limits.process_memory_bytes is not None:
        small = large = limits.process_memory_bytes
    space = _BASE_ADDRESS_SPACE + limits.threads * _ADDRESS_SPACE_PER_THREAD
    for what, soft, most in (
        (resource.RLIMIT_AS, space + small, space + large),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, _FILE_SIZE, _FILE_SIZE),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (min(soft, most), most))  # guard: child.small_memory
    # A module's bytecode over the limit would be cut off there without an error, and spoil the next import for all.
    sys.dont_write_bytecode = True
    sys.setrecursionlimit(_RECURSION_LIMIT)


def serve(pipe: Connection, executor: Executor, growth: MemoryGrowth) -> None:
    """Answer orders until the parent closes the pipe, or an answer says that this process retires."""
    small, _ = resource.getrlimit(resource.RLIMIT_AS)
    retiring = False
    while not retiring:
        try:
            request = decode_request(pipe.recv_bytes())
        except EOFError:
            return
        asking = _Asking(pipe, request)
        try:
            answer = executor.answer(request, asking)
        except MachineBusy:
            continue  # the parent knows, and waits for no answer
        if growth.exceeded():
            answer = replace(answer, retiring=True)
        retiring = answer.retiring
        pipe.send_bytes(encode_response(answer, request))
        if asking.granted:
            _bound_address_space(small)


class _Asking:
    """Asks the parent for the whole machine, and raises the bound on memory when it has it."""

    def __init__(self, pipe: Connection, request: Request) -> None:
        self._pipe = pipe
        self._order = request
        self.granted = False

    def __call__(self, needed_bytes: int) -> bool:
        self._pipe.send_bytes(encode_admission_request(needed_bytes, self._order))
        self.granted = self._pipe.recv_bytes() == GRANTED
        if self.granted:
            _bound_address_space(None)
        return self.granted


def _bound_address_space(soft: int | None) -> None:
    """None is all that this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard if soft is None else soft, hard))
