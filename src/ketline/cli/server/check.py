"""The connection check of `ketline check`: whether the database and the broker of a distributed service respond."""

import asyncio
import time

from ketline.config import Settings
from ketline.runtime.api import open_api

TIMEOUT_SECONDS = 5.0
PAUSE_SECONDS = 0.1


async def check_connections(settings: Settings) -> list[str]:
    """Return a sentence for each part that does not respond within the timeout; an empty list if all respond."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    async with open_api(settings) as services:
        # The connection to the broker opens in the background, so the first health check may come too early.
        while not (report := await services.operations.health()).healthy and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_SECONDS)
    problems = {"The database": report.database_problem, "The broker": report.queue_problem}
    return [f"{name} cannot be used ({code})" for name, code in problems.items() if code is not None]
