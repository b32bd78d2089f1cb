"""Boolean formulas over the bits of a flat program: `flatten` makes them, and each writer prints them in its format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qiskit.circuit import ClassicalRegister
from qiskit.circuit.classical import expr, types

from ketline.execution.frontend.unroller.values import Measured

Operator = Literal["&", "|", "^"]


class NoFormula(Exception):
    """A classical expression has more than bits and logical operators."""


@dataclass(frozen=True, slots=True)
class Bit:
    """The value of a bit, by its index in the program."""

    index: int


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a formula."""

    operand: "Formula"


@dataclass(frozen=True, slots=True)
class Binary:
    """AND, OR or exclusive OR of two formulas."""

    operator: Operator
    left: "Formula"
    right: "Formula"


@dataclass(frozen=True, slots=True)
class Equals:
    """Whether these bits, bit 0 first, represent a number, which is less than 2^len(bits)."""

    bits: tuple[int, ...]
    value: int

    def expanded(self) -> "Formula":
        """The same as a conjunction of bits."""
        terms = [Bit(bit) if self.value >> index & 1 else Not(Bit(bit)) for index, bit in enumerate(self.bits)]
        formula: Formula = terms[0]
        for term in terms[1:]:
            formula = Binary("&", formula, term)
        return formula


Formula = bool | Bit | Not | Binary | Equals

_OPERATORS: dict[Any, Operator] = {
    expr.Binary.Op.BIT_AND: "&",
    expr.Binary.Op.LOGIC_AND: "&",
    expr.Binary.Op.BIT_OR: "|",
    expr.Binary.Op.LOGIC_OR: "|",
    expr.Binary.Op.BIT_XOR: "^",
    expr.Binary.Op.NOT_EQUAL: "^",
}


def formula_of(node: Any, index_of: Callable[[Any], int]) -> Formula:
    """A condition or a value of type Bool of Qiskit as a formula; `index_of` numbers the bits.

    Raises:
        NoFormula: it has more than bits and logical operators.
    """
    if isinstance(node, tuple):
        target, value = node
        return _compared(target, value, index_of)
    if node.type != types.Bool():
        raise NoFormula
    match node:
        case expr.Value():
            return bool(node.value)
        case expr.Var() if not node.standalone:
            return Bit(index_of(node.var))
        case expr.Unary():
            return Not(formula_of(node.operand, index_of))
        case expr.Binary() if node.op in _OPERATORS:
            return Binary(_OPERATORS[node.op], formula_of(node.left, index_of), formula_of(node.right, index_of))
    raise NoFormula


def formula_of_value(value: Any) -> Formula:
    """A bit that the unroller computed, known or `Measured`, as a formula over the circuit's bits."""
    if not isinstance(value, Measured):
        return bool(value)
    return _of_table(value.atoms, tuple(map(bool, value.table)))


def bits_read(formula: Formula) -> Iterator[int]:
    """The bits that a formula reads, by index, with repeats."""
    match formula:
        case Bit(index):
            yield index
        case Not(operand):
            yield from bits_read(operand)
        case Binary(_, left, right):
            yield from bits_read(left)
            yield from bits_read(right)
        case Equals(bits, _):
            yield from bits


def _compared(target: Any, value: Any, index_of: Callable[[Any], int]) -> Formula:
    bits = tuple(map(index_of, target if isinstance(target, ClassicalRegister) else [target]))
    if not 0 <= int(value) < 1 << len(bits) or not bits:
        raise NoFormula
    if isinstance(target, ClassicalRegister):
        return Equals(bits, int(value))
    return Bit(bits[0]) if value else Not(Bit(bits[0]))


def _of_table(atoms: Sequence[int], table: Sequence[bool]) -> Formula:
    """Shannon's expansion by the last atom."""
    if all(table) or not any(table):
        return table[0]
    half = len(table) // 2
    low, high = table[:half], table[half:]
    if low == high:
        return _of_table(atoms[:-1], low)
    bit, rest = Bit(atoms[-1]), atoms[:-1]
    below, above = _of_table(rest, low), _of_table(rest, high)
    if isinstance(below, bool) and isinstance(above, bool):
        return bit if above else Not(bit)
    if all(one != other for one, other in zip(low, high, strict=True)):
        return Binary("^", bit, below)
    if isinstance(below, bool):
        return Binary("|", Not(bit), above) if below else Binary("&", bit, above)
    if isinstance(above, bool):
        return Binary("|", bit, below) if above else Binary("&", Not(bit), below)
    return Binary("|", Binary("&", bit, above), Binary("&", Not(bit), below))
