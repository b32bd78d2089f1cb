"""The event loop's end of a simulator's pipe: messages as `multiprocessing.connection` frames them.

Source of the frame: CPython's Lib/multiprocessing/connection.py, `Connection._send_bytes`: four bytes of length, most
significant first, and the message. Longer lengths, which it marks by -1, are refused.
"""

import asyncio
import socket
import struct
from typing import cast

# A message must be complete within this time of its first byte, in both directions.
TRANSFER_SECONDS = 10.0

_LENGTH = struct.Struct("!i")


class ChannelClosed(Exception):
    """The child closed the channel, stopped in the middle of a message, or sent one that is too long."""


class Channel(asyncio.Protocol):
    """Exchanges messages of at most `longest` bytes with a child, for one caller at a time."""

    def __init__(self, longest: int, transfer_seconds: float = TRANSFER_SECONDS) -> None:
        self._longest = longest
        self._transfer_seconds = transfer_seconds
        self._transport: asyncio.WriteTransport | None = None
        self._heard = bytearray()
        self._over = False
        self._coming: asyncio.Future[bytes | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, ours: socket.socket, longest: int, transfer_seconds: float = TRANSFER_SECONDS) -> "Channel":
        """Open a channel on a connected socket, and take ownership of the socket."""
        ours.setblocking(False)
        try:
            _, channel = await asyncio.get_running_loop().create_unix_connection(
                lambda: cls(longest, transfer_seconds), sock=ours
            )
        except BaseException:
            ours.close()
            raise
        return channel

    @property
    def silent(self) -> bool:
        """Whether the channel is open and holds no unread bytes."""
        return not self._over and not self._heard

    def send(self, message: bytes) -> None:
        """Send a message without waiting until the child reads it.

        Raises:
            ChannelClosed: the channel is closed.
        """
        if self._over or self._transport is None:
            raise ChannelClosed
        self._transport.write(_LENGTH.pack(len(message)) + message)

    async def receive(self, seconds: float) -> bytes | None:
        """Receive the next message; None if none begins within `seconds`.

        Raises:
            ChannelClosed: the channel is closed.
        """
        message = self._take()
        if message is not None:
            return message
        if self._over:
            raise ChannelClosed
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[bytes | None] = loop.create_future()
        self._coming = coming
        begun = bool(self._heard)
        self._timer = loop.call_later(self._transfer_seconds if begun else seconds, self._end_wait)
        try:
            return await coming
        finally:
            self._coming = None
            self._timer.cancel()

    def end(self) -> None:
        """Close the channel."""
        self._over = True
        self.resume_writing()
        if self._transport is not None:
            self._transport.abort()
        if self._coming is not None and not self._coming.done():
            self._coming.set_exception(ChannelClosed())

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.end()

    def eof_received(self) -> None:
        self.end()

    def pause_writing(self) -> None:
        self._sending = asyncio.get_running_loop().call_later(self._transfer_seconds, self.end)

    def resume_writing(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def data_received(self, data: bytes) -> None:
        begins = not self._heard
        self._heard += data
        coming = self._coming
        if coming is None or coming.done():
            # The next call of `receive` takes it; more than one message cannot be a response.
            if len(self._heard) > _LENGTH.size + self._longest:
                self.end()
            return
        message = self._take()
        if message is not None:
            coming.set_result(message)
        elif begins and self._timer is not None and not self._over:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._transfer_seconds, self._end_wait)

    def _take(self) -> bytes | None:
        """The first message if it is complete; a message that is too long closes the channel."""
        if len(self._heard) < _LENGTH.size:
            return None
        [length] = _LENGTH.unpack_from(self._heard)
        if not 0 <= length <= self._longest:
            self.end()
            return None
        end = _LENGTH.size + length
        if len(self._heard) < end:
            return None
        with memoryview(self._heard) as heard:
            message = bytes(heard[_LENGTH.size : end])
        del self._heard[:end]
        return message

    def _end_wait(self) -> None:
        if self._heard:
            self.end()
        elif self._coming is not None and not self._coming.done():
            self._coming.set_result(None)
