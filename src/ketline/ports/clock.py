"""Local time, for waits and displays; times on which processes must agree are the database's."""

from typing import Protocol


class Clock(Protocol):
    """The clock of this process."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...
