"""Event loops of fixtures that outlive the loop of a test."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor


def await_apart(work: Coroutine[object, object, None]) -> None:
    """Await `work` on a loop in a thread of its own, as a session's fixture does that outlives each test's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
