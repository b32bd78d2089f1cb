"""The statements of flat programs: `flatten` makes them, and the writer of each format reads them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ketline.domain.results.result import Register
from ketline.execution.conversion.formulas import Formula
from ketline.execution.frontend.text import Position


@dataclass(frozen=True, slots=True)
class Apply:
    """A gate by its name in circuits, its angles in radians, and its qubits by index; `gate` is Qiskit's object."""

    name: str
    angles: tuple[float, ...]
    qubits: tuple[int, ...]
    gate: Any


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement of a qubit into a bit, both by index."""

    qubit: int
    bit: int


@dataclass(frozen=True, slots=True)
class Reset:
    qubit: int


@dataclass(frozen=True, slots=True)
class Barrier:
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """The assignment of a value to a bit."""

    bit: int
    value: Formula


@dataclass(frozen=True, slots=True)
class Branch:
    """Runs one of two blocks."""

    condition: Formula
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs the body while the condition holds, which is evaluated before each iteration."""

    condition: Formula
    body: "Block"


@dataclass(frozen=True, slots=True)
class Break:
    """Leaves the innermost loop."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Begins the next iteration of the innermost loop, if its condition holds."""


Statement = Apply | Measure | Reset | Barrier | Assign | Branch | Loop | Break | Continue
Block = tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatProgram:
    """A program without definitions, subroutines, and loops whose iterations are known.

    Qubits are numbered in the order of `qubit_registers`; those without a name were declared one by one. The program
    works on `bits` bits, all 0 at first. `outputs` gives the final value of each bit of `registers`, in their order,
    bit 0 of each first. `single_qubits` and `single_bits` have the names of those that were declared one by one, by
    their number among the qubits and among `outputs`, where they are known. `place` gives the line and column of a
    top-level statement, by its index, in the program's text.
    """

    qubit_registers: Sequence[Register]
    single_qubits: Mapping[int, str]
    registers: Sequence[Register]
    single_bits: Mapping[int, str]
    bits: int
    outputs: Sequence[Formula]
    statements: Block
    place: Callable[[int], Position | None]

    @property
    def qubits(self) -> int:
        return sum(register.bits for register in self.qubit_registers)


def blocks_of(statement: Statement) -> Sequence[Block]:
    """The blocks of a statement."""
    match statement:
        case Branch(_, then, otherwise):
            return then, otherwise
        case Loop(_, body):
            return (body,)
    return ()


def walk(block: Block) -> Iterator[Statement]:
    """All statements of a block, those inside of other statements included."""
    for statement in block:
        yield statement
        for inner in blocks_of(statement):
            yield from walk(inner)
