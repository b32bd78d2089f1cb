"""Circuits of Qiskit's as tests send them."""

import base64
import io
from typing import Any

from qiskit import qpy


def as_qpy(circuit: Any, version: int = 18) -> str:
    """A circuit in QPY of this version, as base64."""
    file = io.BytesIO()
    qpy.dump(circuit, file, version=version)
    return base64.b64encode(file.getvalue()).decode()


def terms_of(operator: Any) -> dict[str, float]:
    """A `SparsePauliOp` as an observable."""
    return {label: float(factor.real) for label, factor in operator.to_list()}
