"""Decodes and checks what a response says about a run: its profile, warnings, and messages with their places."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ketline.domain.devices.device_run import Placement
from ketline.domain.limits import MAX_DEVICE_QUBITS
from ketline.domain.results.result import (
    Profile,
    ProgramWarning,
    Register,
    WarningCode,
)

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# A message may quote a name from the program, and names can be as long as programs.
_MAX_MESSAGE_CHARACTERS = 500
_MAX_NAME_CHARACTERS = 255
_MAX_WARNINGS = 100
# The numbers of a profile that usage statements sum.
_MEASURES = ("parsing_seconds", "simulating_seconds", "processor_seconds", "memory_bytes")
_MAX_MEASURED = 2.0**53


def decode_profile(data: dict[str, Any]) -> Profile:
    registers = data["registers"]
    if registers is not None:
        registers = tuple(Register(bits=int(one["bits"]), name=_decode_register_name(one["name"])) for one in registers)
    measures = {name: _decode_measure(data[name]) for name in _MEASURES}
    known = {"registers": registers, "warnings": decode_warnings(data["warnings"])}
    return Profile(**data | measures | known | {"placement": decode_placement(data.get("placement"))})


def decode_placement(data: Mapping[str, Any] | None) -> Placement | None:
    if data is None:
        return None
    known: dict[str, Any] = {name: _decode_text(data[name]) for name in ("device", "digest")}
    known |= {name: _decode_layout(data[name]) for name in ("layout", "final_layout")}
    known |= {name: int(data[name]) for name in ("optimization_level", "depth", "two_qubit_gates")}
    return Placement(**known)


def _decode_text(value: object) -> str:
    return _UNPRINTABLE.sub("?", str(value))[:_MAX_NAME_CHARACTERS]


def _decode_layout(data: Sequence[Any]) -> Sequence[int]:
    if len(data) > MAX_DEVICE_QUBITS:
        raise ValueError(f"a layout of {len(data)} qubits")
    return [int(qubit) for qubit in data]


def _decode_measure(value: float | None) -> float | None:
    """Seconds or bytes that can be added to those of other tasks; None if they were not measured."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= _MAX_MEASURED:  # guard: wire.measures
        raise ValueError("not a number of seconds or bytes")
    return value


def decode_warnings(data: Sequence[Mapping[str, Any]]) -> tuple[ProgramWarning, ...]:
    if len(data) > _MAX_WARNINGS:
        raise ValueError(f"{len(data)} warnings")
    return tuple(
        ProgramWarning(code=WarningCode(one["code"]), message=decode_message(one), **decode_position(one))
        for one in data
    )


def decode_message(data: Mapping[str, Any]) -> str:
    return _UNPRINTABLE.sub("?", str(data["message"]))[:_MAX_MESSAGE_CHARACTERS]


def decode_position(data: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {name: None if data[name] is None else int(data[name]) for name in ("line", "column")}


def _decode_register_name(data: object) -> str | None:
    """A register's name, or None if no request can contain it or no database can store it: QPY allows any name."""
    name = None if data is None else str(data)
    return None if name is None or len(name) > _MAX_NAME_CHARACTERS or _UNPRINTABLE.search(name) else name
