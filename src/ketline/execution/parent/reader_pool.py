"""Shares a few readers of programs among calls, so that long programs do not delay short ones; the inspector's pool."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import InspectorBusy

R = TypeVar("R")
T = TypeVar("T")


@dataclass(slots=True)
class Checkout(Generic[R]):
    """A reader checked out for one call of a project; `long` if the call is known to take long."""

    reader: R
    long: bool
    project: ProjectName
    on_begin: Callable[[], None]
    task: "asyncio.Task[object] | None" = None
    began_at: float = inf
    preempted: bool = False

    def begin(self) -> None:
        """Record that the reader is ready and reads from now on."""
        self.began_at = _now()
        self.on_begin()


@dataclass(slots=True, order=True)
class _Waiter(Generic[R]):
    """A call without a reader. Calls of a project get readers in sorted order: long ones last, by length, by age."""

    long: bool
    length: int
    number: int
    project: ProjectName = field(compare=False)
    checkout: "asyncio.Future[Checkout[R]]" = field(compare=False)


class ReaderPool(Generic[R]):
    """Checks readers out to calls, the shortest program first.

    A call that has read for `quick_seconds` is a long one. Long calls may use all readers while no short call waits.
    When a short one waits, the newest of the long calls is stopped. It starts again once a reader is free for long
    calls, which may then occupy all readers but one. So a short program waits about `quick_seconds` at most for each
    other short one before it, whatever else is read. With one reader no call is ever stopped.

    Projects share the readers: a free reader goes to a call of the project that has the fewest readers, or that got its
    last one the longest time ago. If too many calls wait, one of the project with the most waiting calls is rejected.
    """

    def __init__(self, readers: Sequence[R], *, quick_seconds: float, max_waiting: int) -> None:
        self._size = len(readers)
        self._free = list(reversed(readers))  # the reader used last is used first: its child is warm
        self._quick_seconds = quick_seconds
        self._max_waiting = max_waiting
        self._running: list[Checkout[R]] = []
        self._waiting: list[_Waiter[R]] = []
        self._calls = 0
        self._checkouts = 0
        # The number of the last checkout of each project.
        self._turns: dict[ProjectName, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self, length: int, acquire_timeout: float, call: Callable[[Checkout[R]], Awaitable[T]], project: ProjectName
    ) -> T:
        """Run `call` with a reader; `length` is the length of its program in characters or bytes.

        `call` calls `begin` when its reader is ready. It may be cancelled and called again, with another reader.

        Raises:
            InspectorBusy: too many calls wait, or no reader was free for this one within `acquire_timeout` seconds.
        """
        deadline = _now() + acquire_timeout
        long = False
        while True:
            checkout = await self._checkout(length, project, deadline, long=long)
            task = asyncio.ensure_future(call(checkout))
            checkout.task = task
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
            finally:
                self._running.remove(checkout)
                self._give_back(checkout.reader)
            if not task.cancelled():
                return task.result()
            long = True

    def reserve(self, reader: R) -> bool:
        """Take a free reader out of the pool until it is released; return whether it was free."""
        if reader not in self._free:
            return False
        self._free.remove(reader)
        return True

    def release(self, reader: R) -> None:
        """Put a reserved reader back, behind those that are warm."""
        self._free.insert(0, reader)
        self._dispatch()

    async def _checkout(self, length: int, project: ProjectName, deadline: float, *, long: bool) -> Checkout[R]:
        if not long and not self._free and len(self._waiting) >= self._max_waiting:
            self._reject_one(project)
        self._calls += 1
        waiter = _Waiter(long, length, self._calls, project, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._dispatch()
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(waiter.checkout)
        except BaseException as error:
            self._withdraw(waiter)
            if isinstance(error, TimeoutError):
                raise InspectorBusy("Programs of others are being read; try again shortly.") from None
            raise

    def _reject_one(self, project: ProjectName) -> None:
        """Reject the newest call of the project with the most waiting calls; raise if `project` would be that one."""
        full = InspectorBusy(f"{len(self._waiting)} calls wait for their program to be read; try again shortly.")
        waiting = Counter(waiter.project for waiter in self._waiting)
        most, number = max(waiting.items(), key=lambda item: item[1], default=(project, 0))
        if number <= waiting[project] + 1:
            raise full
        newest = max((one for one in self._waiting if one.project == most), key=lambda waiter: waiter.number)
        self._waiting.remove(newest)
        newest.checkout.set_exception(full)

    def _withdraw(self, waiter: _Waiter[R]) -> None:
        if waiter.checkout.done() and waiter.checkout.exception() is not None:
            return  # it was rejected
        if waiter.checkout.done():  # it got a reader just when the call timed out
            checkout = waiter.checkout.result()
            self._running.remove(checkout)
            self._give_back(checkout.reader)
        else:
            self._waiting.remove(waiter)

    def _give_back(self, reader: R) -> None:
        self._free.append(reader)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._free and (waiter := self._next()):
            self._waiting.remove(waiter)
            checkout = Checkout(self._free.pop(), waiter.long, waiter.project, self._dispatch)
            self._running.append(checkout)
            self._checkouts += 1
            self._turns[waiter.project] = self._checkouts
            waiter.checkout.set_result(checkout)
        self._preempt()

    def _next(self) -> _Waiter[R] | None:
        takes_long = self._running_long() < max(1, self._size - 1)
        eligible = [waiter for waiter in self._waiting if takes_long or not waiter.long]
        running = Counter(checkout.project for checkout in self._running)

        def place(waiter: _Waiter[R]) -> tuple[int, int, _Waiter[R]]:
            return running[waiter.project], self._turns.get(waiter.project, 0), waiter

        return min(eligible, key=place, default=None)

    def _running_long(self) -> int:
        return sum(checkout.long or self._quick_until(checkout) <= _now() for checkout in self._running)

    def _quick_until(self, checkout: Checkout[R]) -> float:
        return checkout.began_at + self._quick_seconds

    def _preempt(self) -> None:
        """Stop the newest long call if a short one waits and only long ones run, or check again when all are long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._size == 1 or len(self._running) < self._size or all(waiter.long for waiter in self._waiting):
            return
        if any(checkout.preempted for checkout in self._running):
            return  # its reader is about to be free
        quick_until = max(self._quick_until(checkout) for checkout in self._running)
        if quick_until == inf:
            return  # a reader is not ready yet; its `begin` calls this again
        if quick_until > _now():
            self._timer = asyncio.get_running_loop().call_at(quick_until, self._dispatch)
            return
        newest = max(self._running, key=lambda checkout: checkout.began_at)
        if newest.task is not None:
            newest.preempted = True
            newest.task.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
