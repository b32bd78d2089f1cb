"""Evaluates classical expressions of a program, for the unroller."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.derivatives.dual import real
from ketline.execution.frontend import messages
from ketline.execution.frontend.diagnosis import construct, not_supported
from ketline.execution.frontend.ranges import positions
from ketline.execution.frontend.unroller import operators
from ketline.execution.frontend.unroller.budget import Budget, error_location
from ketline.execution.frontend.unroller.concatenation import checked_concatenation, concatenated
from ketline.execution.frontend.unroller.kinds import (
    BIT,
    BOOL,
    DEFAULT_WIDTH,
    FLOAT,
    INT,
    INTEGERS,
    MAX_WIDTH,
    Kind,
    Typed,
    check_range,
    convert,
    radians,
)
from ketline.execution.frontend.unroller.memory import BitAlias, NameScopes, Variable, bits_of
from ketline.execution.frontend.unroller.tree import calls_subroutine
from ketline.execution.frontend.unroller.values import Measured, assuming, lift
from ketline.execution.limits import ExecutionLimits

_CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_ELEMENTS_PER_STEP = 16
_MAX_DIMENSIONS = 7  # of arrays, says the specification
_SCALARS = {"IntType": "int", "UintType": "uint", "FloatType": "float", "AngleType": "angle", "BitType": "bit"}


class Evaluator:
    """Evaluates expressions; `call` runs a subroutine, `measure` a measurement in an expression."""

    def __init__(
        self, scopes: NameScopes, budget: Budget, limits: ExecutionLimits, call: Callable[[Any], Typed]
    ) -> None:
        self._scopes = scopes
        self._budget = budget
        self._limits = limits
        self._call = call

    def evaluate(self, node: Any, modulo: Kind | None = None) -> Typed:
        """The value of an expression; `modulo` is the unsigned type of the variable that it is assigned to, if any.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it has no value; with its place.
        """
        self._budget.step()
        with error_location(node):
            visit = getattr(self, f"_visit_{type(node).__name__}", None)
            if visit is None:
                raise ProgramUnsupported(f"{construct(node)} cannot be used here")
            if modulo is not None and isinstance(node, ast.BinaryExpression):
                return self._visit_BinaryExpression(node, modulo)
            typed: Typed = visit(node)
            self._budget.step(_weight(node, typed.value))
            return typed

    def evaluate_as(self, node: Any, kind: Kind) -> Any:
        """The value of an expression, converted to a type."""
        typed = self.evaluate(node, kind if kind.name == "uint" else None)
        with error_location(node):
            return convert(typed, kind)

    def condition(self, node: Any) -> Any:
        typed = self.evaluate(node)
        with error_location(node):
            return operators.truth(typed)

    def integer(self, node: Any) -> int:
        """The value of an integer expression that does not depend on measurements."""
        value = self.integer_value(node)
        if isinstance(value, Measured):
            with error_location(node):
                raise ProgramUnsupported("a number that depends on a measurement cannot be used here")
        return int(value)

    def integer_value(self, node: Any) -> Any:
        typed = self.evaluate(node)
        with error_location(node):
            if typed.kind.is_register or typed.kind.name not in (*INTEGERS, "bit", "bool"):
                raise ProgramInvalid(f"this needs an integer, not a value of type '{typed.kind}'")
            return lift(int, typed.value)

    def angle(self, node: Any) -> Any:
        """The value of a gate's argument, in radians."""
        typed = self.evaluate(node)
        with error_location(node):
            if typed.kind.name == "angle":
                return lift(lambda value: radians(value, typed.kind), typed.value)
            if typed.kind.name not in (*INTEGERS, "float"):
                # The specification has no cast from 'bool' to 'angle'; in arithmetic it is a number, as in C99.
                advice = ": write 'int(…)' around it for 0 or 1" if typed.kind in (BIT, BOOL) else ""
                raise ProgramInvalid(f"a value of type '{typed.kind}' is no angle{advice}")
            return lift(real, typed.value)

    def kind(self, node: Any) -> Kind:
        """The type that a declaration, a parameter or a cast names."""
        with error_location(node):
            match node:
                case ast.ArrayType():
                    return self._array_kind(node)
                case ast.BoolType():
                    return BOOL
                case ast.IntType() | ast.UintType() | ast.FloatType() | ast.AngleType() | ast.BitType():
                    return self._scalar_kind(node)
            raise ProgramUnsupported(not_supported(node))

    def width(self, node: Any) -> int:
        width = self.integer(node)
        with error_location(node):
            if width < 1:
                raise ProgramInvalid(f"the size of a register must be positive, not {width}")
        return width

    def selected(self, index: Any, size: int, element: str, name: str | None = None) -> Any:
        """The position, or the tuple of positions, that an index selects; it may depend on measurements.

        `size` is the number of elements, which are qubits, bits or others; `name` is that of the indexed value.
        """
        self._budget.step()

        def position(number: int) -> int:
            if not -size <= number < size:
                raise ProgramInvalid(messages.index_outside(name, number, size, element))
            return number % size

        if isinstance(index, ast.DiscreteSet):
            return tuple(position(self.integer(one)) for one in index.values)
        if isinstance(index, ast.RangeDefinition):
            start, end, step = (
                None if one is None else self.integer(one) for one in (index.start, index.end, index.step)
            )
            try:
                return tuple(positions(size, start, end, step))
            except IndexError as error:
                raise ProgramInvalid(messages.range_outside(name, (start, end, step), size, element)) from error
        return lift(position, self.integer_value(index))

    def one_index(self, element: Any) -> Any:
        """The only index in a pair of brackets."""
        if isinstance(element, ast.DiscreteSet):
            return element
        if len(element) != 1:
            raise ProgramInvalid("a register has one index, not several: write only one here")
        return element[0]

    def looked_up(self, node: Any) -> Any:
        symbol = self._scopes.get(node.name)
        if symbol is None:
            with error_location(node):
                raise ProgramInvalid(f"'{node.name}' is not defined")
        return symbol

    def _scalar_kind(self, node: Any) -> Kind:
        name = _SCALARS[type(node).__name__]
        if node.size is None:
            return Kind(name)
        width = self.width(node.size)
        if name == "bit" and width > self._limits.max_bits:
            raise ProgramTooLarge(f"a program can declare up to {self._limits.max_bits} bits here")
        if name != "bit" and width > MAX_WIDTH:
            raise ProgramUnsupported(f"numbers have up to {MAX_WIDTH} bits here")
        return Kind(name, width)

    def _array_kind(self, node: Any) -> Kind:
        dimensions = tuple(self.width(one) for one in node.dimensions)
        if not 0 < len(dimensions) <= _MAX_DIMENSIONS:
            raise ProgramInvalid(f"an array has 1 to {_MAX_DIMENSIONS} dimensions")
        size = math.prod(dimensions)
        base = self.kind(node.base_type)
        self._budget.step(size * (base.bits if base.is_register else 1))
        return Kind("array", None, base, dimensions)

    def _visit_IntegerLiteral(self, node: Any) -> Typed:  # noqa: N802
        return Typed(INT, check_range(node.value, INT if node.value < 1 << DEFAULT_WIDTH - 1 else Kind("uint")))

    def _visit_FloatLiteral(self, node: Any) -> Typed:  # noqa: N802
        if not math.isfinite(node.value):
            raise ProgramInvalid("this value is not a finite number")
        return Typed(FLOAT, node.value)

    def _visit_BooleanLiteral(self, node: Any) -> Typed:  # noqa: N802
        return Typed(BOOL, bool(node.value))

    def _visit_BitstringLiteral(self, node: Any) -> Typed:  # noqa: N802
        self._budget.step(node.width)
        # Shifts of a number of a million bits would take time with the square of their number.
        return Typed(Kind("bit", node.width), tuple(bit == "1" for bit in reversed(f"{node.value:0{node.width}b}")))

    def _visit_Identifier(self, node: Any) -> Typed:  # noqa: N802
        symbol = self._scopes.get(node.name)
        if symbol is None and node.name in _CONSTANTS:
            return Typed(FLOAT, _CONSTANTS[node.name])
        if symbol is None:
            raise ProgramInvalid(f"'{node.name}' is not defined")
        if not isinstance(symbol, (Variable, BitAlias)):
            raise ProgramInvalid(f"'{node.name}' has no value")
        return Typed(symbol.kind, symbol.value)

    def _visit_UnaryExpression(self, node: Any) -> Typed:  # noqa: N802
        operand = self.evaluate(node.expression)
        match node.op.name:
            case "-":
                return operators.negate(operand)
            case "~":
                return operators.invert_bits(operand)
        return Typed(BOOL, lift(lambda value: not value, operators.truth(operand)))

    def _visit_BinaryExpression(self, node: Any, modulo: Kind | None = None) -> Typed:  # noqa: N802
        sign = node.op.name
        left = self.evaluate(node.lhs)
        if sign not in ("&&", "||"):
            right = self.evaluate(node.rhs)
            self._budget.step(_size(left) + _size(right))
            return operators.binary(sign, left, right, modulo)
        first = operators.truth(left)
        if first is (sign == "||"):
            # Whether the right side is evaluated matters only if it calls something.
            if calls_subroutine(node.rhs):
                raise ProgramUnsupported("a call on the right of '&&' or '||' that is already decided is not supported")
            return Typed(BOOL, first)
        second = operators.truth(self._evaluate_second(node.rhs, first, sign))
        return Typed(BOOL, lift((lambda a, b: a and b) if sign == "&&" else (lambda a, b: a or b), first, second))

    def _evaluate_second(self, node: Any, first: Any, sign: str) -> Typed:
        """Evaluate the right side of `&&` or `||`, which matters only where the left side does not decide."""
        if calls_subroutine(node):
            return self.evaluate(node)
        with assuming(first if sign == "&&" else lift(lambda value: not value, first)):
            return self.evaluate(node)

    def _visit_FunctionCall(self, node: Any) -> Typed:  # noqa: N802
        name = node.name.name
        if self._scopes.get(name) is None and operators.is_function(name):
            return operators.call_function(name, [self.evaluate(argument) for argument in node.arguments])
        return self._call(node)

    def _visit_Cast(self, node: Any) -> Typed:  # noqa: N802
        kind = self.kind(node.type)
        return Typed(kind, convert(self.evaluate(node.argument), kind, explicit=True))

    def _visit_ArrayLiteral(self, node: Any) -> Typed:  # noqa: N802
        elements = [self.evaluate(value) for value in node.values]
        if not elements:
            raise ProgramInvalid("an array has at least one element")
        kind = elements[0].kind
        dimensions: tuple[int, ...] = (len(elements),)
        if kind.base is not None:
            kind, dimensions = kind.base, (len(elements), *kind.dimensions)
        literal = Kind("literal", None, kind, dimensions)
        return Typed(literal, tuple(elements))

    def _visit_IndexExpression(self, node: Any) -> Typed:  # noqa: N802
        typed = self.evaluate(node.collection)
        indices = node.index if isinstance(node.index, list) else [node.index]
        name = node.collection.name if isinstance(node.collection, ast.Identifier) else None
        for index in indices:
            typed, name = self._indexed(typed, index, name), None
        return typed

    def _indexed(self, typed: Typed, index: Any, name: str | None) -> Typed:
        kind, value = typed.kind, typed.value
        if kind.base is not None:
            at = self.selected(index, len(value), "element", name)
            if isinstance(at, tuple):
                return Typed(
                    Kind("array", None, kind.base, (len(at), *kind.dimensions[1:])),
                    tuple(value[position] for position in at),
                )
            return Typed(kind.element, pick(value, at))
        if not kind.is_register and (kind.name not in (*INTEGERS, "angle") or kind.width is None):
            raise ProgramInvalid(messages.no_parts(name, str(kind)))
        bits = value if kind.is_register else bits_of_number(value, kind)
        at = self.selected(index, len(bits), "bit", name)
        if isinstance(at, tuple):
            return Typed(Kind("bit", len(at)), tuple(bits[position] for position in at))
        return Typed(Kind("bit"), pick(bits, at))

    def _visit_Concatenation(self, node: Any) -> Typed:  # noqa: N802
        joined = concatenated(self.evaluate(node.lhs), self.evaluate(node.rhs))
        self._budget.step(len(joined.value))
        if joined.kind.is_register:
            elements = [*self._bits_named(node.lhs), *self._bits_named(node.rhs)]
            checked_concatenation(tuple(elements), elements)
        return joined

    def _bits_named(self, node: Any) -> Sequence[Any]:
        """The bits to which an operand of `++` refers: a name, with or without an index."""
        match node:
            case ast.Concatenation():
                return [*self._bits_named(node.lhs), *self._bits_named(node.rhs)]
            case ast.Identifier():
                return bits_of(self.looked_up(node), None)
            case ast.IndexExpression() if isinstance(node.collection, ast.Identifier):
                symbol = self.looked_up(node.collection)
                if symbol.kind.name == "bit":
                    at = self.selected(self.one_index(node.index), symbol.kind.bits, "bit", node.collection.name)
                    return () if isinstance(at, Measured) else bits_of(symbol, at if isinstance(at, tuple) else (at,))
        return ()

    def _visit_SizeOf(self, node: Any) -> Typed:  # noqa: N802
        kind = self.evaluate(node.target).kind
        at = 0 if node.index is None else self.integer(node.index)
        if kind.base is None or not 0 <= at < len(kind.dimensions):
            raise ProgramInvalid("'sizeof' takes an array and one of its dimensions")
        return Typed(Kind("uint"), kind.dimensions[at])


def _weight(node: Any, value: Any) -> int:
    """The extra steps of a value, which is evaluated for each outcome, or copied."""
    if isinstance(value, Measured):
        return len(value.table)
    copied = isinstance(value, tuple) and not isinstance(node, ast.Identifier)
    return len(value) // _ELEMENTS_PER_STEP if copied else 0


def pick(values: Sequence[Any], at: Any) -> Any:
    """The element at a position that may depend on measurements."""
    if not isinstance(at, Measured):
        return values[at]
    if any(isinstance(value, tuple) for value in values):
        raise ProgramUnsupported("a row of an array that depends on a measurement is not supported")
    return lift(lambda index, *row: row[index], at, *values)


def bits_of_number(value: Any, kind: Kind) -> tuple[Any, ...]:
    return tuple(lift(lambda number, index=index: bool(number >> index & 1), value) for index in range(kind.bits))


def _size(typed: Typed) -> int:
    if isinstance(typed.value, Measured):
        return len(typed.value.table)
    return len(typed.value) if isinstance(typed.value, tuple) else 1
