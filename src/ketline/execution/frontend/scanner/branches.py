"""Reads `if` and `else` in otherwise flat programs: which statements are in which block. Used by `statements.py`.

It reads conditions that compare a bit or a register with a number, or are a bit, and several of them joined by `&&` or
by `||`. Source: OpenQASM 3 specification, "Classical instructions", section "If-else statements"; "Types and casting".
"""

import re
from dataclasses import dataclass, field

from ketline.execution.frontend.scanner.constants import integer_of
from ketline.execution.frontend.scanner.layout import Block, Comparison, Condition, branch_step
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, Declined
from ketline.execution.frontend.scanner.registers import Registers

MAX_NESTED_BLOCKS = 16
# Qiskit's circuits of the blocks take some kilobytes each.
_MAX_BRANCHES = 10_000
# Qiskit's expressions nest as deep as they are long, and are walked by recursion.
_MAX_JOINED_BITS = 64

_HEAD = re.compile(
    rf"{BLANK}*+(?:(?P<close>\}})|(?P<else>else)\b{BLANK}*+(?P<otherwise>\{{)?+"
    rf"|if{BLANK}*+\((?P<condition>[^(){{}}]*+)\){BLANK}*+(?P<then>\{{)?+)"
)
_SIGN = re.compile(r"&&|\|\|")
_COMPARISON = re.compile(r"([^=!]*+)([=!]=)([^=!]*+)")
_STARTS_NUMBER = '0123456789"'
_BITSTRING = re.compile(r'"([01](?:_?[01])*+)"')
_TRUTH = {"true": 1, "false": 0}


@dataclass(slots=True)
class _Open:
    """A branch whose end is not read; `outer` is the block that it is in.

    `complete` if only an `else` can still belong to it; otherwise its last block continues, up to a brace if `braced`.
    """

    condition: Condition
    outer: Block
    braced: bool
    blocks: list[Block] = field(default_factory=lambda: [Block()])
    complete: bool = False


class Branches:
    """The branches of one program; `block` is the one to which the next statement belongs."""

    def __init__(self, registers: Registers) -> None:
        self.block = self.program = Block()
        self._left = _MAX_BRANCHES
        self._registers = registers
        self._open: list[_Open] = []

    @property
    def found(self) -> bool:
        return self._left < _MAX_BRANCHES

    @property
    def is_inside(self) -> bool:
        return bool(self._open)

    def enter(self, text: str) -> str:
        """Read what begins and ends blocks at the start of a text, and return the statement that follows.

        Raises:
            Declined: it is not valid, or has a condition that only other front ends read.
        """
        at = 0
        while head := _HEAD.match(text, at):
            at = head.end()
            if head["close"]:
                self._close()
            elif head["else"]:
                self._begin_otherwise(braced=head["otherwise"] is not None)
            else:
                self._begin(head["condition"], braced=head["then"] is not None)
        self._finish_complete()
        return text[at:]

    def leave(self) -> None:
        """The statement is read."""
        self.block.written = True
        if self._open and not self._open[-1].braced:
            self._open[-1].complete = True

    def end(self, text: str) -> None:
        """Read what ends blocks at the end of a program.

        Raises:
            Declined: a block has no end, or the text is more.
        """
        if self.enter(text).strip(BLANKS) or self._open:
            raise Declined

    def _begin(self, condition: str, *, braced: bool) -> None:
        self._finish_complete()
        self._left -= 1
        if len(self._open) == MAX_NESTED_BLOCKS or self._left < 0:
            raise Declined
        opened = _Open(_condition_of(condition, self._registers), self.block, braced)
        self._open.append(opened)
        self.block = opened.blocks[0]

    def _begin_otherwise(self, *, braced: bool) -> None:
        while self._open and self._open[-1].complete and len(self._open[-1].blocks) > 1:
            self._finish()
        if not self._open or not self._open[-1].complete:
            raise Declined
        branch = self._open[-1]
        branch.blocks.append(Block())
        branch.braced, branch.complete = braced, False
        self.block = branch.blocks[-1]

    def _close(self) -> None:
        self._finish_complete()
        if not self._open or not self._open[-1].braced:
            raise Declined
        self._open[-1].complete = True

    def _finish_complete(self) -> None:
        while self._open and self._open[-1].complete:
            self._finish()

    def _finish(self) -> None:
        """Write the innermost branch into the block that it is in."""
        branch = self._open.pop()
        then, *others = branch.blocks
        blocks = [then, *(other for other in others if other.written)]
        self.block = branch.outer
        self.block.steps.append(branch_step(branch.condition, blocks))
        self.leave()


def _condition_of(text: str, registers: Registers) -> Condition:
    signs = set(_SIGN.findall(text))
    if len(signs) > 1:
        raise Declined
    condition = Condition(tuple(_comparison_of(part, registers) for part in _SIGN.split(text)), is_any=signs == {"||"})
    if signs and len(condition.bits) > _MAX_JOINED_BITS:
        raise Declined
    return condition


def _comparison_of(text: str, registers: Registers) -> Comparison:
    compared = _COMPARISON.fullmatch(text)
    if compared is None:
        bit = text.strip(BLANKS)
        negated = bit[:1] in ("!", "~")
        return Comparison(_single(registers.compared(bit[negated:])), int(not negated))
    left, sign, right = compared.groups()
    if left.lstrip(BLANKS)[:1] in _STARTS_NUMBER or left.strip(BLANKS) in _TRUTH:
        left, right = right, left
    target, value = registers.compared(left), right.strip(BLANKS)
    if isinstance(target, tuple):
        if sign != "==":
            raise Declined
        return Comparison(target, _value_of_register(value, len(target)))
    return Comparison(target, _value_of_bit(value) ^ (sign == "!="))


def _single(target: int | tuple[int, ...]) -> int:
    if isinstance(target, tuple):
        raise Declined
    return target


def _value_of_bit(text: str) -> int:
    value = _TRUTH[text] if text in _TRUTH else integer_of(text)
    if value not in (0, 1):
        raise Declined
    return value


def _value_of_register(text: str, width: int) -> int:
    if bits := _BITSTRING.fullmatch(text):
        digits = bits[1].replace("_", "")
        if len(digits) != width:
            raise Declined
        return int(digits, 2)
    value = integer_of(text)
    if not 0 <= value < 1 << width:
        raise Declined
    return value
