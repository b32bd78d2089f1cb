"""No call of an adapter blocks the event loop: a blocked worker loses its leases."""

import asyncio
import time

from ketline.testing.backends.programs import BELL
from ketline.testing.backends.subject import Session, Subject

_TICK_SECONDS = 0.01
# A busy machine delays the loop as well, so the test fails only if every run is slow.
_MAX_SECONDS = 0.5
_RUNS = 3


def test_no_call_blocks_the_event_loop(subject: Subject) -> None:
    longest: list[float] = []

    async def test(session: Session) -> None:
        ticking = asyncio.create_task(_longest_gap())
        await asyncio.sleep(_TICK_SECONDS)
        job = await session.job(BELL)
        await session.retried(lambda: session.adapter.validate(job))
        await session.counts(job)
        ticking.cancel()
        longest.append(await ticking)

    for _ in range(_RUNS):
        subject.run(test)
        if longest[-1] <= _MAX_SECONDS:
            return
    raise AssertionError(f"the event loop was blocked for {min(longest):.1f} s: use a thread or a process")


async def _longest_gap() -> float:
    """The longest time between two turns of the loop, in seconds, until this task is cancelled."""
    longest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return max(longest, time.monotonic() - last)
