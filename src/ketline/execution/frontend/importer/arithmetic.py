"""Evaluates expressions for the importer, with integers as in the specification.

`convert.py` and `resolve.py` call it.

The importer of Qiskit rounds quotients down, has no range of integers, and treats variables of circuit loops as real
numbers. The unroller's operators compute integers instead, so that the values in a program do not depend on the front
end that reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openqasm3 import ast
from qiskit_qasm3_import import types
from qiskit_qasm3_import.expression import ValueResolver

from ketline.execution.frontend.diagnosis import unsupported
from ketline.execution.frontend.importer.loop_integers import LoopInteger, combinations, polynomial
from ketline.execution.frontend.ranges import positions
from ketline.execution.frontend.unroller import operators
from ketline.execution.frontend.unroller.budget import error_location
from ketline.execution.frontend.unroller.kinds import Kind, Typed, check_range

_REAL: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}
_ARITHMETIC = (*_REAL, "/")


class Resolved(ast.Expression):  # type: ignore[misc]
    """An expression whose value and type are already known."""

    def __init__(self, node: Any, value: Any, kind: Any) -> None:
        super().__init__()
        self.span = node.span
        self.value = value
        self.kind = kind


class GuardedResolver(ValueResolver):  # type: ignore[misc]
    """The importer's resolver, with integers and ranges as the specification has them.

    `charge` is called with the number of values computed for integers that depend on variables of loops.
    """

    def __init__(self, context: Any, strict: bool, charge: Callable[[int, Any], None]) -> None:
        super().__init__(context, strict)
        self._charge = charge

    def visit_Resolved(self, node: Resolved) -> Any:  # noqa: N802
        return node.value, node.kind

    def visit_UnaryExpression(self, node: Any) -> Any:  # noqa: N802
        value, kind = self.visit(node.expression)
        if node.op.name == "-" and is_integer(kind) and not isinstance(node.expression, ast.BitstringLiteral):
            return self._integer(node, operators.negate, [value], [kind], lambda one: -one)
        return super().visit_UnaryExpression(ast.UnaryExpression(node.op, Resolved(node.expression, value, kind)))

    def visit_BinaryExpression(self, node: Any) -> Any:  # noqa: N802
        sign = node.op.name
        if sign not in _ARITHMETIC:
            raise unsupported(node, f"unsupported binary operation '{sign}'")
        sides = [node.lhs, node.rhs]
        if any(isinstance(side, ast.BitstringLiteral) for side in sides):
            raise unsupported(node, f"'{sign}' needs numbers: cast the bits first")
        values, kinds = zip(*map(self.visit, sides), strict=True)
        if all(map(is_integer, kinds)):

            def function(left: Typed, right: Typed) -> Typed:
                return operators.binary(sign, left, right)

            return self._integer(node, function, values, kinds, _REAL.get(sign))
        with error_location(node):
            left, right = (
                Resolved(side, real(value), kind) for side, value, kind in zip(sides, values, kinds, strict=True)
            )
            rewritten = ast.BinaryExpression(node.op, left, right)
            rewritten.span = node.span
            return super().visit_BinaryExpression(rewritten)

    def _integer(
        self,
        node: Any,
        function: Callable[..., Typed],
        values: Sequence[Any],
        kinds: Sequence[Any],
        real_function: Callable[..., Any] | None,
    ) -> Any:
        """The result of an operator on integers, by the rules of the unroller."""
        ours = [_kind(one) for one in kinds]
        with error_location(node):
            variables, rows = combinations(values)
            results = [function(*map(Typed, ours, row)) for row in rows]
            self._charge(len(results) if variables else 0, node)
            if not results:
                raise unsupported(node, "a loop without iterations is not supported here")
            kind = results[0].kind
            if not variables:
                return results[0].value, importer_type(kind, const=True)
            form = None if real_function is None else polynomial(real_function, values)
            return LoopInteger(variables, tuple(one.value for one in results), form), importer_type(kind, const=False)

    def _index_collection(self, collection: Any, collection_type: Any, indexer: Any, base: Any) -> Any:
        is_register = isinstance(collection_type, (types.BitArray, types.QubitArray))
        is_range = isinstance(indexer, list) and len(indexer) == 1 and isinstance(indexer[0], ast.RangeDefinition)
        if not (is_register and is_range):
            return super()._index_collection(collection, collection_type, indexer, base)
        found, _ = self.visit(indexer[0])
        # The importer has already moved the end one step further, as in Python's ranges.
        backwards = found.step is not None and found.step < 0
        end = found.stop if found.stop is None else found.stop + (1 if backwards else -1)
        selected = [collection[at] for at in positions(len(collection), found.start, end, found.step)]
        return selected, type(collection_type)(len(selected))


def is_integer(kind: Any) -> bool:
    return isinstance(kind, (types.Int, types.Uint))


def real(value: Any) -> Any:
    """A value in the form in which the importer computes."""
    return value.expression() if isinstance(value, LoopInteger) else value


def check_values(values: Sequence[int], kind: Kind) -> None:
    """Reject a loop with a value that its variable cannot hold.

    Raises:
        ProgramUnsupported: there is such a value.
    """
    ends = (values[0], values[-1]) if isinstance(values, range) and values else values
    for value in ends:
        check_range(value, kind)


def _kind(kind: Any) -> Kind:
    return Kind("uint" if isinstance(kind, types.Uint) else "int", kind.size)


def importer_type(kind: Kind, *, const: bool) -> Any:
    """The importer's type for integers of this kind."""
    return (types.Uint if kind.name == "uint" else types.Int)(const=const, size=kind.width)
