"""A stream that nobody reads, whose reader is gone, or whose disk is full: no write waits or fails."""

import os
import pty
import resource
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ketline.log_stream import LogStream

SECONDS = 10.0


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with suppress(OSError):
                os.close(end)


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Told:
    """Remembers what it is told of dropped lines."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []

    def __call__(self, lines: int, reason: str) -> None:
        self.calls.append((lines, reason))

    @property
    def lines(self) -> int:
        return sum(lines for lines, _ in self.calls)


def test_lines_arrive_whole_and_in_order_from_any_thread(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        stream = LogStream(file.fileno())

        def write(name: int) -> None:
            for number in range(500):
                stream.write(f"{name} {number} é\n")

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream.drain(SECONDS)
    lines = [line.split() for line in path.read_text().splitlines()]
    assert len(lines) == 2000
    for name in range(4):
        assert [int(number) for who, number, _ in lines if who == str(name)] == list(range(500))


def test_pipe_that_nobody_reads_holds_nobody_up_and_the_loss_is_told() -> None:
    told = Told()
    with pipe() as (reading, writing):
        stream = LogStream(writing, told, most_bytes=100_000)
        began = time.monotonic()
        for number in range(10_000):
            stream.write(f"{number:099d}\n")
        assert time.monotonic() - began < SECONDS / 2
        assert stream.dropped > 5000
        received = bytearray()
        # What fits, and no more: then somebody reads again. The stream tells of the loss after its last write, so
        # a read that simply blocked here could wait for bytes that never come.
        while not told.calls:
            if select.select([reading], [], [], 0.01)[0]:
                received += os.read(reading, 65536)
        dropped = told.lines
        stream.write("after\n")
        while not received.endswith(b"after\n"):
            received += os.read(reading, 65536)
    lines = received.decode().splitlines()
    assert told.calls[0][1] == "nobody reads"
    assert len(lines) - 1 + dropped == 10_000
    assert lines[:-1] == [f"{number:099d}" for number in range(len(lines) - 1)]


def test_end_of_the_process_waits_for_a_reader_that_does_not_read_for_a_moment_only() -> None:
    with pipe() as (_, writing):
        stream = LogStream(writing)
        stream.write("x" * 200_000 + "\n")
        began = time.monotonic()
        stream.drain(0.2)
        assert 0.15 < time.monotonic() - began < SECONDS / 2


def test_reader_that_is_gone() -> None:
    told = Told()
    with pipe() as (reading, writing):
        stream = LogStream(writing, told)
        os.close(reading)
        for _ in range(5):
            stream.write("lost\n")
        eventually(lambda: stream.dropped == 5)
        stream.write("lost too\n")
        stream.drain(SECONDS)
        assert stream.dropped == 6
    assert told.calls == [], "it has not come back"


def test_full_disk_that_has_room_again(tmp_path: Path) -> None:
    told = Told()
    path = tmp_path / "log"
    with path.open("wb") as file, open("/dev/full", "wb") as full:
        stream = LogStream(os.dup(full.fileno()), told)
        stream.write("lost 1\n")
        stream.write("lost 2\n")
        eventually(lambda: stream.dropped == 2)
        os.dup2(file.fileno(), stream.fileno())
        stream.write("kept\n")
        stream.drain(SECONDS)
        eventually(lambda: told.calls)
        os.close(stream.fileno())
    assert path.read_text() == "kept\n"
    assert told.calls == [(2, "ENOSPC")]


def test_line_that_was_cut_off_is_ended_before_the_next(tmp_path: Path) -> None:
    """As on a disk that had room for half of it."""
    path = tmp_path / "log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open("wb") as file:
        stream = LogStream(file.fileno())
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            stream.write("a" * 1500 + "\n")
            eventually(lambda: stream.dropped == 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        stream.write("next\n")
        stream.drain(SECONDS)
    assert path.read_text().splitlines() == ["a" * 1000, "next"]


def test_descriptor_that_another_process_made_non_blocking() -> None:
    with pipe() as (reading, writing):
        os.set_blocking(writing, False)
        stream = LogStream(writing)
        for number in range(3000):
            stream.write(f"{number:099d}\n")
        received = bytearray()
        while len(received) < 300_000:
            received += os.read(reading, 65536)
        assert stream.dropped == 0
    assert received.decode().splitlines() == [f"{number:099d}" for number in range(3000)]


def test_it_is_a_terminal_where_the_descriptor_is() -> None:
    leader, follower = pty.openpty()
    try:
        assert LogStream(follower).isatty()
    finally:
        os.close(leader)
        os.close(follower)
    with pipe() as (_, writing):
        assert not LogStream(writing).isatty()


@pytest.mark.parametrize("text", ["half a pair \ud800\n", "\x00\n"])
def test_odd_text_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        stream = LogStream(file.fileno())
        stream.write(text)
        stream.drain(SECONDS)
    assert path.read_bytes() == text.encode("utf-8", "backslashreplace")
