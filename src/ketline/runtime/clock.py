"""The system's clock, behind the port `Clock`."""

import asyncio
import time


class SystemClock:
    """The `Clock` of a real process."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
