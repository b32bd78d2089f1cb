"""Large bodies are packed once for all that send them, and unpacked as they are sent."""

import asyncio
import gc
import gzip
from collections.abc import Awaitable, Callable
from hashlib import sha256

import pytest

from ketline.api.responses.compression import PIECE_BYTES, LargeResults, Packed, pack

BODY = b"".join(b"%d," % number for number in range(100_000))


class Maker:
    """Makes a body when it is permitted, and counts how often."""

    def __init__(self, body: bytes) -> None:
        self.made = 0
        self.permitted = asyncio.Event()
        self._body = body

    async def __call__(self) -> Packed:
        self.made += 1
        await self.permitted.wait()
        return pack([self._body])


def permitted(body: bytes) -> Maker:
    maker = Maker(body)
    maker.permitted.set()
    return maker


def test_body_is_unpacked_as_it_was() -> None:
    packed = pack([BODY[:7].decode(), BODY[7:]], {"X-Outcomes": "3"})
    assert b"".join(packed.pieces()) == BODY
    assert gzip.decompress(b"".join(packed.compressed_pieces())) == BODY
    assert (packed.length, packed.digest) == (len(BODY), sha256(BODY).hexdigest())
    assert packed.headers == {"X-Outcomes": "3"}


@pytest.mark.parametrize(
    "part",
    [
        range(1),
        range(5, 10),
        range(PIECE_BYTES - 1, PIECE_BYTES + 1),
        range(PIECE_BYTES, 3 * PIECE_BYTES),
        range(len(BODY) - 3, len(BODY)),
        range(len(BODY)),
    ],
)
def test_part_of_a_packed_body(part: range) -> None:
    assert b"".join(pack([BODY]).part(part)) == BODY[part.start : part.stop]


async def test_requests_in_any_order_share_the_bodies_they_wait_for() -> None:
    results, makers = LargeResults(), {"json": Maker(b"{}"), "csv": Maker(b"outcome")}
    keys = ["json", "csv"] * 5
    waiting = [asyncio.create_task(results.packed(key, makers[key])) for key in keys]
    for maker in makers.values():
        maker.permitted.set()
    bodies = await asyncio.gather(*waiting)
    assert {key: maker.made for key, maker in makers.items()} == {"json": 1, "csv": 1}
    assert len({id(body) for body in bodies}) == 2


async def test_body_that_is_still_sent_is_shared() -> None:
    results, maker = LargeResults(), permitted(BODY)
    sending = (await results.packed("json", maker)).pieces()
    next(sending)
    await results.packed("csv", permitted(b"outcome"))
    assert b"".join((await results.packed("json", maker)).pieces()) == BODY
    assert maker.made == 1


async def test_body_without_requests_stays_only_while_it_is_the_newest() -> None:
    results, maker = LargeResults(), permitted(BODY)
    await results.packed("json", maker)
    await results.packed("json", maker)
    assert maker.made == 1
    await results.packed("csv", permitted(b"outcome"))
    gc.collect()
    await results.packed("json", maker)
    assert maker.made == 2


async def test_failure_to_make_a_body_is_not_shared() -> None:
    results = LargeResults()

    async def fail() -> Packed:
        raise LookupError("no such task")

    makers: list[Callable[[], Awaitable[Packed]]] = [fail, permitted(BODY)]
    failed, body = await asyncio.gather(*(results.packed("json", make) for make in makers), return_exceptions=True)
    assert isinstance(failed, LookupError)
    assert isinstance(body, Packed)
