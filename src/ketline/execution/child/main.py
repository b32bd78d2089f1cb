"""Serves the requests of the parent until the socket closes; `ketline.simulator` calls `main` after confinement."""

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
from ketline.execution.child.resource_use import ResourceUse
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.admission import GRANTED, encode_admission_request
from ketline.execution.protocol.requests import Request, decode_request
from ketline.execution.protocol.responses import encode_response
from ketline.execution.protocol.start import READY

# Importing Qiskit and Aer reserves 1.3 GB of address space, most of it never touched.
_BASE_ADDRESS_SPACE = 2 << 30
# A thread reserves an 8 MB stack and its share of the allocator's arenas.
_ADDRESS_SPACE_PER_THREAD = 80 << 20
# Space for what libraries write to stderr when they crash; see `parent/process.py`.
_FILE_SIZE = 64 << 10
_RECURSION_LIMIT = 4000


def main(fd: int, limits: ExecutionLimits, use: ResourceUse) -> None:
    """Bound this process's resources, and serve the parent at the other end of the socket `fd`."""
    bound_resources(limits)
    with Connection(fd) as pipe:
        run(pipe, Executor(limits), limits, use)


def run(pipe: Connection, executor: Executor, limits: ExecutionLimits, use: ResourceUse) -> None:
    """Warm up, send `ready`, and serve requests until the parent closes the socket."""
    executor.warm_up()
    # Collections need not visit the hundred thousand objects of libraries, of which hardly any are garbage.
    gc.freeze()
    gc.enable()
    # From now on only crashing libraries write to stderr. Python's `sys.stderr` is redirected, as the parser prints
    # parts of programs to it.
    with (
        MemoryGrowth(limits.growth_bytes) as growth,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),
    ):
        pipe.send_bytes(READY)
        serve(pipe, executor, growth, use)


def bound_resources(limits: ExecutionLimits) -> None:
    """Bound this process's address space and the size of files, and disable core dumps.

    The address space is limited to that of a small program; the limit can be raised to that of a large one. A process
    that simulates on a GPU has no such limit.
    """
    small, large = limits.share_bytes, limits.memory_bytes
    if limits.process_memory_bytes is not None:
        small = large = limits.process_memory_bytes
    space = _BASE_ADDRESS_SPACE + limits.threads * _ADDRESS_SPACE_PER_THREAD
    soft_space, most_space = space + small, space + large
    if limits.gpu and limits.process_memory_bytes is None:
        _, soft_space = _, most_space = resource.getrlimit(resource.RLIMIT_AS)
    for what, soft, most in (
        (resource.RLIMIT_AS, soft_space, most_space),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, _FILE_SIZE, _FILE_SIZE),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (min(soft, most), most))  # guard: child.small_memory
    # Bytecode files over the limit would be truncated without an error, and break the next import of the module.
    sys.dont_write_bytecode = True
    sys.setrecursionlimit(_RECURSION_LIMIT)


def serve(pipe: Connection, executor: Executor, growth: MemoryGrowth, use: ResourceUse) -> None:
    """Respond to requests until the parent closes the socket, or a response retires this process."""
    small, _ = resource.getrlimit(resource.RLIMIT_AS)
    retiring = False
    while not retiring:
        try:
            request = decode_request(pipe.recv_bytes())
        except EOFError:
            return
        admission = _AdmissionRequest(pipe, request)
        use.begin()
        try:
            response = use.added_to(executor.respond(request, admission))
        except MachineBusy:
            continue  # the parent expects no response
        if growth.exceeded():
            response = replace(response, retiring=True)
        retiring = response.retiring
        pipe.send_bytes(encode_response(response, request))
        if admission.granted:
            _bound_address_space(small)


class _AdmissionRequest:
    """Requests admission from the parent, and raises the limit on address space when it is granted."""

    def __init__(self, pipe: Connection, request: Request) -> None:
        self._pipe = pipe
        self._request = request
        self.granted = False

    def __call__(self, needed_bytes: int) -> bool:
        self._pipe.send_bytes(encode_admission_request(needed_bytes, self._request))
        self.granted = self._pipe.recv_bytes() == GRANTED
        if self.granted:
            _bound_address_space(None)
        return self.granted


def _bound_address_space(soft: int | None) -> None:
    """Set the soft limit on address space; None sets it to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard if soft is None else soft, hard))
