"""The elements of registers by name and by number. Used by the writers of all formats but QIR."""

from collections.abc import Iterator, Sequence

from ketline.domain.results.result import Register


def elements(registers: Sequence[Register], names: Sequence[str]) -> Iterator[str]:
    """The names of all elements of registers, in order, as OpenQASM writes them."""
    for register, name in zip(registers, names, strict=True):
        yield from (f"{name}[{index}]" for index in range(register.bits))


def spans(registers: Sequence[Register]) -> Iterator[tuple[int, ...]]:
    """For each register, the numbers of its bits, counted through all registers."""
    start = 0
    for register in registers:
        yield tuple(range(start, start + register.bits))
        start += register.bits
