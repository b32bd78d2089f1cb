"""The real worker, with simulators that sleep instead of simulating: work that costs a worker nothing but time.

`python -m benchmarks.sleeping worker SECONDS` is `ketline worker` with children of that kind. They are started as
`python -m benchmarks.sleeping child SECONDS FD PARENT LIMITS`, and speak to their worker as a simulator does.
"""

import asyncio
import signal
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection

from ketline.domain.results.result import Profile, RunResult
from ketline.execution.parent.runner import ChildRunnerFactory
from ketline.execution.protocol.requests import Request, decode_request
from ketline.execution.protocol.responses import Response, encode_response
from ketline.execution.protocol.start import READY
from ketline.simulator import die_with_parent


def main(role: str, seconds: str, *arguments: str) -> None:
    if role == "child":
        fd, parent, _ = arguments
        die_with_parent(int(parent))
        answer_orders(int(fd), float(seconds))
    else:
        # Only here: children have no use for it.
        from ketline.cli.server.commands import run_loop

        run_loop(_work(seconds))


def answer_orders(fd: int, seconds: float) -> None:
    """Answer each order `seconds` after it came, until the parent closes the pipe."""
    with Connection(fd) as pipe:
        pipe.send_bytes(READY)
        while True:
            try:
                request = decode_request(pipe.recv_bytes())
            except EOFError:
                return
            time.sleep(seconds)
            pipe.send_bytes(encode_response(Response(_result(request, seconds)), request))


def _result(request: Request, seconds: float) -> RunResult:
    profile = Profile(method="none", qubits=1, depth=0, operations={}, parsing_seconds=0.0, simulating_seconds=seconds)
    return RunResult(counts={"0": request.spec.shots}, shots=request.spec.shots, profile=profile)


async def _work(seconds: str) -> None:
    from ketline.cli.server.serve import worker
    from ketline.config import load_settings
    from ketline.logs import configure_logs
    from ketline.runtime.limits import execution_limits
    from ketline.runtime.worker import open_worker

    configure_logs("warning", "json")
    settings = load_settings()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    command = (sys.executable, "-m", "benchmarks.sleeping", "child", seconds)
    async with open_worker(settings) as parts:
        sleeping = ChildRunnerFactory(execution_limits(settings), command=command)
        await worker(settings, replace(parts, runners=sleeping)).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
