"""Requests run at once while there are few, and gather to batches while there are many."""

import asyncio
from collections.abc import Sequence

from ketline.db.engine.batcher import MANY, Batcher, Response

LONG_SECONDS = 3600.0


class Statements:
    """Runs batches and records them; each takes one turn of the event loop."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def run(self, requests: Sequence[int]) -> Sequence[Response]:
        self.batches.append(list(requests))
        await asyncio.sleep(0)
        return [Response(value=request) for request in requests]


async def test_request_runs_at_once_although_batches_gather_under_load() -> None:
    statements = Statements()
    batcher: Batcher[int, int] = Batcher(statements.run, most=32, gathering_seconds=LONG_SECONDS)
    for number in range(5):
        assert await batcher.submit(number) == number
    assert statements.batches == [[0], [1], [2], [3], [4]]


async def test_requests_after_a_batch_of_many_run_in_one_statement() -> None:
    statements = Statements()
    batcher: Batcher[int, int] = Batcher(statements.run, most=32, gathering_seconds=0.05)
    await asyncio.gather(*map(batcher.submit, range(MANY)))
    late = []
    for number in range(3):
        late.append(batcher.submit(MANY + number))
        await asyncio.sleep(0)
    assert await asyncio.gather(*late) == [MANY, MANY + 1, MANY + 2]
    assert statements.batches == [list(range(MANY)), [MANY, MANY + 1, MANY + 2]]


async def test_drain_waits_for_requests_that_gather() -> None:
    statements = Statements()
    batcher: Batcher[int, int] = Batcher(statements.run, most=32, gathering_seconds=0.01)
    await asyncio.gather(*map(batcher.submit, range(MANY)))
    late = batcher.submit(MANY)
    await batcher.drain()
    assert late.done()


async def test_full_batch_does_not_gather() -> None:
    statements = Statements()
    batcher: Batcher[int, int] = Batcher(statements.run, most=MANY, gathering_seconds=LONG_SECONDS)
    first = [batcher.submit(number) for number in range(2 * MANY)]
    async with asyncio.timeout(5):
        await asyncio.gather(*first)
    assert [len(batch) for batch in statements.batches] == [MANY, MANY]
