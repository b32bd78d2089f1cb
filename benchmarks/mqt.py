"""The programs of MQT Bench, each made in a process that is killed when it takes too long."""

import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from mqt.bench import BenchmarkLevel, get_benchmark
from mqt.bench.benchmarks import get_available_benchmark_names

from benchmarks.library import exported

_ADDRESS_SPACE = 8 << 30
# A server that has imported everything forks them: imports take longer than most circuits.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.mqt", "tests.corpus"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A benchmark at one size, as Qiskit exports it, or else why there is no text."""

    name: str
    text: str | None = None
    reason: str = ""


def exports(sizes: Sequence[int], seconds: float) -> Iterator[Export]:
    """All benchmarks at each of these numbers of qubits, except at those they say they do not have.

    `seconds` is what one may take to be made.
    """
    for benchmark in benchmark_names():
        for size in sizes:
            made = export(benchmark, size, seconds)
            if made is not None:
                yield made


def small_exports(sizes: Sequence[int]) -> Iterator[Export]:
    """The same without a process for each, for sizes at which every benchmark is made at once: up to about 8 qubits."""
    for benchmark in benchmark_names():
        for size in sizes:
            try:
                circuit = get_benchmark(benchmark=benchmark, level=BenchmarkLevel.INDEP, circuit_size=size)
            except Exception:  # each says in its own way that it has other sizes
                continue
            yield Export(name=f"{benchmark} {size}", text=exported(circuit))


def benchmark_names() -> list[str]:
    return list(get_available_benchmark_names())


def export(benchmark: str, size: int, seconds: float) -> Export | None:
    """A benchmark, which may take so long to be made; None where it does not have this size."""
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_send, args=(sender, benchmark, size), daemon=True)
    process.start()
    sender.close()
    name = f"{benchmark} {size}"
    try:
        if not receiver.poll(seconds):
            return Export(name=name, reason=f"made no circuit in {seconds:g} s")
        made = receiver.recv()
    except EOFError:
        return Export(name=name, reason="the process that was to make it died")
    else:
        return made if isinstance(made, Export) else None
    finally:
        process.kill()
        process.join()


def _send(sender: Connection, benchmark: str, size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    name = f"{benchmark} {size}"
    try:
        circuit = get_benchmark(benchmark=benchmark, level=BenchmarkLevel.INDEP, circuit_size=size)
    except Exception:  # each says in its own way that it has other sizes
        sender.send(None)
        return
    try:
        sender.send(Export(name=name, text=exported(circuit)))
    except Exception as error:
        sender.send(Export(name=name, reason=f"Qiskit cannot export it ({type(error).__name__})"))
