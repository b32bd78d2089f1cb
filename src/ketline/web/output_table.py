"""Outputs as rows of a table: the largest entries, for the page of a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, cast

from ketline.domain.results.outputs import COMPLEX, Output, Outputs, OutputType

MAX_ENTRIES = 16
_MATRICES = frozenset({OutputType.DENSITY_MATRIX, OutputType.UNITARY})


@dataclass(frozen=True, slots=True)
class OutputRow:
    """An output by name: `entries` are the largest of `size` values, by index as bits or as row and column."""

    name: str
    type: OutputType
    qubits: Sequence[int]
    size: int
    entries: Sequence[tuple[str, str]]


def output_rows(outputs: Outputs) -> Sequence[OutputRow]:
    """A row for each output, in the order of their names."""
    return [_row(name, outputs[name]) for name in sorted(outputs)]


def _row(name: str, output: Output) -> OutputRow:
    rows: Any = [output.values]
    while isinstance(rows[0], Sequence):
        rows = [one for row in rows for one in row]
    of_pairs = output.type is OutputType.EXPECTATION_VALUES and len(rows) > len(cast("Sequence[Any]", output.values))
    return output_row(name, output.type, output.qubits, rows, of_pairs=of_pairs)


def output_row(
    name: str, kind: OutputType, qubits: Sequence[int], numbers: Sequence[float], *, of_pairs: bool
) -> OutputRow:
    """The row of an output, whose numbers are in the order of rows; `of_pairs` of expectation values with variances."""
    if kind is OutputType.ENTROPY:
        return OutputRow(name, kind, qubits, 1, [("bits", f"{numbers[0]:.6g}")])
    if kind is OutputType.EXPECTATION_VALUES:
        return _row_of_values(name, qubits, numbers, of_pairs=of_pairs)
    width, is_complex = len(qubits), kind in COMPLEX
    size = len(numbers) // 2 if is_complex else len(numbers)

    def magnitude(index: int) -> float:
        return numbers[2 * index] ** 2 + numbers[2 * index + 1] ** 2 if is_complex else numbers[index]

    def label(index: int) -> str:
        if kind not in _MATRICES:
            return f"{index:0{width}b}"
        return f"{index >> width:0{width}b}, {index & (1 << width) - 1:0{width}b}"

    shown = sorted(nlargest(MAX_ENTRIES, range(size), key=magnitude))
    values = [_complex(numbers[2 * at : 2 * at + 2]) if is_complex else f"{numbers[at]:.6g}" for at in shown]
    return OutputRow(name, kind, qubits, size, list(zip(map(label, shown), values, strict=True)))


def _row_of_values(name: str, qubits: Sequence[int], numbers: Sequence[float], *, of_pairs: bool) -> OutputRow:
    """The first values, by the number of the observable, with their variances if they have any."""
    size = len(numbers) // 2 if of_pairs else len(numbers)
    entries = []
    for number in range(min(size, MAX_ENTRIES)):
        value = numbers[2 * number] if of_pairs else numbers[number]
        variance = f" (variance {numbers[2 * number + 1]:.6g})" if of_pairs else ""
        entries.append((str(number), f"{value:.6g}{variance}"))
    return OutputRow(name, OutputType.EXPECTATION_VALUES, qubits, size, entries)


def _complex(pair: Sequence[float]) -> str:
    real, imaginary = (0.0 if abs(part) < 1e-12 else part for part in pair)
    return f"{real:.6g} {'-' if imaginary < 0 else '+'} {abs(imaginary):.6g}i"
