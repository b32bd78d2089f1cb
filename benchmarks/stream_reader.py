"""A reader of many `/tasks/events` streams that costs little: `python -m benchmarks.stream_reader PORT STREAMS`.

It prints a line once all streams are open. For each line that it reads it prints what has arrived so far, as JSON.
The events of the first stream are counted; of the others the bytes are counted, and discarded by the kernel.
"""

import json
import select
import socket
import sys
from dataclasses import asdict

from benchmarks.figures import StreamTotals

REQUEST = b"GET /tasks/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
OPEN_SECONDS = 60.0
BUFFER_BYTES = 1 << 20
EVENT = b"\nevent: status\n"


class StreamReader:
    """Streams that are open, and what has arrived on them."""

    def __init__(self, port: int, streams: int) -> None:
        self._bytes = self._events = 0
        self._buffer = bytearray(BUFFER_BYTES)
        self._tail = b""
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(streams):
            stream = _open(port)
            self._sockets[stream.fileno()] = stream
            self._epoll.register(stream, select.EPOLLIN)
        self._counted = min(self._sockets)

    def run(self) -> None:
        """Read until standard input ends."""
        self._epoll.register(sys.stdin, select.EPOLLIN)
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor in self._sockets:
                    self._read(descriptor)
                elif sys.stdin.readline():
                    self._tell()
                else:
                    return

    def _read(self, descriptor: int) -> None:
        counted = descriptor == self._counted
        # Source: tcp(7): with MSG_TRUNC bytes are discarded, not copied.
        size = self._sockets[descriptor].recv_into(self._buffer, BUFFER_BYTES, 0 if counted else socket.MSG_TRUNC)
        self._bytes += size
        if not size:
            self._sockets.pop(descriptor).close()
        elif counted:
            part = self._tail + self._buffer[:size]
            self._events += part.count(EVENT)
            self._tail = part[-len(EVENT) + 1 :]

    def _tell(self) -> None:
        totals = StreamTotals(open=len(self._sockets), bytes=self._bytes, events=self._events)
        print(json.dumps(asdict(totals)), flush=True)


def _open(port: int) -> socket.socket:
    """A stream whose first bytes have arrived."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=OPEN_SECONDS)
    stream.sendall(REQUEST)
    if not (begin := stream.recv(1 << 16)).startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the stream was answered with {begin[:300]!r}")
    return stream


def main(port: int, streams: int) -> None:
    reader = StreamReader(port, streams)
    print("open", flush=True)
    reader.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
