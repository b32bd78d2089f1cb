"""Say whether a distributed service's database and broker answer."""

import asyncio
import time

from ketline.config import Settings
from ketline.runtime import open_api

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.1


async def check_connections(settings: Settings) -> list[str]:
    """What does not answer within a few seconds; empty when all does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with open_api(settings) as services:
        # The broker is connected to in the background, so the first answer may come too early.
        while not (report := await services.health()).healthy and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_SECONDS)
    problems = {"The database": report.database_problem, "The broker": report.queue_problem}
    return [f"{name} cannot be used ({code})" for name, code in problems.items() if code is not None]
