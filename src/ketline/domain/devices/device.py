"""Devices: what a quantum computer's qubits and gates are, with their errors and durations.

`device_from_json` reads the documented format of `specs/devices.md`; `device_fields.py` checks each value.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from ketline.domain.devices.device_fields import MAX_NS, MAX_US, Path, entries, integer, known_fields, number, text
from ketline.domain.devices.noise import NOISY_OPERATIONS
from ketline.domain.errors import DeviceInvalid
from ketline.domain.limits import (
    MAX_DEVICE_BYTES,
    MAX_DEVICE_DESCRIPTION_CHARACTERS,
    MAX_DEVICE_GATES,
    MAX_DEVICE_NAME_CHARACTERS,
    MAX_DEVICE_QUBITS,
)

__all__ = [
    "DEVICE_NAME",
    "DEVICE_OPERATIONS",
    "Device",
    "DeviceGate",
    "DeviceQubit",
    "device_from_json",
    "device_from_text",
]

DEVICE_NAME = re.compile(f"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_DEVICE_NAME_CHARACTERS - 1}}}")
_NAME_RULE = f"must be 1 to {MAX_DEVICE_NAME_CHARACTERS} letters, digits and ._- that begin with a letter or a digit"
# The possible gates of devices, with their numbers of qubits; errors can attach to all of them. Every device measures
# and delays all its qubits.
DEVICE_OPERATIONS: Mapping[str, int] = {
    name: qubits for name, qubits in sorted(NOISY_OPERATIONS.items()) if qubits is not None and name != "measure"
}
_ELSEWHERE = {
    "measure": "is no entry of gates: each qubit has p01, p10 and readout_ns",
    "delay": "is no entry of gates: each device has it",
    "barrier": "is no entry of gates: each device has it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQubit:
    """A qubit: a 0 reads 1 with probability `p01`, a 1 reads 0 with `p10`. Times that are not known are None."""

    t1_us: float | None = None
    t2_us: float | None = None
    p01: float = 0.0
    p10: float = 0.0
    readout_ns: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGate:
    """A gate on certain qubits, in the order of its operands; `error` is one minus its average fidelity.

    None where error or duration are not known.
    """

    name: str
    qubits: tuple[int, ...]
    error: float | None = None
    duration_ns: float | None = None


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device; `gates` are sorted by name and qubits. `dt_ns` is the unit of its durations, if it has one."""

    name: str
    description: str = ""
    qubits: tuple[DeviceQubit, ...]
    gates: tuple[DeviceGate, ...]
    dt_ns: float | None = None

    @property
    def num_qubits(self) -> int:
        return len(self.qubits)

    @cached_property
    def coupling(self) -> tuple[tuple[int, int], ...]:
        """The ordered pairs of qubits that have a gate, sorted."""
        pairs = {(gate.qubits[0], gate.qubits[1]) for gate in self.gates if len(gate.qubits) > 1}
        return tuple(sorted(pairs))

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """The pairs of qubits that have a gate in either order, each once, the lower qubit first."""
        return tuple(sorted({(min(pair), max(pair)) for pair in self.coupling}))

    @cached_property
    def gate_names(self) -> tuple[str, ...]:
        """The names of its gates, sorted."""
        return tuple(sorted({gate.name for gate in self.gates}))

    def as_json(self) -> dict[str, object]:
        """The device in the documented format, without what is not known; `device_from_json` is the inverse."""
        return _known(
            {
                "name": self.name,
                "description": self.description or None,
                "dt_ns": self.dt_ns,
                "qubits": [_known({name: getattr(qubit, name) for name in _QUBIT_FIELDS}) for qubit in self.qubits],
                "gates": [
                    _known({"name": gate.name, "qubits": list(gate.qubits), **_properties(gate)}) for gate in self.gates
                ],
            }
        )

    @cached_property
    def text(self) -> str:
        """The device as canonical JSON: equal devices have equal text."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 digest of its canonical JSON, in hexadecimal."""
        return sha256(self.text.encode()).hexdigest()


_QUBIT_FIELDS = ("t1_us", "t2_us", "p01", "p10", "readout_ns")
_GATE_FIELDS = ("name", "qubits", "error", "duration_ns")
_DEVICE_FIELDS = ("name", "description", "dt_ns", "qubits", "gates")


