"""Which call gets a reader when: the shortest first, and long ones never all readers while others wait."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import InspectorBusy
from ketline.execution.parent.reader_pool import Checkout, ReaderPool

QUICK_SECONDS = 0.05
SHORT, LONG = 10, 10_000
OTHER = ProjectName("other")


class Calls:
    """Calls of a pool that end when the test says so, and the order in which they began."""

    def __init__(self, readers: int = 2, max_waiting: int = 8) -> None:
        names = [f"reader {number}" for number in range(readers)]
        self.pool = ReaderPool(names, quick_seconds=QUICK_SECONDS, max_waiting=max_waiting)
        self.began: list[str] = []
        self.stopped: list[str] = []
        self.unready: set[str] = set()
        self.changed = asyncio.Condition()
        self._ends: dict[str, asyncio.Event] = {}

    def start(
        self, name: str, length: int = SHORT, acquire_timeout: float = 30, project: ProjectName = DEFAULT_PROJECT
    ) -> "asyncio.Task[str]":
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self.pool.run(length, acquire_timeout, self._call(name), project))

    def end(self, name: str) -> None:
        self._ends[name].set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    async def until_began(self, *names: str) -> None:
        await self.until(lambda: tuple(self.began[-len(names) :]) == names)

    def _call(self, name: str) -> Callable[[Checkout[str]], Awaitable[str]]:
        async def call(checkout: Checkout[str]) -> str:
            if name not in self.unready:
                checkout.begin()
            await self._note(self.began, name)
            try:
                await self._ends[name].wait()
            except asyncio.CancelledError:
                await self._note(self.stopped, name)
                raise
            return f"{name} by {checkout.reader}"

        return call

    async def _note(self, what: list[str], name: str) -> None:
        async with self.changed:
            what.append(name)
            self.changed.notify_all()


async def ended(calls: Calls, *tasks: "asyncio.Task[str]") -> None:
    for name in calls._ends:
        calls.end(name)
    await asyncio.gather(*tasks)


async def test_reader_that_was_used_last_is_used_next() -> None:
    calls = Calls()
    for _ in range(2):
        call = calls.start("a")
        calls.end("a")
        assert await call == "a by reader 0"


async def test_shortest_program_goes_first() -> None:
    calls = Calls(readers=1)
    tasks = [calls.start("running")]
    await calls.until_began("running")
    tasks += [calls.start("big", 300), calls.start("small", 100), calls.start("middle", 200)]
    await asyncio.sleep(0)
    await ended(calls, *tasks)
    assert calls.began == ["running", "small", "middle", "big"]


async def test_project_with_fewer_readers_goes_first() -> None:
    calls = Calls()
    tasks = [calls.start("a"), calls.start("b")]
    await calls.until_began("a", "b")
    tasks += [calls.start(f"flood {number}") for number in range(5)]
    tasks += [calls.start("other", LONG, project=OTHER), calls.start("others", LONG, project=OTHER)]
    await asyncio.sleep(0)
    calls.end("a")
    await calls.until_began("other")
    calls.end("b")
    await calls.until_began("flood 0")
    await ended(calls, *tasks)


async def test_flood_of_one_project_does_not_reject_calls_of_another() -> None:
    calls = Calls(readers=1, max_waiting=4)
    tasks = [calls.start("running")]
    await calls.until_began("running")
    tasks += [calls.start(f"flood {number}") for number in range(4)]
    await asyncio.sleep(0)
    others = [calls.start(f"other {number}", project=OTHER) for number in range(3)]
    for rejected in (tasks.pop(), tasks.pop(), others.pop()):
        with pytest.raises(InspectorBusy):
            await rejected
    with pytest.raises(InspectorBusy):
        await calls.start("one more")
    await ended(calls, *tasks, *others)
    assert calls.began == ["running", "other 0", "flood 0", "other 1", "flood 1"]


async def test_newest_long_call_makes_room_for_a_short_one_and_is_called_again() -> None:
    calls = Calls()
    tasks = [calls.start("old", LONG)]
    await calls.until_began("old")
    tasks += [calls.start("new", LONG)]
    await calls.until_began("old", "new")
    tasks += [calls.start("short")]
    await calls.until_began("short")
    assert calls.stopped == ["new"]
    calls.end("short")
    assert (await tasks[2]).startswith("short")
    assert calls.began == ["old", "new", "short"]  # one long call at a time from here on
    calls.end("old")
    await calls.until_began("new")
    calls.end("new")
    assert [(await task).split()[0] for task in tasks[:2]] == ["old", "new"]


async def test_long_calls_have_all_readers_while_nobody_waits() -> None:
    calls = Calls()
    tasks = [calls.start("a", LONG), calls.start("b", LONG)]
    await calls.until_began("a", "b")
    await asyncio.sleep(3 * QUICK_SECONDS)  # nothing is to happen in it
    assert calls.stopped == []
    await ended(calls, *tasks)


async def test_call_whose_reader_is_not_ready_is_no_long_one() -> None:
    calls = Calls()
    calls.unready.add("b")
    tasks = [calls.start("a", LONG), calls.start("b", LONG)]
    await calls.until_began("a", "b")
    with pytest.raises(InspectorBusy, match="Programs of others"):
        await calls.start("short", acquire_timeout=4 * QUICK_SECONDS)
    assert calls.stopped == []
    await ended(calls, *tasks)


async def test_the_only_reader_is_never_taken_away() -> None:
    calls = Calls(readers=1)
    task = calls.start("long", LONG)
    await calls.until_began("long")
    with pytest.raises(InspectorBusy, match="Programs of others"):
        await calls.start("short", acquire_timeout=4 * QUICK_SECONDS)
    assert calls.stopped == []
    await ended(calls, task)


async def test_only_so_many_wait() -> None:
    calls = Calls(readers=1, max_waiting=1)
    tasks = [calls.start("a")]
    await calls.until_began("a")
    tasks += [calls.start("b")]
    await asyncio.sleep(0)
    with pytest.raises(InspectorBusy, match="1 calls wait"):
        await calls.start("c")
    await ended(calls, *tasks)


async def test_cancelled_calls_give_their_readers_back() -> None:
    calls = Calls(readers=1)
    running, waiting = calls.start("running"), calls.start("waiting")
    await calls.until_began("running")
    waiting.cancel()
    running.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert calls.stopped == ["running"]
    last = calls.start("last")
    await calls.until_began("last")
    await ended(calls, last)


async def test_error_of_a_call_reaches_its_caller_and_frees_the_reader() -> None:
    calls = Calls(readers=1)

    async def fail(_: Checkout[str]) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await calls.pool.run(SHORT, 1, fail, DEFAULT_PROJECT)
    last = calls.start("last")
    await calls.until_began("last")
    await ended(calls, last)


async def test_reserved_reader_is_given_to_nobody() -> None:
    calls = Calls(readers=1)
    assert calls.pool.reserve("reader 0")
    assert not calls.pool.reserve("reader 0")
    task = calls.start("a")
    await asyncio.sleep(0)
    assert calls.began == []
    calls.pool.release("reader 0")
    await calls.until_began("a")
    await ended(calls, task)
