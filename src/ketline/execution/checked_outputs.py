"""Checks the outputs that a simulator process sends, which may have run a hostile program. Used by `protocol`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ketline.domain.results.outputs import COMPLEX, Output, Outputs, OutputType, RequestedOutput


def checked_outputs(data: Mapping[str, Any], requested: Sequence[RequestedOutput]) -> Outputs | None:
    """The requested outputs, None if there are none.

    Raises:
        ValueError: one has other qubits, another shape, or something else than finite numbers.
    """
    return {one.name: _checked_output(data[one.name], one) for one in requested} or None


def _checked_output(data: Mapping[str, Any], requested: RequestedOutput) -> Output:
    qubits = [int(qubit) for qubit in data["qubits"]]
    if requested.qubits is not None and tuple(qubits) != requested.qubits:
        raise ValueError("an output of other qubits")
    _check_numbers(data["values"], _shape(requested, 1 << len(qubits)))
    return Output(requested.type, qubits=qubits, values=data["values"])


def _shape(output: RequestedOutput, size: int) -> tuple[int, ...]:
    match output.type:
        case OutputType.ENTROPY:
            return ()
        case OutputType.EXPECTATION_VALUES:
            return (len(output.observables), 2) if output.variance else (len(output.observables),)
        case OutputType.DENSITY_MATRIX | OutputType.UNITARY:
            rows: tuple[int, ...] = (size, size)
        case _:
            rows = (size,)
    return (*rows, 2) if output.type in COMPLEX else rows


def _check_numbers(values: Any, shape: tuple[int, ...]) -> None:
    numbers = [values]
    for length in shape:
        if not all(type(row) is list and len(row) == length for row in numbers):  # guard: wire.outputs
            raise ValueError("an output of another shape")
        numbers = [number for row in numbers for number in row]
    if not {int, float}.issuperset(map(type, numbers)) or not all(map(math.isfinite, numbers)):
        raise ValueError("an output has something else than finite numbers")
