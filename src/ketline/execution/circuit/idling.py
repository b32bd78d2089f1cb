"""Delays of circuits as identity gates with labels, to which simulators attach what happens to an idle qubit."""

from math import isfinite
from typing import Any

from qiskit.circuit import Barrier, ControlFlowOp
from qiskit.circuit.library import IGate

from ketline.domain.errors import ProgramUnsupported

_PREFIX, _UNIT = "delay ", " ns"
_NANOSECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_DELAY = "delay"


def idle_ns(name: str) -> float | None:
    """The nanoseconds that a name of an operation, as `operation_name` gives it, stands for; None for other names."""
    return float(name.removeprefix(_PREFIX).removesuffix(_UNIT)) if name.startswith(_PREFIX) else None


def is_idling(label: str | None) -> bool:
    """Whether a label is that of a delay."""
    return label is not None and label.startswith(_PREFIX)


def with_idling(circuit: Any, dt_ns: float | None) -> Any:
    """A circuit with an identity gate instead of each delay, whose label says how long it is; no other gate has one.

    `dt_ns` is the unit of delays in `dt`.

    Raises:
        ProgramUnsupported: the length of a delay is not known.
    """
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            operation = operation.replace_blocks([with_idling(block, dt_ns) for block in operation.blocks])
        elif instruction.name == _DELAY:
            length = _length_ns(operation, dt_ns)
            operation = IGate(label=f"{_PREFIX}{length!r}{_UNIT}") if length else Barrier(1)
        elif operation.label is not None and not isinstance(operation, Barrier):
            operation = operation.copy()
            operation.label = None
        result.append(instruction.replace(operation=operation), copy=False)
    return result


def _length_ns(delay: Any, dt_ns: float | None) -> float:
    if delay.unit == "dt" and dt_ns is None:
        raise ProgramUnsupported(
            "the program has a delay in 'dt', and its device has no 'dt_ns': write it in ns, or give the device one"
        )
    unit = dt_ns if delay.unit == "dt" else _NANOSECONDS.get(delay.unit)
    try:
        length = float(delay.duration) * (unit or 0.0)
    except TypeError:
        unit = None
        length = 0.0
    if unit is None or not isfinite(length) or length < 0:
        raise ProgramUnsupported("the length of a delay is not a number: on a device with errors it must be one")
    return length
