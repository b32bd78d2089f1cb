"""What a simulator process does once it is tied to its parent: it answers the orders of a pipe, and ends with it."""

import os
import resource
import sys
from contextlib import redirect_stderr
from multiprocessing.connection import Connection
from pathlib import Path

from ketline.execution.execute import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.wire import READY, decode_order, encode_answer

# Importing Qiskit and Aer reserves 1.3 GB of address space, most of it never touched.
_BASE_ADDRESS_SPACE = 2 << 30
# A thread reserves an 8 MB stack and its share of the allocator's arenas.
_ADDRESS_SPACE_PER_THREAD = 80 << 20
# Room for what libraries write to stderr on their way down; see `process.py`.
_FILE_SIZE = 64 << 10
_RECURSION_LIMIT = 4000


def main(fd: int, limits: ExecutionLimits) -> None:
    """Warm up, say that this process is ready, and answer what comes through the pipe until it closes."""
    confine(limits)
    executor = Executor(limits)
    executor.warm_up()
    # From now on stderr is for the last words of libraries; the parser would echo programs to it.
    with Connection(fd) as pipe, Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        pipe.send_bytes(READY)
        serve(pipe, executor)


def confine(limits: ExecutionLimits) -> None:
    """Bound this process's address space, and leave no core dumps or other files behind."""
    memory = limits.memory_bytes if limits.process_memory_bytes is None else limits.process_memory_bytes
    space = _BASE_ADDRESS_SPACE + memory + limits.threads * _ADDRESS_SPACE_PER_THREAD
    for what, bound in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
    ):
        _, hard = resource.getrlimit(what)
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (bound, bound))
    # A module's bytecode over the limit would be cut off there without an error, and spoil the next import for all.
    sys.dont_write_bytecode = True
    sys.setrecursionlimit(_RECURSION_LIMIT)


def serve(pipe: Connection, executor: Executor) -> None:
    """Answer orders until the parent closes the pipe, or an answer says that this process retires."""
    retiring = False
    while not retiring:
        try:
            order = decode_order(pipe.recv_bytes())
        except EOFError:
            return
        answer = executor.answer(order)
        retiring = answer.retiring
        pipe.send_bytes(encode_answer(answer, order))
