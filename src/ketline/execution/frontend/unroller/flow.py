"""Tracks the control flow of a program: which loops and calls `break`, `continue`, `return` and `end` have left.

`statements.py` calls it.

Each of these statements sets a flag, which is a variable like any other. Under a condition that depends on measurements
the flag depends on them too, and the following statements apply only to outcomes in which no flag is set.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.unroller.kinds import BOOL, Kind, Typed, zero
from ketline.execution.frontend.unroller.memory import Memory, Variable
from ketline.execution.frontend.unroller.values import lift


class Ended(BaseException):
    """Abandons a statement in which a subroutine ended the program; it is not an error, so no handler may catch it."""


def _flag() -> Variable:
    return Variable(BOOL, False)


@dataclass(slots=True, eq=False)
class Loop:
    """A running loop: flags for whether the loop, and its current iteration, have been left."""

    broken: Variable = field(default_factory=_flag)
    continued: Variable = field(default_factory=_flag)


@dataclass(slots=True, eq=False)
class Call:
    """A running subroutine, or the program itself: whether it has returned, and the returned value."""

    kind: Kind | None = None
    is_program: bool = False
    loops: list[Loop] = field(default_factory=list)
    returned: Variable = field(default_factory=_flag)
    result: Variable | None = None

    def __post_init__(self) -> None:
        if self.kind is not None:
            self.result = Variable(self.kind, zero(self.kind))


class Flow:
    """The running loops and calls, innermost last."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.ended = _flag()
        self._calls = [Call(is_program=True)]

    def active(self) -> Any:
        """Whether the next statement runs: true, false, or a value that depends on measurements."""
        call = self._calls[-1]
        flags = [self.ended.value, call.returned.value]
        if call.loops:
            flags += [call.loops[-1].broken.value, call.loops[-1].continued.value]
        return none_of(flags)

    @contextmanager
    def loop(self) -> Iterator[Loop]:
        loops = self._calls[-1].loops
        loops.append(Loop())
        try:
            yield loops[-1]
        finally:
            loops.pop()

    @contextmanager
    def call(self, kind: Kind | None) -> Iterator[Call]:
        self._calls.append(Call(kind))
        try:
            yield self._calls[-1]
        finally:
            self._calls.pop()

    def next_iteration(self) -> None:
        self._calls[-1].loops[-1].continued = _flag()

    def leave_loop(self, word: str) -> None:
        """`break` or `continue`."""
        loops = self._calls[-1].loops
        if not loops:
            raise ProgramInvalid(f"'{word}' stands outside of a loop")
        self._memory.write(loops[-1].broken if word == "break" else loops[-1].continued, True)

    @property
    def return_kind(self) -> Kind | None:
        """The return type of the current subroutine."""
        if self._calls[-1].is_program:
            raise ProgramInvalid("'return' stands outside of a subroutine")
        return self._calls[-1].kind

    def leave_call(self, value: Any) -> None:
        call = self._calls[-1]
        if call.result is not None:
            self._memory.write(call.result, value)
        self._memory.write(call.returned, True)

    def end(self) -> None:
        self._memory.write(self.ended, True)

    def returned(self, call: Call, name: str) -> Typed | None:
        """The value that a finished call has returned.

        Raises:
            Ended: the call ended the program.
            ProgramInvalid: it has not returned a value, but has a return type.
        """
        if call.result is not None and none_of([self.ended.value, call.returned.value]) is not False:
            raise ProgramInvalid(f"subroutine '{name}' ends without returning a value")
        if self.ended.value is True:
            raise Ended
        return None if call.result is None else Typed(call.result.kind, call.result.value)


def none_of(flags: list[Any]) -> Any:
    if not any(flag is not False for flag in flags):
        return True
    return lift(lambda *row: not any(row), *flags)
