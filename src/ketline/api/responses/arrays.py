"""Encodes outputs as NumPy arrays, single or in an archive, for the routes of outputs.

Source: NumPy's numpy.lib.format; an `npz` archive is a ZIP file of `npy` files, as numpy.savez writes it.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from sys import byteorder
from typing import Any, cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ketline.api.responses.formats import write_npy
from ketline.domain.results.outputs import COMPLEX, Output, OutputType

NPZ = "application/x-npz"
# The earliest time that a ZIP file can have: the same outputs make the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class NumberArray:
    """The values of an output: float64 in the order of rows; of complex ones the real and the imaginary parts in turn.

    `shape` is that of the array of numbers, complex ones or not.
    """

    type: OutputType
    qubits: Sequence[int]
    shape: tuple[int, ...]
    numbers: "array[float]"

    @property
    def of_pairs(self) -> bool:
        """Whether these are expectation values with variances."""
        return self.type is OutputType.EXPECTATION_VALUES and len(self.shape) > 1


def shape_of(output: OutputType, qubits: int, numbers: int, *, of_pairs: bool) -> tuple[int, ...]:
    """The shape of an output from the numbers of its qubits and values; `of_pairs` where its values are pairs."""
    size = 1 << qubits
    match output:
        case OutputType.ENTROPY:
            return ()
        case OutputType.EXPECTATION_VALUES:
            return (numbers // 2, 2) if of_pairs else (numbers,)
        case OutputType.DENSITY_MATRIX | OutputType.UNITARY:
            return (size, size)
        case _:
            return (size,)


def numbers_of(output: Output) -> NumberArray:
    """The values of a decoded output."""
    numbers = _flattened(output.values)
    of_pairs = output.type is OutputType.EXPECTATION_VALUES and len(numbers) > len(cast("Sequence[Any]", output.values))
    shape = shape_of(output.type, len(output.qubits), len(numbers), of_pairs=of_pairs)
    return NumberArray(output.type, output.qubits, shape, array("d", numbers))


def write_array(outputs: Iterable[NumberArray], *, swept: bool) -> bytes:
    """Encode an output as float64 or complex128; for a sweep those of all points, with the point as first axis."""
    first, *others = outputs
    data = first.numbers
    for one in others:
        data.extend(one.numbers)
    if byteorder == "big":
        data.byteswap()
    dtype = "'<c16'" if first.type in COMPLEX else "'<f8'"
    shape = (1 + len(others), *first.shape) if swept else first.shape
    return write_npy(dtype, shape, data.tobytes())


def _flattened(values: Any) -> list[float]:
    """The numbers of nested lists, in order."""
    rows = [values]
    while isinstance(rows[0], Sequence):
        rows = [one for row in rows for one in row]
    return rows


def write_archive(outputs: Mapping[str, Iterable[NumberArray]], *, swept: bool) -> bytes:
    """Encode outputs by name as an archive for numpy.load."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, of_points in outputs.items():
            archive.writestr(ZipInfo(f"{name}.npy", _TIME), write_array(of_points, swept=swept))
    return file.getvalue()
