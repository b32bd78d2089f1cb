"""One way into the service: a piece of work as a call to Ketline, and as a call to what a user would take instead."""

from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """`ketline` and `other` do the same `work`, `calls` times in a round; a round's time is divided by that."""

    name: str
    work: str
    alternative: str
    ketline: Call
    other: Call
    calls: int = 1
