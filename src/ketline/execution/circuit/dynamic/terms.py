"""Boolean formulas over classical bits, in the few operators that Aer evaluates correctly.

The other modules of this folder compute with them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit.classical import expr, types

_BOOL = types.Bool()
# Larger formulas are stored in a bit, because operands are written out wherever they are used.
_MAX_SIZE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A Boolean expression of Qiskit over bits; `size` counts its nodes, `reads` are the bits on which it depends."""

    node: Any
    size: int
    reads: frozenset[Any]

    @property
    def is_bit(self) -> bool:
        return isinstance(self.node, expr.Var)


Term = bool | Formula


def bit_term(clbit: Any) -> Formula:
    """The value of a classical bit."""
    return Formula(expr.Var(clbit, _BOOL), 1, frozenset([clbit]))


def node_of(term: Term) -> Any:
    """A term as an expression of Qiskit."""
    return term.node if isinstance(term, Formula) else expr.Value(term, _BOOL)


class Logic:
    """Combines terms and folds constants; `store` stores a formula in a bit and returns that bit's term."""

    def __init__(self, store: Callable[[Formula], Formula]) -> None:
        self._store = store

    def as_bit(self, term: Term) -> Term:
        """The term itself if it is constant or a bit; otherwise a new bit that holds it."""
        return self._store(term) if isinstance(term, Formula) and not term.is_bit else term

    def negated(self, term: Term) -> Term:
        if not isinstance(term, Formula):
            return not term
        if isinstance(term.node, expr.Unary):  # the only unary operation is negation
            return Formula(term.node.operand, term.size - 1, term.reads)
        return Formula(expr.Unary(expr.Unary.Op.BIT_NOT, term.node, _BOOL), term.size + 1, term.reads)

    def both(self, one: Term, other: Term) -> Term:
        if not isinstance(one, Formula):
            return other if one else False
        if not isinstance(other, Formula):
            return one if other else False
        return self._joined(expr.Binary.Op.BIT_AND, one, other)

    def either(self, one: Term, other: Term) -> Term:
        if not isinstance(one, Formula):
            return True if one else other
        if not isinstance(other, Formula):
            return True if other else one
        return self._joined(expr.Binary.Op.BIT_OR, one, other)

    def differ(self, one: Term, other: Term) -> Term:
        if not isinstance(one, Formula):
            return self.negated(other) if one else other
        if not isinstance(other, Formula):
            return self.negated(one) if other else one
        return self._joined(expr.Binary.Op.BIT_XOR, one, other)

    def chosen(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """`then` where the condition holds, `otherwise` elsewhere."""
        if then is otherwise:
            return then
        condition = self.as_bit(condition)
        return self.either(self.both(condition, then), self.both(self.negated(condition), otherwise))

    def all_of(self, terms: Iterable[Term]) -> Term:
        return self._balanced(self.both, list(terms), empty=True)

    def any_of(self, terms: Iterable[Term]) -> Term:
        return self._balanced(self.either, list(terms), empty=False)

    def _balanced(self, join: Callable[[Term, Term], Term], terms: Sequence[Term], *, empty: bool) -> Term:
        while len(terms) > 1:
            pairs = [join(one, other) for one, other in zip(terms[::2], terms[1::2], strict=False)]
            terms = [*pairs, terms[-1]] if len(terms) % 2 else pairs
        return terms[0] if terms else empty

    def _joined(self, operator: Any, one: Formula, other: Formula) -> Formula:
        if one.size + other.size >= _MAX_SIZE:
            one, other = (part if part.is_bit else self._store(part) for part in (one, other))
        node = expr.Binary(operator, one.node, other.node, _BOOL)
        return Formula(node, one.size + other.size + 1, one.reads | other.reads)
