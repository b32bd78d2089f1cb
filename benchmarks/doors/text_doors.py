"""The ways into the service that take program text: REST, both clients and the command line, beside loops over Aer."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from qiskit import qasm3
from qiskit_aer import AerSimulator

from benchmarks.connection import Connection, connect
from benchmarks.doors.door import Door
from benchmarks.processes import ROOT, clean_environment
from benchmarks.programs import SHOTS, turned_bell
from ketline.client import AsyncClient, Client

_TASKS = 200
_SEQUENTIAL_TASKS = 20
_CLIENTS = 16
_LOOP = "a loop over `AerSimulator().run`, parsed before"
_SCRIPT = "a script with `qasm3.loads` and Aer"


def text_doors(port: int, directory: Path) -> Iterator[Door]:
    """The ways; `directory` is empty, and gets a file for each program."""
    url = f"http://127.0.0.1:{port}"
    texts = [turned_bell(number) for number in range(_TASKS)]
    for number, text in enumerate(texts):
        (directory / f"bell-{number:03}.qasm").write_text(text)
    few = texts[:_SEQUENTIAL_TASKS]
    many_work, few_work = f"{_TASKS} Bell circuits", f"{_SEQUENTIAL_TASKS} Bell circuits, each after the one before"
    client = Client(url)
    yield Door(
        name="REST, one connection", work=few_work, alternative=_LOOP, ketline=_rest(port, few, 1), other=_loop(few)
    )
    yield Door(
        name=f"REST, {_CLIENTS} connections",
        work=many_work,
        alternative=_LOOP,
        ketline=_rest(port, texts, _CLIENTS),
        other=_loop(texts),
    )
    yield Door(
        name="`Client.run`",
        work=few_work,
        alternative=_LOOP,
        ketline=lambda: [client.run(text, shots=SHOTS) for text in few],
        other=_loop(few),
    )
    yield Door(
        name="`Client.submit_batch`",
        work=many_work,
        alternative=_LOOP,
        ketline=lambda: _batch(client, texts),
        other=_loop(texts),
    )
    yield Door(
        name=f"`AsyncClient.run`, {_CLIENTS} at a time",
        work=many_work,
        alternative=_LOOP,
        ketline=lambda: asyncio.run(_run_async(url, texts)),
        other=_loop(texts),
    )
    for name, options in (("`ketline run DIR --url URL`", ("--url", url)), ("`ketline run DIR`", ())):
        yield Door(
            name=name,
            work=f"{_TASKS} files of a Bell circuit",
            alternative=_SCRIPT,
            ketline=_command(_ketline(), "run", str(directory), "--shots", str(SHOTS), *options),
            other=_command(sys.executable, "-m", "benchmarks.doors.directory_script", str(directory)),
        )


def _loop(texts: Sequence[str]) -> Callable[[], object]:
    simulator, circuits = AerSimulator(), list(map(qasm3.loads, texts))
    return lambda: [simulator.run(circuit, shots=SHOTS).result().get_counts() for circuit in circuits]


def _batch(client: Client, texts: Sequence[str]) -> Sequence[object]:
    handles = client.submit_batch(texts, shots=SHOTS)
    return [handle.counts() for handle in client.as_completed(handles)]


async def _run_async(url: str, texts: Sequence[str]) -> None:
    left = iter(texts)

    async def run_some(client: AsyncClient) -> None:
        for text in left:
            await client.run(text, shots=SHOTS)

    async with AsyncClient(url) as client:
        await asyncio.gather(*(run_some(client) for _ in range(_CLIENTS)))


def _rest(port: int, texts: Sequence[str], connections: int) -> Callable[[], object]:
    async def run_some(connection: Connection, left: Iterator[str]) -> None:
        for text in left:
            await connection.run(text, SHOTS)

    async def run_all() -> None:
        left = iter(texts)
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(connect(port)) for _ in range(connections)]
            await asyncio.gather(*(run_some(connection, left) for connection in opened))

    return lambda: asyncio.run(run_all())


def _ketline() -> str:
    return str(Path(sys.executable).with_name("ketline"))


def _command(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=clean_environment())
