"""The values of one circuit, of a task of its own or at a point of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What the service gave for one circuit."""

    counts: Mapping[str, int] = field(default_factory=dict)
    expectation_values: Sequence[float] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)


def points_of(result: Any, members: int) -> list[Point]:
    """The points of a task's result, which ran so many circuits."""
    values = result.expectation_values or ()
    if members == 1:
        values = [values]
    return [
        Point(
            counts=result.points[number] if result.points else {},
            expectation_values=values[number] if values else (),
            outputs=result.saved[number] if result.saved else {},
        )
        for number in range(members)
    ]
