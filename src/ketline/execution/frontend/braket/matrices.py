"""Reads the matrix of a `#pragma braket unitary` from its text. Used by `pragmas.py`."""

import re
from typing import Any

import numpy as np

from ketline.execution.frontend.diagnosis import invalid, unsupported

MAX_QUBITS = 8
# Texts have rounded numbers; a matrix whose distance from a unitary is larger is rejected.
_ROUNDING = 1e-6
_UNSIGNED = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = re.compile(
    rf"\s*(?:(?P<imaginary>-?\s*{_UNSIGNED})im|(?P<real>-?\s*{_UNSIGNED})"
    rf"(?:\s*(?P<sign>[+-])\s*(?P<part>-?\s*{_UNSIGNED})im)?)\s*"
)
_ROWS = re.compile(r"\s*\[\s*(\[[^\[\]]*\](?:\s*,\s*\[[^\[\]]*\])*)\s*\]\s*")
_ROW = re.compile(r"\[([^\[\]]*)\]")


def matrix_of(node: Any, text: str, qubits: int) -> Any:
    """The matrix of a gate on this number of qubits, shape (2^qubits, 2^qubits), corrected to be exactly unitary.

    The first qubit is the most significant bit of an index.

    Raises:
        ProgramInvalid: it is not a matrix, not unitary, or of another size; at the place of `node`.
        ProgramUnsupported: it has more than 8 qubits.
    """
    if qubits > MAX_QUBITS:
        raise unsupported(node, f"a matrix on {qubits} qubits is not supported: the most are {MAX_QUBITS}")
    rows = _ROWS.fullmatch(text)
    if rows is None:
        raise invalid(node, "the matrix of a gate is written '[[...], [...]]', with one list for each row")
    entries = [[_number(node, entry) for entry in row.split(",")] for row in _ROW.findall(rows[1])]
    size = 1 << qubits
    if len(entries) != size or any(len(row) != size for row in entries):
        raise invalid(
            node, f"the matrix of a gate on {qubits} qubit{'s' * (qubits > 1)} has {size} rows of {size} numbers"
        )
    matrix = np.array(entries)
    if not np.isfinite(matrix).all() or np.abs(matrix @ matrix.conj().T - np.eye(size)).max() > _ROUNDING:
        raise invalid(node, "this matrix is not unitary, so it is no gate")
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def _number(node: Any, text: str) -> complex:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise invalid(node, f"'{text.strip()[:40]}' is not a number: write '0.5', '0.5im' or '0.5 + 0.5im'")
    if found["imaginary"] is not None:
        return complex(0, _float(found["imaginary"]))
    imaginary = 0.0 if found["part"] is None else _float(found["part"])
    return complex(_float(found["real"]), -imaginary if found["sign"] == "-" else imaginary)


def _float(text: str) -> float:
    return float(re.sub(r"\s+", "", text))
