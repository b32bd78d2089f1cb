"""Resolves what statements refer to, within limits: operands, angles, conditions, sizes, and what they cost."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, ParameterExpression, Register
from qiskit_qasm3_import import types
from qiskit_qasm3_import.converter import ConvertVisitor
from qiskit_qasm3_import.data import Scope
from qiskit_qasm3_import.expression import ValueResolver

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.diagnose import invalid, statement_errors, unsupported
from ketline.execution.gates import controlled, is_control
from ketline.execution.limits import ExecutionLimits
from ketline.execution.ranges import positions

_MAX_POWER_QUBITS = 8
# Parts of expressions that calls of the program's own gates look at, as a multiple of the operations it may have.
_STEPS_PER_OPERATION = 8
_EQUALITY = ("==", "!=")


class GuardedVisitor(ConvertVisitor):  # type: ignore[misc]
    """The importer's visitor with a budget, and with a place for every mistake."""

    def __init__(self, limits: ExecutionLimits) -> None:
        super().__init__()
        self._limits = limits
        self._operations = 0
        self._steps = 0
        self._declared = {"qubits": 0, "bits": 0}
        self._loop_values: dict[Any, Sequence[int]] = {}

    def visit(self, node: Any, context: Any = None) -> Any:
        with statement_errors(node):
            return super().visit(node, context)

    def _resolve_generic(self, node: Any, context: Any, strict: bool) -> Any:
        return _GuardedResolver(context, strict).resolve(node)

    def _operands(self, node: Any, context: Any) -> list[tuple[Any, ...]]:
        """The qubits of each application of a gate, since registers apply it to all their qubits in turn."""
        qubits = [self._resolve_qarg(qubit, context) for qubit in node.qubits]
        operands = list(self._broadcast_gate(qubits, node))
        if any(len(set(application)) != len(application) for application in operands):
            raise invalid(node, "a gate needs different qubits for its operands")
        return operands

    def _control_states(self, node: Any, context: Any) -> list[bool]:
        """For each control qubit of a call, whether it controls by 1 (`ctrl`) or by 0 (`negctrl`)."""
        return [
            state
            for modifier in filter(is_control, node.modifiers)
            for state in self._states_of(modifier, node, context)
        ]

    def _states_of(self, modifier: Any, node: Any, context: Any) -> list[bool]:
        number = 1 if modifier.argument is None else self._resolve_constant_int(modifier.argument, context)
        if not 0 < number <= len(node.qubits):
            raise invalid(modifier, "the number of controls does not fit the number of qubits")
        return [modifier.modifier is ast.GateModifierName.ctrl] * number

    def _modified(self, gate: Any, node: Any, context: Any) -> Any:
        states: list[bool] = []  # of controls that stand next to each other
        for modifier in reversed(node.modifiers):
            if is_control(modifier):
                states = self._states_of(modifier, node, context) + states
                continue
            gate = self._apply_gate_modifier(modifier, controlled(gate, states), context)
            states = []
        return controlled(gate, states)

    def _apply_gate_modifier(self, modifier: Any, gate: Any, context: Any) -> Any:
        if modifier.modifier is ast.GateModifierName.pow:
            if gate.num_qubits > _MAX_POWER_QUBITS:
                message = f"powers of gates on more than {_MAX_POWER_QUBITS} qubits are not supported"
                raise unsupported(modifier, message)
            # A power is computed as a matrix, of 4^n numbers for n qubits.
            self._charge(4**gate.num_qubits, modifier)
        return super()._apply_gate_modifier(modifier, gate, context)

    def _resolve_angle(self, node: Any, context: Any) -> Any:
        value = super()._resolve_angle(node, context)
        if not all(math.isfinite(possible) for possible in self._possible_values(value)):
            raise invalid(node, "this angle is not a finite number")
        return value

    def _possible_values(self, value: Any) -> Iterator[float]:
        """The values an angle may take: one, or one for each turn of the loops it depends on."""
        if not isinstance(value, ParameterExpression):
            yield value
            return
        variables = list(value.parameters)
        for values in itertools.product(*(self._loop_values[variable] for variable in variables)):
            self._operations += 1
            try:
                yield float(value.bind(dict(zip(variables, values, strict=True))))
            except ZeroDivisionError:  # which is also what Qiskit calls an overflow
                yield math.inf

    def _resolve_condition(self, node: Any, context: Any) -> Any:
        bits, value = super()._resolve_condition(self._with_boolean(node, context), context)
        if isinstance(bits, ClassicalRegister) and not 0 <= value < 2**bits.size:
            raise unsupported(node, f"a register of {bits.size} bits never equals this number")
        return bits, value

    def _with_boolean(self, node: Any, context: Any) -> Any:
        """Read `bit == 1` as `bit == true`, which is all the importer knows."""
        if not (isinstance(node, ast.BinaryExpression) and node.op.name in _EQUALITY):
            return node
        for bit, number in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
            if isinstance(number, ast.IntegerLiteral) and self._is_single_bit(bit, context):
                if number.value not in (0, 1):
                    raise unsupported(node, f"a bit never equals {number.value}")
                return ast.BinaryExpression(op=node.op, lhs=bit, rhs=ast.BooleanLiteral(bool(number.value)))
        return node

    def _is_single_bit(self, node: Any, context: Any) -> bool:
        return isinstance(self._resolve_generic(node, context, strict=True)[1], types.Bit)

    def _check_measurement(self, qubit: Any, target: Any, node: Any, context: Any) -> None:
        qubits, bits = width_of(self._resolve_qarg(qubit, context)), width_of(target)
        if qubits != bits:
            raise invalid(node, f"this measures {qubits} qubits into {bits} bits")
        self._spend(qubits, node, context)

    def _declare(self, what: str, size: Any, limit: int, node: Any, context: Any) -> int:
        width = 1 if size is None else self._resolve_constant_int(size, context)
        if width < 1:
            raise invalid(node, "the size of a register must be positive")
        self._declared[what] += width
        if self._declared[what] > limit:
            raise _too_large(node, f"a program can declare up to {limit} {what} here")
        return int(width)

    def _spend(self, operations: int, node: Any, context: Any, *, steps: int = 0) -> None:
        if context.scope is Scope.GATE:
            return  # paid for in full where the outermost gate is called
        self._charge(operations, node)
        self._steps += steps
        most = self._limits.max_operations * _STEPS_PER_OPERATION
        if self._steps > most:
            raise _too_large(node, f"the calls of the program's gates look at more than {most} parts of expressions")

    def _charge(self, operations: int, node: Any) -> None:
        self._operations += operations
        if self._operations > self._limits.max_operations:
            raise _too_large(node, f"the program comes to more than {self._limits.max_operations} operations")


def _too_large(node: Any, message: str) -> ProgramTooLarge:
    return ProgramTooLarge(message, line=node.span.start_line, column=node.span.start_column + 1)


class _GuardedResolver(ValueResolver):  # type: ignore[misc]
    """The importer's resolver, with ranges that may end at negative positions and stay inside of their register."""

    def _index_collection(self, collection: Any, collection_type: Any, indexer: Any, base: Any) -> Any:
        is_register = isinstance(collection_type, (types.BitArray, types.QubitArray))
        is_range = isinstance(indexer, list) and len(indexer) == 1 and isinstance(indexer[0], ast.RangeDefinition)
        if not (is_register and is_range):
            return super()._index_collection(collection, collection_type, indexer, base)
        found, _ = self.visit(indexer[0])
        # The importer has already moved the end one step further, as Python counts.
        backwards = found.step is not None and found.step < 0
        end = found.stop if found.stop is None else found.stop + (1 if backwards else -1)
        selected = [collection[at] for at in positions(len(collection), found.start, end, found.step)]
        return selected, type(collection_type)(len(selected))


def width_of(bits: Any) -> int:
    return len(bits) if isinstance(bits, (list, tuple, Register)) else 1
