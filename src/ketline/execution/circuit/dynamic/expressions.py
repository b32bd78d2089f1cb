"""Evaluates Qiskit's classical expressions to terms, one for each bit of the value. Used by `values.py`.

Source: `qiskit.circuit.classical.expr`: unsigned integers wrap at the width of their type, shifts fill with zeros,
`logic_and` and `logic_or` evaluate their second operand only where it decides.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qiskit.circuit.classical import expr, types

from ketline.domain.errors import ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.dynamic import arithmetic
from ketline.execution.circuit.dynamic.arithmetic import Word, number_of, word_of
from ketline.execution.circuit.dynamic.constants import Number, constant
from ketline.execution.circuit.dynamic.terms import Logic, Term, bit_term

_Op = expr.Binary.Op
_OfWords = Callable[[Logic, Word, Word], Word]
DIVISION = "divides by 0"
INDEX = "uses an index beyond the end of its register"


class Evaluator:
    """Evaluates expressions; `bits_of` returns the bits of a variable.

    `forbid` is called with each condition under which a value is undefined, and the error then.
    """

    def __init__(
        self,
        logic: Logic,
        bits_of: Callable[[Any], Sequence[Any]],
        forbid: Callable[[Term, str], None],
        most_bits: int,
    ) -> None:
        self._logic = logic
        self._bits_of = bits_of
        self._forbid = forbid
        self._most_bits = most_bits

    def word(self, node: Any, where: Term = True) -> Word:
        """The bits of a value of type Bool or Uint, which is needed only if `where` holds.

        Raises:
            ProgramUnsupported: the value has another type, or cannot be computed on bits.
            ProgramTooLarge: the value is too wide.
        """
        match node:
            case expr.Value():
                return word_of(int(node.value), self._width(node.type))
            case expr.Var():
                self._width(node.type)
                return [bit_term(bit) for bit in self._bits_of(node)]
            case expr.Cast():
                return self._cast(node, where)
            case expr.Unary():
                return self._unary(node, where)
            case expr.Binary():
                return self._binary(node, where)
            case expr.Index():
                word = self.word(node.target, where)
                return [arithmetic.select(self._logic, word, self.index(node, len(word), where))]
        raise ProgramUnsupported(f"'{type(node).__name__}' in a classical expression is not supported")

    def bit(self, node: Any, where: Term = True) -> Term:
        """The value of an expression of type Bool."""
        (term,) = self.word(node, where)
        return term

    def index(self, node: Any, size: int, where: Term = True) -> Word:
        """The bits of an index into `size` bits; an index beyond their end is an error of the shot."""
        index = self.word(node.index, where)
        width = max(len(index), size.bit_length())
        padded = [*index, *word_of(0, width - len(index))]
        within = arithmetic.less(self._logic, padded, word_of(size, width))
        self._forbid(self._logic.both(where, self._logic.negated(within)), INDEX)
        return index

    def _width(self, kind: Any) -> int:
        if isinstance(kind, types.Bool):
            return 1
        if not isinstance(kind, types.Uint):
            raise ProgramUnsupported(f"values of type {kind} that are not constant are not supported")
        if kind.width > self._most_bits:
            raise ProgramTooLarge(f"the circuit has values of {kind.width} bits; the limit is {self._most_bits}")
        return int(kind.width)

    def _cast(self, node: Any, where: Term) -> Word:
        width = self._width(node.type)
        if isinstance(node.operand.type, (types.Float, types.Duration)):
            value = self._constant(node.operand)
            if isinstance(node.type, types.Bool):
                return [value != 0]
            if not 0 <= value < 1 << width:
                raise ProgramUnsupported(f"a number is cast to {node.type}, which cannot hold it")
            return word_of(int(value), width)
        word = self.word(node.operand, where)
        if isinstance(node.type, types.Bool):
            return [self._logic.any_of(word)]
        return [*word[:width], *word_of(0, max(0, width - len(word)))]

    def _unary(self, node: Any, where: Term) -> Word:
        word = self.word(node.operand, where)
        inverted = [self._logic.negated(bit) for bit in word]
        match node.op:
            case expr.Unary.Op.BIT_NOT:
                return inverted
            case expr.Unary.Op.LOGIC_NOT:
                return [self._logic.negated(self._logic.any_of(word))]
        raise ProgramUnsupported(f"'{node.op.name}' is not supported")

    def _binary(self, node: Any, where: Term) -> Word:
        if isinstance(node.left.type, (types.Float, types.Duration)):
            return [_compared(node.op, self._constant(node.left), self._constant(node.right))]
        left = self.word(node.left, where)
        match node.op:
            case _Op.LOGIC_AND | _Op.LOGIC_OR:
                return [self._short_circuit(node, self._logic.any_of(left), where)]
            case _Op.SHIFT_LEFT | _Op.SHIFT_RIGHT:
                distance = self.word(node.right, where)
                return arithmetic.shift(self._logic, left, distance, left=node.op is _Op.SHIFT_LEFT)
        return self._of_words(node.op, left, self.word(node.right, where), where)

    def _short_circuit(self, node: Any, left: Term, where: Term) -> Term:
        left = self._logic.as_bit(left)
        conjunction = node.op is _Op.LOGIC_AND
        decides = left if conjunction else self._logic.negated(left)
        right = self._logic.any_of(self.word(node.right, self._logic.both(where, decides)))
        return self._logic.both(left, right) if conjunction else self._logic.either(left, right)

    def _of_words(self, operator: Any, left: Word, right: Word, where: Term) -> Word:
        if len(left) != len(right):
            raise ProgramInvalid(f"'{operator.name}' has operands of {len(left)} and {len(right)} bits")
        if operator is _Op.DIV:
            self._forbid(self._logic.both(where, self._logic.negated(self._logic.any_of(right))), DIVISION)
        if operator not in _OF_WORDS:
            raise ProgramUnsupported(f"'{operator.name}' is not supported")
        return _OF_WORDS[operator](self._logic, left, right)

    def _constant(self, node: Any) -> Number:
        return constant(node, self._constant_integer)

    def _constant_integer(self, node: Any) -> int:
        number = number_of(self.word(node))
        if number is None:
            raise ProgramUnsupported(f"casts of values that are not constant to {types.Float()} are not supported")
        return number


# Operators on two words of one width.
_OF_WORDS: Mapping[Any, _OfWords] = {
    _Op.BIT_AND: lambda logic, left, right: list(map(logic.both, left, right)),
    _Op.BIT_OR: lambda logic, left, right: list(map(logic.either, left, right)),
    _Op.BIT_XOR: lambda logic, left, right: list(map(logic.differ, left, right)),
    _Op.ADD: lambda logic, left, right: arithmetic.add(logic, left, right)[0],
    _Op.SUB: lambda logic, left, right: arithmetic.subtract(logic, left, right)[0],
    _Op.MUL: arithmetic.multiply,
    _Op.DIV: arithmetic.divide,
    _Op.EQUAL: lambda logic, left, right: [arithmetic.equal(logic, left, right)],
    _Op.NOT_EQUAL: lambda logic, left, right: [logic.negated(arithmetic.equal(logic, left, right))],
    _Op.LESS: lambda logic, left, right: [arithmetic.less(logic, left, right)],
    _Op.LESS_EQUAL: lambda logic, left, right: [logic.negated(arithmetic.less(logic, right, left))],
    _Op.GREATER: lambda logic, left, right: [arithmetic.less(logic, right, left)],
    _Op.GREATER_EQUAL: lambda logic, left, right: [logic.negated(arithmetic.less(logic, left, right))],
}
_COMPARISONS: Mapping[Any, Callable[[Number, Number], bool]] = {
    _Op.EQUAL: lambda one, other: one == other,
    _Op.NOT_EQUAL: lambda one, other: one != other,
    _Op.LESS: lambda one, other: one < other,
    _Op.LESS_EQUAL: lambda one, other: one <= other,
    _Op.GREATER: lambda one, other: one > other,
    _Op.GREATER_EQUAL: lambda one, other: one >= other,
}


def _compared(operator: Any, one: Number, other: Number) -> bool:
    if operator not in _COMPARISONS:
        raise ProgramUnsupported(f"'{operator.name}' of floats is not supported here")
    return _COMPARISONS[operator](one, other)
