"""Allocates the bits of a flat program to the bits of its registers, so that few assignments are left for its end.

The writers of OpenQASM and QPY call it; QIR needs no allocation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ketline.execution.conversion.formulas import Bit, Formula, bits_read
from ketline.execution.conversion.statements import (
    Assign,
    Branch,
    FlatProgram,
    Loop,
    Measure,
    Statement,
    blocks_of,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which bit of the output holds each bit of a program, and what has to be assigned at its end.

    The bits of all registers are numbered in the order of `FlatProgram.outputs`. `output_bits` maps bits of the program
    to the numbers of the registers' bits that hold them; bits that are in use one after the other share one. `scratch`
    numbers the other bits that the program uses, from 0. `final` has the registers' bits that must be assigned at the
    end, by number, with their values. `first_use` maps a bit to the index of the top-level statement that uses it
    first.
    """

    output_bits: Mapping[int, int]
    scratch: Mapping[int, int]
    final: Sequence[tuple[int, Formula]]
    first_use: Mapping[int, int]


@dataclass(slots=True)
class _Uses:
    """The first and the last top-level statement, by index, that use a bit; whether the first only measures into it."""

    first: int
    last: int
    begins_measured: bool = field(default=False)


def layout_of(program: FlatProgram) -> Layout:
    """Allocate the bits of a program."""
    output_bits: dict[int, int] = {}
    for number, value in enumerate(program.outputs):
        if isinstance(value, Bit):
            output_bits.setdefault(value.index, number)
    final = [
        (number, value)
        for number, value in enumerate(program.outputs)
        if value is not False and not (isinstance(value, Bit) and output_bits[value.index] == number)
    ]
    uses = _uses_of(program.statements)
    end = len(program.statements)
    for bit in {bit for _, value in final for bit in bits_read(value)}:
        uses.setdefault(bit, _Uses(end, end)).last = end
    output_bits |= _shared(uses, output_bits)
    scratch = sorted(uses.keys() - output_bits.keys())
    return Layout(
        output_bits,
        {bit: number for number, bit in enumerate(scratch)},
        final,
        {bit: one.first for bit, one in uses.items()},
    )


def _shared(uses: Mapping[int, _Uses], output_bits: Mapping[int, int]) -> dict[int, int]:
    """Allocate further bits to bits of registers that are free until their first statement measures into them."""
    waiting = [
        (one.first, output_bits[bit]) for bit, one in sorted(uses.items()) if bit in output_bits and one.begins_measured
    ]
    busy_until = dict.fromkeys((number for _, number in waiting), -1)
    shared: dict[int, int] = {}
    others = sorted((one.first, bit) for bit, one in uses.items() if bit not in output_bits and one.begins_measured)
    for first, bit in others:
        last = uses[bit].last
        number = next((number for needed, number in waiting if busy_until[number] < first and last < needed), None)
        if number is not None:
            shared[bit] = number
            busy_until[number] = last
    return shared


def _uses_of(statements: Sequence[Statement]) -> dict[int, _Uses]:
    uses: dict[int, _Uses] = {}
    for number, statement in enumerate(statements):
        for bit in _bits_of([statement]):
            found = uses.setdefault(bit, _Uses(number, number, isinstance(statement, Measure)))
            found.last = number
    return uses


def _bits_of(statements: Iterable[Statement]) -> Iterator[int]:
    """The bits that statements read or write, with repeats."""
    for statement in statements:
        match statement:
            case Measure(_, bit):
                yield bit
            case Assign(bit, value):
                yield bit
                yield from bits_read(value)
            case Branch(condition, _, _) | Loop(condition, _):
                yield from bits_read(condition)
        for block in blocks_of(statement):
            yield from _bits_of(block)
