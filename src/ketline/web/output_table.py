"""Outputs as rows of a table: the largest entries, for the page of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ketline.domain.outputs import COMPLEX, Output, Outputs, OutputType

MOST_ENTRIES = 16


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
    width = len(output.qubits)
    values: Mapping[str, Any]
    match output.type:
        case OutputType.ENTROPY:
            values = {"bits": output.values}
        case OutputType.EXPECTATION_VALUES:
            return _row_of_values(name, output)
        case OutputType.DENSITY_MATRIX | OutputType.UNITARY:
            rows: Any = output.values
            values = {
                f"{row:0{width}b}, {column:0{width}b}": value
                for row, cells in enumerate(rows)
                for column, value in enumerate(cells)
            }
        case _:
            cells_of: Any = output.values
            values = {f"{index:0{width}b}": value for index, value in enumerate(cells_of)}
    is_complex = output.type in COMPLEX
    largest = sorted(values, key=lambda key: -(abs(complex(*values[key])) if is_complex else values[key]))
    shown = sorted(largest[:MOST_ENTRIES])
    entries = [(key, _complex(values[key]) if is_complex else f"{values[key]:.6g}") for key in shown]
    return OutputRow(name, output.type, output.qubits, len(values), entries)


def _row_of_values(name: str, output: Output) -> OutputRow:
    """The first values, by the number of the observable, with their variances if they have any."""
    values: Any = output.values
    entries = [(str(number), _with_variance(value)) for number, value in enumerate(values[:MOST_ENTRIES])]
    return OutputRow(name, output.type, output.qubits, len(values), entries)


def _with_variance(value: Any) -> str:
    if not isinstance(value, Sequence):
        return f"{value:.6g}"
    mean, variance = value
    return f"{mean:.6g} (variance {variance:.6g})"


def _complex(pair: Sequence[float]) -> str:
    real, imaginary = (0.0 if abs(part) < 1e-12 else part for part in pair)
    return f"{real:.6g} {'-' if imaginary < 0 else '+'} {abs(imaginary):.6g}i"
