"""Messages through a pipe whose other end does as it likes."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import pytest

from ketline.execution.parent.channel import TRANSFER_SECONDS, Channel, ChannelClosed

LONGEST = 300_000


class Child:
    """The other end of a conversation."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.pipe = Connection(end.detach())

    def write(self, data: bytes) -> None:
        """Bytes as they are, without a frame."""
        with socket.fromfd(self.pipe.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.sendall(data)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Channel, Child]]:
    async with opened() as pair:
        yield pair


Pair = tuple[Channel, Child]


@asynccontextmanager
async def opened(transfer_seconds: float = TRANSFER_SECONDS) -> AsyncIterator[Pair]:
    """A conversation and its other end."""
    ours, theirs = socket.socketpair()
    channel, child = await Channel.open(ours, LONGEST, transfer_seconds), Child(theirs)
    yield channel, child
    channel.close()
    child.pipe.close()
    await asyncio.sleep(0)  # the transport closes its socket in the loop's next turn


async def until_heard(channel: Channel) -> None:
    async with asyncio.timeout(30):
        while channel.idle:  # noqa: ASYNC110 - what was written is on its way
            await asyncio.sleep(0.001)


def framed(message: bytes) -> bytes:
    return struct.pack("!i", len(message)) + message


@pytest.mark.parametrize("size", [0, 1, 5, 16384, LONGEST])
async def test_message_arrives_as_it_was_sent(pair: Pair, size: int) -> None:
    channel, child = pair
    sending = asyncio.create_task(asyncio.to_thread(child.pipe.send_bytes, b"a" * size))
    assert await channel.receive(30) == b"a" * size
    await sending
    assert channel.idle


@pytest.mark.parametrize("size", [1, 20000, 3_000_000])
async def test_child_hears_what_is_sent(pair: Pair, size: int) -> None:
    channel, child = pair
    channel.send(b"b" * size)
    assert await asyncio.to_thread(child.pipe.recv_bytes) == b"b" * size


async def test_message_may_come_in_pieces(pair: Pair) -> None:
    channel, child = pair
    receiving = asyncio.create_task(channel.receive(30))
    for piece in framed(b"abc"):
        child.write(bytes([piece]))
        await asyncio.sleep(0)
    assert await receiving == b"abc"


async def test_messages_that_come_together_are_two(pair: Pair) -> None:
    channel, child = pair
    child.write(framed(b"one") + framed(b"two"))
    assert await channel.receive(30) == b"one"
    assert not channel.idle
    assert await channel.receive(30) == b"two"
    assert channel.idle


async def test_no_message_in_time_is_none_and_the_next_is_heard(pair: Pair) -> None:
    channel, child = pair
    assert await channel.receive(0.001) is None
    child.write(framed(b"late"))
    assert await channel.receive(30) == b"late"


async def test_child_that_speaks_unasked_is_not_silent(pair: Pair) -> None:
    channel, child = pair
    child.write(b"\x00")
    await until_heard(channel)


async def test_end_of_the_pipe_ends_the_conversation(pair: Pair) -> None:
    channel, child = pair
    receiving = asyncio.create_task(channel.receive(30))
    await asyncio.sleep(0)
    child.pipe.close()
    with pytest.raises(ChannelClosed):
        await receiving
    assert not channel.idle
    with pytest.raises(ChannelClosed):
        await channel.receive(30)
    with pytest.raises(ChannelClosed):
        channel.send(b"anybody?")


async def test_last_message_before_the_end_is_heard(pair: Pair) -> None:
    channel, child = pair
    child.write(framed(b"farewell"))
    child.pipe.close()
    assert await channel.receive(30) == b"farewell"
    with pytest.raises(ChannelClosed):
        await channel.receive(30)


@pytest.mark.parametrize("length", [LONGEST + 1, 0x7FFFFFFF, -1, -2])
async def test_message_of_another_length_ends_the_conversation(pair: Pair, length: int) -> None:
    channel, child = pair
    child.write(struct.pack("!i", length) + b"x" * 100)
    with pytest.raises(ChannelClosed):
        await channel.receive(30)


async def test_message_that_stops_in_the_middle_ends_the_conversation() -> None:
    async with opened(transfer_seconds=0.05) as (channel, child), asyncio.timeout(30):
        receiving = asyncio.create_task(channel.receive(3600))
        await asyncio.sleep(0)
        child.write(framed(b"half a message")[:-5])
        with pytest.raises(ChannelClosed):
            await receiving


async def test_beginning_that_nobody_asked_for_must_go_on_too() -> None:
    async with opened(transfer_seconds=0.05) as (channel, child), asyncio.timeout(30):
        child.write(b"\x00\x00")
        await until_heard(channel)
        with pytest.raises(ChannelClosed):
            await channel.receive(3600)


async def test_flood_that_nobody_asked_for_is_cut_off(pair: Pair) -> None:
    channel, child = pair
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        await asyncio.to_thread(child.write, b"\x00\x00\x00\x01" * LONGEST)
    with pytest.raises(ChannelClosed):
        channel.send(b"?")


async def test_cancelled_wait_leaves_the_message_to_the_next(pair: Pair) -> None:
    channel, child = pair
    receiving = asyncio.create_task(channel.receive(30))
    await asyncio.sleep(0)
    receiving.cancel()
    await asyncio.wait([receiving])
    child.write(framed(b"still here"))
    assert await channel.receive(30) == b"still here"


async def test_ending_ends_a_wait(pair: Pair) -> None:
    channel, _ = pair
    receiving = asyncio.create_task(channel.receive(30))
    await asyncio.sleep(0)
    channel.close()
    with pytest.raises(ChannelClosed):
        await receiving


async def test_child_that_does_not_take_what_is_sent_is_given_up() -> None:
    async with opened(transfer_seconds=0.05) as (channel, _), asyncio.timeout(30):
        channel.send(b"b" * 3_000_000)
        with pytest.raises(ChannelClosed):
            await channel.receive(3600)


async def test_child_that_takes_its_time_is_not_given_up() -> None:
    async with opened(transfer_seconds=0.2) as (channel, child):
        channel.send(b"b" * 3_000_000)
        assert await asyncio.to_thread(child.pipe.recv_bytes) == b"b" * 3_000_000
        assert await channel.receive(0.4) is None
        assert channel.idle
