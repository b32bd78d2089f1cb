"""Checks the values of a device's JSON, each with its place; `domain/devices/device.py` reads devices with it."""

from collections.abc import Mapping, Sequence
from math import isfinite

from ketline.domain.errors import DeviceInvalid

Path = tuple[str | int, ...]

# A day, in each unit, as for the noise of a task.
MAX_US, MAX_NS = 86_400e6, 86_400e9
# Shorter times than this are mistakes of the unit, and their rates have no room in floating-point numbers.
MIN_TIME = 1e-6


def known_fields(value: object, names: Sequence[str], path: Path) -> Mapping[str, object]:
    """A JSON object that has no other fields than these.

    Raises:
        DeviceInvalid: it is no object, or has others.
    """
    if not isinstance(value, Mapping):
        raise DeviceInvalid(path, "must be a JSON object")
    for name in value:
        if name not in names:
            raise DeviceInvalid((*path, name), f"is not a known field: there are {', '.join(names)}")
    return value


def entries(value: object, path: Path, least: int, most: int) -> Sequence[object]:
    """A list with a number of entries within bounds.

    Raises:
        DeviceInvalid: it is no list, or of another length.
    """
    if not isinstance(value, (list, tuple)):
        raise DeviceInvalid(path, "must be a list")
    if not least <= len(value) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise DeviceInvalid(path, f"must be a list of length {wanted}")
    return value


def number(fields: Mapping[str, object], name: str, path: Path, most: float, *, positive: bool = False) -> float | None:
    """A number from 0, or from the least time if it is `positive`; None if it is left out.

    Raises:
        DeviceInvalid: it is no such number.
    """
    value = fields.get(name)
    if value is None:
        return None
    found = _finite(value)
    least = MIN_TIME if positive else 0.0
    if found is None or not least <= found <= most:
        raise DeviceInvalid((*path, name), f"must be a number from {least:g} to {most:g}")
    # Without the sign of a zero, so that equal devices have equal digests.
    return found + 0.0


def integer(value: object, path: Path, most: int) -> int:
    """An integer from 0.

    Raises:
        DeviceInvalid: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise DeviceInvalid(path, f"must be an integer from 0 to {most}, the number of a qubit of the device")
    return value


def text(value: object, path: Path, most: int) -> str:
    """Printable text.

    Raises:
        DeviceInvalid: it is no text, too long, or has characters that are not printable.
    """
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise DeviceInvalid(path, f"must be a text of at most {most} printable characters, without line breaks")
    return value


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None
