"""Encodes outputs as NumPy arrays, single or in an archive, for the routes of outputs.

Source: NumPy's numpy.lib.format; an `npz` archive is a ZIP file of `npy` files, as numpy.savez writes it.
"""

from array import array
from collections.abc import Mapping, Sequence
from io import BytesIO
from sys import byteorder
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ketline.api.responses.formats import write_npy
from ketline.domain.outputs import COMPLEX, Output

NPZ = "application/x-npz"
# The earliest time that a ZIP file can have: the same outputs make the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_array(outputs: Sequence[Output], *, swept: bool) -> bytes:
    """Encode an output as float64 or complex128; for a sweep those of all points, with the point as first axis."""
    values: Any = [one.values for one in outputs] if swept else outputs[0].values
    shape, numbers = _flattened(values)
    dtype = "'<f8'"
    if outputs[0].type in COMPLEX:  # the last axis is the real and the imaginary part
        shape, dtype = shape[:-1], "'<c16'"
    data = array("d", numbers)
    if byteorder == "big":
        data.byteswap()
    return write_npy(dtype, shape, data.tobytes())


def _flattened(values: Any) -> tuple[tuple[int, ...], list[float]]:
    """The shape of nested lists, and their numbers in order."""
    shape: tuple[int, ...] = ()
    rows = [values]
    while isinstance(rows[0], Sequence):
        shape += (len(rows[0]),)
        rows = [one for row in rows for one in row]
    return shape, rows


def write_archive(outputs: Mapping[str, Sequence[Output]], *, swept: bool) -> bytes:
    """Encode outputs by name as an archive for numpy.load."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, of_points in outputs.items():
            archive.writestr(ZipInfo(f"{name}.npy", _TIME), write_array(of_points, swept=swept))
    return file.getvalue()
