"""Evaluates the conditions of a circuit and writes its assignments, for `rewrite.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import CASE_DEFAULT, ClassicalRegister
from qiskit.circuit.classical import expr

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.dynamic import arithmetic
from ketline.execution.circuit.dynamic.arithmetic import Word, word_of
from ketline.execution.circuit.dynamic.expressions import Evaluator
from ketline.execution.circuit.dynamic.terms import Formula, Logic, Term, bit_term
from ketline.execution.circuit.dynamic.writer import BitWriter, width_of


@dataclass(frozen=True, slots=True)
class Scope:
    """The bits of the outermost circuit that the bits of a block or an instruction stand for."""

    qubits: Mapping[Any, Any]
    clbits: Mapping[Any, Any]


class Values:
    """The values of expressions, written as formulas over the bits of the outermost circuit."""

    def __init__(self, writer: BitWriter, most_bits: int) -> None:
        self._writer = writer
        self._logic = writer.logic
        self._most_bits = most_bits

    def target(self, target: Any, scope: Scope) -> Word:
        """The bits of the target of a `switch`."""
        if isinstance(target, expr.Expr):
            return self._evaluator(scope).word(target)
        return [bit_term(bit) for bit in _bits_of(target, scope)]

    def condition(self, condition: Any, scope: Scope) -> Term:
        """The value of the condition of a branch or a loop."""
        if isinstance(condition, expr.Expr):
            return self._evaluator(scope).bit(condition)
        target, value = condition
        bits = _bits_of(target, scope)
        if not 0 <= int(value) < 1 << len(bits):
            raise ProgramUnsupported(f"a condition compares {len(bits)} bits with {int(value)}, which they cannot hold")
        return arithmetic.equal(self._logic, [bit_term(bit) for bit in bits], word_of(int(value), len(bits)))

    def assign(self, operation: Any, scope: Scope) -> None:
        """Write an assignment."""
        evaluator, target = self._evaluator(scope), operation.lvalue
        index: Word | None = None
        if isinstance(target, expr.Index):
            index = evaluator.index(target, width_of(target.target.type))
            target = target.target
        bits = self._bits_of_variable(target, scope)
        values = evaluator.word(operation.rvalue)
        if index is not None:
            (value,), index = self._unaliased(values, bits), self._unaliased(index, bits)
            chosen = [matches(self._logic, index, position) for position in range(len(bits))]
            values = [
                self._logic.chosen(condition, value, bit_term(bit)) for condition, bit in zip(chosen, bits, strict=True)
            ]
        if len(bits) > 1:
            values = self._unaliased(values, bits)
        for bit, term in zip(bits, values, strict=True):
            self._writer.store(bit, term)

    def _unaliased(self, values: Word, bits: Sequence[Any]) -> Word:
        """The values, copied where necessary so that they do not change while these bits are written."""
        written = set(bits)
        return [
            self._writer.copied(term) if isinstance(term, Formula) and not written.isdisjoint(term.reads) else term
            for term in values
        ]

    def _evaluator(self, scope: Scope) -> Evaluator:
        return Evaluator(
            self._logic, lambda node: self._bits_of_variable(node, scope), self._writer.forbid, self._most_bits
        )

    def _bits_of_variable(self, node: Any, scope: Scope) -> Sequence[Any]:
        if not isinstance(node, expr.Var):
            raise ProgramUnsupported(f"assignments to '{type(node).__name__}' are not supported")
        if not node.standalone:
            return _bits_of(node.var, scope)
        return self._writer.bits_of(node)


def matches(logic: Logic, word: Word, label: Any) -> Term:
    """Whether a word equals the number of a `case`."""
    if label is CASE_DEFAULT:
        return True
    if not 0 <= int(label) < 1 << len(word):
        return False
    return arithmetic.equal(logic, word, word_of(int(label), len(word)))


def _bits_of(target: Any, scope: Scope) -> Sequence[Any]:
    return [scope.clbits[bit] for bit in (target if isinstance(target, ClassicalRegister) else [target])]
