"""Declares variables, reads inputs and assigns. Used by `statements.py`."""

from collections.abc import Mapping
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import InputMissing, ProgramInvalid, ProgramUnsupported
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.frontend import messages
from ketline.execution.frontend.ranges import check_aliased
from ketline.execution.frontend.unroller import operators
from ketline.execution.frontend.unroller.budget import Budget, error_location
from ketline.execution.frontend.unroller.concatenation import checked_concatenation
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.unroller.expressions import Evaluator, bits_of_number
from ketline.execution.frontend.unroller.inputs import input_value
from ketline.execution.frontend.unroller.kinds import (
    BIT,
    INTEGERS,
    Kind,
    Typed,
    convert,
    is_measured,
    packed,
    signed,
    zero,
)
from ketline.execution.frontend.unroller.memory import BitAlias, Memory, NameScopes, Qubits, Variable, bits_of
from ketline.execution.frontend.unroller.quantum import QuantumStatements
from ketline.execution.frontend.unroller.values import Measured, choose, lift, lift_sequence
from ketline.execution.frontend.unroller.writer import CircuitWriter


class Variables:
    """Runs declarations and assignments.

    `groups` has the bits of the bitstrings, in the order of declaration: one entry for each register, and one for each
    run of single bits declared next to each other. `numbers` are the global numbers with a width, `qubit_names` the
    names of registers and single qubits by the position of the first qubit.
    """

    def __init__(
        self,
        scopes: NameScopes,
        memory: Memory,
        budget: Budget,
        evaluator: Evaluator,
        quantum: QuantumStatements,
        writer: CircuitWriter,
    ) -> None:
        self._scopes = scopes
        self._memory = memory
        self._budget = budget
        self._evaluator = evaluator
        self._quantum = quantum
        self._writer = writer
        self.groups: list[list[Variable]] = []
        self.qubit_names: dict[int, str] = {}
        self.outputs: list[Variable] = []
        self.numbers: list[Variable] = []
        self._last_was_single_bit = False
        self.inputs: Mapping[str, InputValue] = {}
        self.differentiated: DifferentiatedInputs | None = None
        self.bound: set[str] = set()

    def declare_qubits(self, node: Any) -> None:
        if not self._scopes.at_global_scope:
            raise ProgramInvalid("qubits can only be declared globally")
        size = None if node.size is None else self._evaluator.width(node.size)
        positions = self._writer.new_qubits(1 if size is None else size, node.qubit.name if size else None)
        self.qubit_names[positions[0]] = node.qubit.name
        self._define(node.qubit, Qubits(positions[0] if node.size is None else tuple(positions)))

    def declare(self, node: Any) -> Variable:
        kind = self._evaluator.kind(node.type)
        value = zero(kind) if node.init_expression is None else self.value(node.init_expression, kind)
        variable = Variable(kind, zero(kind), name=node.identifier.name)
        self._memory.write(variable, value)  # what has ended before has not done so
        self._budget.step(kind.bits if kind.is_register else 1)
        self._define(node.identifier, variable)
        if kind.name == "bit" and self._scopes.at_global_scope:
            self._show(variable)
        elif kind.name in (*INTEGERS, "angle") and kind.width is not None and self._scopes.at_global_scope:
            self.numbers.append(variable)
        return variable

    def declare_constant(self, node: Any) -> None:
        kind = self._evaluator.kind(node.type)
        value = self.value(node.init_expression, kind)
        if is_measured(value):
            raise ProgramInvalid(f"the constant '{node.identifier.name}' depends on a measurement")
        self._define(node.identifier, Variable(kind, value, constant=True))

    def declare_io(self, node: Any) -> None:
        if not self._scopes.at_global_scope:
            raise ProgramInvalid("inputs and outputs can only be declared globally")
        kind = self._evaluator.kind(node.type)
        name = node.identifier.name
        if node.io_identifier is ast.IOKeyword.output:
            variable = Variable(kind, zero(kind), name=name)
            self.outputs.append(variable)
            if kind.base is not None or (kind.name not in ("bit", "bool") and (kind.name == "float" or not kind.width)):
                raise ProgramUnsupported(
                    f"an output of type '{kind}' is not supported: counts are made of bits, and of integers and angles "
                    "with a width"
                )
        else:
            if name not in self.inputs:
                with error_location(node.identifier):
                    raise InputMissing(messages.input_missing(name, str(kind)))
            value = input_value(name, self.inputs[name], kind)
            if self.differentiated is not None:
                with error_location(node.identifier):
                    value = self.differentiated.dual(name, value, kind)
            variable = Variable(kind, value, constant=True)
            self.bound.add(name)
        self._define(node.identifier, variable)
        if node.io_identifier is ast.IOKeyword.output:
            self._show(variable)

    def alias(self, node: Any) -> None:
        if self._quantum.is_quantum(node.value):
            check_aliased(node.value)
            self._define(node.target, Qubits(self._quantum.operand(node.value)))
            return
        self._define(node.target, BitAlias(self._aliased(node.value)))

    def assign(self, node: Any) -> None:
        """Run `target = value`, `target += value` and the like."""
        name, indices = _split(node.lvalue)
        sign = node.op.name[:-1]
        symbol = self._target(name)
        kind = symbol.kind
        if not indices and not sign:
            self._memory.write(symbol, self.value(node.rvalue, kind))
            return
        value: Typed | tuple[Any, ...]
        if sign:
            right = self._evaluator.evaluate(node.rvalue)
            left = self._evaluator.evaluate(_as_expression(node.lvalue))
            if left.kind.name == "bit" and right.kind.name == "bool":
                right = Typed(BIT, right.value)
            modulo = left.kind if left.kind.name == "uint" else None
            value = operators.binary(sign, left, right, modulo)
        elif isinstance(node.rvalue, ast.QuantumMeasurement):
            value = self._measured(node.rvalue)
        else:
            value = self._evaluator.evaluate(node.rvalue)
        self._write_at(symbol, node.lvalue, value if isinstance(value, Typed) else _as_register(value))

    def measure(self, node: Any) -> None:
        """Run `target = measure qubits;`, also without a target."""
        outcomes = self._quantum.measure(node.measure)
        if node.target is None:
            return
        name, indices = _split(node.target)
        symbol = self._target(name)
        if not indices and symbol.kind.name == "bit" and symbol.kind.bits != len(outcomes):
            with error_location(name):
                raise ProgramInvalid(messages.measured_widths(len(outcomes), symbol.kind.bits, name.name))
        self._write_at(symbol, node.target, _as_register(outcomes))

    def value(self, node: Any, kind: Kind) -> Any:
        """The value of an expression or measurement, converted to a type."""
        if not isinstance(node, ast.QuantumMeasurement):
            return self._evaluator.evaluate_as(node, kind)
        return convert(_as_register(self._measured(node)), kind)

    def _measured(self, node: Any) -> tuple[Any, ...]:
        with error_location(node):
            return self._quantum.measure(node)

    def _show(self, variable: Variable) -> None:
        single = variable.kind == BIT
        if single and self._last_was_single_bit:
            self.groups[-1].append(variable)
        else:
            self.groups.append([variable])
        self._last_was_single_bit = single

    def _define(self, identifier: Any, symbol: Any) -> None:
        with error_location(identifier):
            if self._scopes.at_global_scope:
                self._quantum.check_free(identifier.name)
            self._scopes.define(identifier.name, symbol)

    def _target(self, name: Any) -> Variable | BitAlias:
        symbol = self._evaluator.looked_up(name)
        with error_location(name):
            if not isinstance(symbol, (Variable, BitAlias)):
                raise ProgramInvalid(f"'{name.name}' is not a variable")
            if isinstance(symbol, Variable) and symbol.constant:
                raise ProgramInvalid(f"'{name.name}' is a constant")
        return symbol

    def _write_at(self, symbol: Variable | BitAlias, target: Any, value: Typed) -> None:
        name, indices = _split(target)
        with error_location(target):
            updated = self._replaced(Typed(symbol.kind, symbol.value), indices, value, name.name)
        self._memory.write(symbol, updated)

    def _replaced(self, old: Typed, indices: list[Any], new: Typed, name: str | None = None) -> Any:
        """A value with the part that indices select replaced."""
        if not indices:
            return convert(new, old.kind)
        kind, parts = old.kind, old.value
        if kind.base is None and not kind.is_register:
            return self._with_bits(old, indices, new, name)
        self._budget.step(len(parts))
        at = self._evaluator.selected(indices[0], len(parts), "bit" if kind.is_register else "element", name)
        element = kind.element
        if isinstance(at, tuple):
            if len(indices) > 1:
                raise ProgramUnsupported("an assignment to parts of a range is not supported")
            span = (
                Kind("bit", len(at))
                if kind.is_register
                else Kind("array", None, kind.base, (len(at), *kind.dimensions[1:]))
            )
            return _spread(parts, at, convert(new, span))
        if not isinstance(at, Measured):
            return _spread(parts, (at,), (self._replaced(Typed(element, parts[at]), indices[1:], new),))
        candidates = [self._replaced(Typed(element, part), indices[1:], new) for part in parts]
        return tuple(
            choose(lift(lambda number, position=position: number == position, at), candidate, part)
            for position, (candidate, part) in enumerate(zip(candidates, parts, strict=True))
        )

    def _with_bits(self, old: Typed, indices: list[Any], new: Typed, name: str | None) -> Any:
        """A number with some of its bits replaced."""
        kind = old.kind
        if kind.name not in (*INTEGERS, "angle") or kind.width is None:
            raise ProgramInvalid(messages.no_parts(name, str(kind)))
        bits = self._replaced(Typed(Kind("bit", kind.bits), bits_of_number(old.value, kind)), indices, new, name)
        number = lift_sequence(packed, bits)
        return lift(lambda value: signed(value, kind), number)

    def _aliased(self, node: Any) -> tuple[tuple[Variable, int | None], ...]:
        if isinstance(node, ast.Concatenation):
            joined = self._aliased(node.lhs) + self._aliased(node.rhs)
            return checked_concatenation(joined, [(id(variable), index) for variable, index in joined])
        if isinstance(node, ast.Identifier):
            return bits_of(self._bits_named(node), None)
        if isinstance(node, ast.IndexExpression) and isinstance(node.collection, ast.Identifier):
            symbol = self._bits_named(node.collection)
            name = node.collection.name
            at = self._evaluator.selected(self._evaluator.one_index(node.index), symbol.kind.bits, "bit", name)
            if isinstance(at, Measured):
                raise ProgramUnsupported("an alias that depends on a measurement is not supported")
            return bits_of(symbol, at if isinstance(at, tuple) else (at,))
        raise ProgramUnsupported("'let' names registers, their elements and ranges, and what '++' joins of these")

    def _bits_named(self, node: Any) -> Variable | BitAlias:
        symbol = self._target(node)
        if symbol.kind.name != "bit":
            raise ProgramUnsupported(f"an alias of a value of type '{symbol.kind}' is not supported")
        return symbol


def _as_register(outcomes: tuple[Any, ...]) -> Typed:
    return Typed(Kind("bit", len(outcomes)), outcomes)


def _spread(parts: tuple[Any, ...], indices: tuple[int, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
    changed = list(parts)
    for index, value in zip(indices, values, strict=True):
        changed[index] = value
    return tuple(changed)


def _split(node: Any) -> tuple[Any, list[Any]]:
    """Split a target into its name and its indices."""
    if isinstance(node, ast.Identifier):
        return node, []
    indices: list[Any] = []
    for element in node.indices:
        indices += [element] if isinstance(element, ast.DiscreteSet) else element
    return node.name, indices


def _as_expression(node: Any) -> Any:
    if isinstance(node, ast.Identifier):
        return node
    expression: Any = node.name
    for element in node.indices:
        expression = ast.IndexExpression(expression, element)
        expression.span = node.span
    return expression
