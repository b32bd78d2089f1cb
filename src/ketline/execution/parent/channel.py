"""The event loop's end of the socket to a simulator process: messages framed as by `multiprocessing.connection`.

Source of the frame: CPython's Lib/multiprocessing/connection.py, `Connection._send_bytes`: the length in four bytes,
most significant first, and then the message. CPython writes -1 before a longer length; such messages are rejected.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

# A message must be complete within this time of its first byte, in both directions.
TRANSFER_SECONDS = 10.0

_LENGTH = struct.Struct("!i")


class ChannelClosed(Exception):
    """The child closed the channel, stopped in the middle of a message, or sent one that is too long."""


class Channel(asyncio.Protocol):
    """Exchanges messages of at most `longest` bytes with a child, for one caller at a time.

    `on_close` is called once, when the child or the caller closes the channel.
    """

    def __init__(self, longest: int, transfer_seconds: float = TRANSFER_SECONDS) -> None:
        self._longest = longest
        self._transfer_seconds = transfer_seconds
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._closed = False
        self.on_close: Callable[[], None] = lambda: None
        self._pending: asyncio.Future[bytes | None] | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

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
    def idle(self) -> bool:
        """Whether the channel is open and holds no unread bytes."""
        return not self._closed and not self._received

    def send(self, message: bytes) -> None:
        """Send a message without waiting until the child reads it.

        Raises:
            ChannelClosed: the channel is closed.
        """
        if self._closed or self._transport is None:
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
        if self._closed:
            raise ChannelClosed
        loop = asyncio.get_running_loop()
        pending: asyncio.Future[bytes | None] = loop.create_future()
        self._pending = pending
        begun = bool(self._received)
        self._read_timer = loop.call_later(self._transfer_seconds if begun else seconds, self._on_read_timeout)
        try:
            return await pending
        finally:
            self._pending = None
            self._read_timer.cancel()

    def close(self) -> None:
        """Close the channel."""
        if not self._closed:
            self._closed = True
            self.on_close()
        self.resume_writing()
        if self._transport is not None:
            self._transport.abort()
        if self._pending is not None and not self._pending.done():
            self._pending.set_exception(ChannelClosed())

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.close()

    def eof_received(self) -> None:
        self.close()

    def pause_writing(self) -> None:
        self._write_timer = asyncio.get_running_loop().call_later(self._transfer_seconds, self.close)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def data_received(self, data: bytes) -> None:
        begins = not self._received
        self._received += data
        pending = self._pending
        if pending is None or pending.done():
            # The next call of `receive` takes it. More than one message is invalid.
            if len(self._received) > _LENGTH.size + self._longest:
                self.close()
            return
        message = self._take()
        if message is not None:
            pending.set_result(message)
        elif begins and self._read_timer is not None and not self._closed:
            self._read_timer.cancel()
            self._read_timer = asyncio.get_running_loop().call_later(self._transfer_seconds, self._on_read_timeout)

    def _take(self) -> bytes | None:
        """Return the first message if it is complete; a message that is too long closes the channel."""
        if len(self._received) < _LENGTH.size:
            return None
        [length] = _LENGTH.unpack_from(self._received)
        if not 0 <= length <= self._longest:
            self.close()
            return None
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        with memoryview(self._received) as received:
            message = bytes(received[_LENGTH.size : end])
        del self._received[:end]
        return message

    def _on_read_timeout(self) -> None:
        if self._received:
            self.close()
        elif self._pending is not None and not self._pending.done():
            self._pending.set_result(None)
