"""Converts dataclasses to the dictionaries that messages contain."""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, not copied: `asdict` would copy each key of the counts, which takes longer."""
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _field_names(kind)}


@cache
def _field_names(kind: Any) -> Sequence[str]:
    return [entry.name for entry in fields(kind)]
