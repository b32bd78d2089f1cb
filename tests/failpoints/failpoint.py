"""What a process does to itself when it reaches an armed failpoint."""

import asyncio
import os
import signal
from dataclasses import dataclass

from ketline.domain.errors import DatabaseUnavailable, KetlineError
from tests.failpoints.control import Control, Fault


@dataclass(frozen=True, slots=True)
class Failpoints:
    """The points of one process."""

    control: Control
    role: str

    def armed(self, point: str) -> bool:
        return self.control.armed(point, self.role) is not None

    async def reach(self, point: str, unavailable: type[KetlineError] = DatabaseUnavailable) -> None:
        """Go on, unless the point is armed."""
        fault = self.control.claim(point, self.role)
        match fault:
            case None:
                return
            case Fault.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.UNAVAILABLE:
                raise unavailable(f"failpoint {point}")
            case Fault.ERROR:
                raise RuntimeError(f"failpoint {point}")
            case _:
                await asyncio.get_running_loop().create_future()