def device_from_text(data: bytes, name: str | None = None) -> Device:
    """The device that JSON in UTF-8 describes, under its own name or `name`.

    Raises:
        DeviceInvalid: it is no JSON, or that of no device.
    """
    if len(data) > MAX_DEVICE_BYTES:
        raise DeviceInvalid((), f"must have at most {MAX_DEVICE_BYTES:,} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DeviceInvalid((), f"must be JSON: {error}") from error
    return device_from_json({**value, "name": name} if name is not None and isinstance(value, dict) else value)


def device_from_json(value: object) -> Device:
    """The device that decoded JSON describes.

    Raises:
        DeviceInvalid: it is none; `path` says where, and the message what it must be.
    """
    fields = known_fields(value, _DEVICE_FIELDS, ())
    qubits = tuple(
        _qubit(entry, ("qubits", place))
        for place, entry in enumerate(entries(fields.get("qubits"), ("qubits",), 1, MAX_DEVICE_QUBITS))
    )
    gates = [
        _gate(entry, ("gates", place), len(qubits))
        for place, entry in enumerate(entries(fields.get("gates", ()), ("gates",), 0, MAX_DEVICE_GATES))
    ]
    _require_distinct(gates)
    return Device(
        name=_name(fields.get("name")),
        description=_description(fields.get("description")),
        dt_ns=number(fields, "dt_ns", (), MAX_NS, positive=True),
        qubits=qubits,
        gates=tuple(sorted(gates, key=lambda gate: (gate.name, gate.qubits))),
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or not DEVICE_NAME.fullmatch(value):
        raise DeviceInvalid(("name",), _NAME_RULE)
    return value


def _description(value: object) -> str:
    return "" if value is None else text(value, ("description",), MAX_DEVICE_DESCRIPTION_CHARACTERS)


def _qubit(value: object, path: Path) -> DeviceQubit:
    fields = known_fields(value, _QUBIT_FIELDS, path)
    t1_us = number(fields, "t1_us", path, MAX_US, positive=True)
    t2_us = number(fields, "t2_us", path, MAX_US, positive=True)
    if t1_us is not None and t2_us is not None and t2_us > 2 * t1_us:
        raise DeviceInvalid((*path, "t2_us"), "must be at most twice t1_us: no channel has such times")
    return DeviceQubit(
        t1_us=t1_us,
        t2_us=t2_us,
        p01=number(fields, "p01", path, 1.0) or 0.0,
        p10=number(fields, "p10", path, 1.0) or 0.0,
        readout_ns=number(fields, "readout_ns", path, MAX_NS),
    )


def _gate(value: object, path: Path, num_qubits: int) -> DeviceGate:
    fields = known_fields(value, _GATE_FIELDS, path)
    name = fields.get("name")
    if not isinstance(name, str) or name not in DEVICE_OPERATIONS:
        elsewhere = _ELSEWHERE.get(name) if isinstance(name, str) else None
        raise DeviceInvalid((*path, "name"), elsewhere or f"must be one of {', '.join(DEVICE_OPERATIONS)}")
    return DeviceGate(
        name=name,
        qubits=_operands(fields.get("qubits"), (*path, "qubits"), DEVICE_OPERATIONS[name], num_qubits),
        error=number(fields, "error", path, 1.0),
        duration_ns=number(fields, "duration_ns", path, MAX_NS),
    )


def _operands(value: object, path: Path, size: int, num_qubits: int) -> tuple[int, ...]:
    found = tuple(
        integer(entry, (*path, place), num_qubits - 1) for place, entry in enumerate(entries(value, path, size, size))
    )
    if len(set(found)) != size:
        raise DeviceInvalid(path, "must be different qubits")
    return found


def _require_distinct(gates: list[DeviceGate]) -> None:
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for place, gate in enumerate(gates):
        key = gate.name, gate.qubits
        if key in seen:
            raise DeviceInvalid(("gates", place), f"repeats {gate.name} on the qubits {list(gate.qubits)}")
        seen.add(key)


def _properties(gate: DeviceGate) -> Mapping[str, object]:
    return {"error": gate.error, "duration_ns": gate.duration_ns}


def _known(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
