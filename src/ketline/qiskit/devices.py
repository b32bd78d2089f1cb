"""Devices of the service and backends of Qiskit's: one exported as a device, and a device as a target."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import isclass
from itertools import permutations
from math import isfinite
from typing import Any

from qiskit.circuit import ParameterExpression
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from ketline.device_target import CONTROL_FLOW, target_of_device
from ketline.domain.devices.device import DEVICE_OPERATIONS, device_from_json
from ketline.domain.errors import DeviceInvalid
from ketline.domain.limits import MAX_DEVICE_DESCRIPTION_CHARACTERS, MAX_DEVICE_GATES

# Operations that every device has on all qubits: they are no gates of it.
_EVERYWHERE = frozenset({"measure", "delay", "barrier"})
_CONTROL_FLOW = tuple(CONTROL_FLOW.values())
_US, _NS = 1e6, 1e9
# Decimals of microseconds and nanoseconds: seconds in floating point are not exact.
_DECIMALS = 6


def export_device(
    source: BackendV2 | Target, name: str | None = None, *, description: str | None = None, skip: Collection[str] = ()
) -> dict[str, Any]:
    """A backend or its target as a device, for `Client.put_device` or, as JSON, for `ketline devices add`.

    It has the backend's name and description unless others are given. Gates named by `skip` are left out. A gate that
    the target has on all qubits is exported for each qubit or pair. Times T2 above twice T1 are cut to that, and values
    that are not finite are not known.

    Raises:
        QiskitError: the backend has something that no device can have; the message says what.
    """
    target = source if isinstance(source, Target) else source.target
    if not target.num_qubits:
        raise QiskitError("The target has no number of qubits, so it is no device.")
    document = {
        "name": getattr(source, "name", None) if name is None else name,
        "description": _description(source.description if description is None else description),
        "dt_ns": _scaled(target.dt, _NS) or None,
        "qubits": [_qubit(target, _properties_of(source), number) for number in range(target.num_qubits)],
        "gates": list(_gates(target, skip)),
    }
    try:
        return device_from_json(document).as_json()
    except DeviceInvalid as error:
        raise QiskitError(f"The backend is no device that can be stored: {error}.") from error


def device_target(device: Mapping[str, Any]) -> Target:
    """The target of a device, as `Client.device` reads it or `export_device` makes it: the inverse of that.

    Raises:
        QiskitError: it is no device.
    """
    try:
        return target_of_device(device_from_json(device))
    except DeviceInvalid as error:
        raise QiskitError(f"This is no device: {error}.") from error


def _description(text: str | None) -> str | None:
    """The printable part of a description, on one line."""
    words = "".join(character if character.isprintable() else " " for character in text or "").split()
    return " ".join(words)[:MAX_DEVICE_DESCRIPTION_CHARACTERS] or None


def _properties_of(source: Any) -> Any:
    """The calibration that backends of IBM's have beside their target; it tells the two errors of a readout apart."""
    properties = getattr(source, "properties", None)
    return properties() if callable(properties) else None


def _qubit(target: Target, properties: Any, number: int) -> dict[str, Any]:
    known = (target.qubit_properties or [None] * target.num_qubits)[number]
    t1, t2 = (_scaled(getattr(known, time, None), _US) or None for time in ("t1", "t2"))
    readout = target["measure"].get((number,)) if "measure" in target else None
    error = _finite(getattr(readout, "error", None)) or 0.0
    return {
        "t1_us": t1,
        "t2_us": t2 if t1 is None or t2 is None else min(t2, 2 * t1),
        "p01": _reading(properties, number, "prob_meas1_prep0", error),
        "p10": _reading(properties, number, "prob_meas0_prep1", error),
        "readout_ns": _scaled(getattr(readout, "duration", None), _NS),
    }


def _reading(properties: Any, number: int, which: str, otherwise: float) -> float:
    """A probability of the calibration; without one, the error of the readout."""
    try:
        found = _finite(properties.qubit_property(number)[which][0])
    except (AttributeError, KeyError, IndexError, TypeError, QiskitError):
        return otherwise
    return otherwise if found is None else found


def _gates(target: Target, skip: Collection[str]) -> Iterator[dict[str, Any]]:
    number = 0
    for name in sorted(set(target.operation_names) - _EVERYWHERE - set(skip)):
        operation = target.operation_from_name(name)
        if isclass(operation) and issubclass(operation, _CONTROL_FLOW):
            continue
        _require_possible(name, operation)
        for qubits, properties in _places(target, name, operation.num_qubits):
            number += 1
            if number > MAX_DEVICE_GATES:
                raise QiskitError(f"A device can have {MAX_DEVICE_GATES:,} gates on their qubits; this one has more.")
            error, duration = (getattr(properties, each, None) for each in ("error", "duration"))
            yield {
                "name": name,
                "qubits": list(qubits),
                "error": _finite(error),
                "duration_ns": _scaled(duration, _NS),
            }


def _require_possible(name: str, operation: Any) -> None:
    """Checks that an operation of a target is the gate that a device has under its name."""
    hint = f"skip={(name,)!r} leaves it out"
    if name not in DEVICE_OPERATIONS or isclass(operation) or operation.name != name:
        raise QiskitError(f"The backend has {name!r}, which a device cannot have: {hint}.")
    if not all(isinstance(one, ParameterExpression) and one.parameters for one in operation.params):
        raise QiskitError(f"The backend has {name!r} at a fixed angle only, which a device cannot have: {hint}.")


def _places(target: Target, name: str, width: int) -> Iterator[tuple[Sequence[int], Any]]:
    """The qubits on which a target has an operation, with its properties there."""
    for qubits, properties in target[name].items():
        if qubits is None:
            yield from ((some, None) for some in permutations(range(target.num_qubits), width))
        else:
            yield qubits, properties


def _scaled(seconds: float | None, factor: float) -> float | None:
    found = _finite(seconds)
    return None if found is None else round(found * factor, _DECIMALS)


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(value)
