"""The programs whose estimates are compared: the suite, a choice of the corpus, or the files of directories."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from qiskit.qasm3.exceptions import QASM3Error

from benchmarks.execution.circuits import suite
from benchmarks.library import library_names, library_program
from benchmarks.mqt import benchmark_names, export

_CORPUS = Path(__file__).parent.parent.parent / "tests" / "corpus"
# As in docs/frontend.md.
_SIZES = range(2, 21)
_SECONDS = 120.0


class NamedProgram(NamedTuple):
    name: str
    text: str


def suite_programs() -> Iterator[NamedProgram]:
    return (NamedProgram(circuit.family, circuit.text) for circuit in suite())


def programs_of(directories: Iterable[Path]) -> Iterator[NamedProgram]:
    for directory in directories:
        for path in sorted(directory.rglob("*.qasm")):
            yield NamedProgram(path.name, path.read_text(encoding="utf-8"))


def corpus_programs(seed: int) -> Iterator[NamedProgram]:
    """The files of tests/corpus, then the other programs of docs/frontend.md in an order drawn by the seed.

    Those are Qiskit's circuit library and MQT Bench; in turns, because the library has many more small circuits.
    """
    random = Random(seed)
    yield from programs_of([_CORPUS])
    library = library_names()
    bench = [(name, size) for name in benchmark_names() for size in _SIZES]
    random.shuffle(library)
    random.shuffle(bench)
    for circuit, (benchmark, size) in zip(library, bench, strict=False):
        with suppress(QASM3Error):  # Qiskit writes no program of some
            yield NamedProgram(circuit, library_program(circuit))
        made = export(benchmark, size, _SECONDS)
        if made is not None and made.text is not None:
            yield NamedProgram(made.name, made.text)
