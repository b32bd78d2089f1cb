"""Resolves operands, angles, conditions and sizes of statements for the importer, within a budget."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit, ParameterExpression, Register
from qiskit_qasm3_import import types
from qiskit_qasm3_import.converter import ConvertVisitor
from qiskit_qasm3_import.data import Scope

from ketline.domain.errors import ProgramTooLarge
from ketline.execution.frontend.diagnosis import invalid, statement_errors, unsupported
from ketline.execution.frontend.importer.arithmetic import GuardedResolver, real
from ketline.execution.frontend.importer.gates import controlled, is_control
from ketline.execution.frontend.places import PlacedOperations, PlaceRecorder
from ketline.execution.frontend.unroller.budget import error_location
from ketline.execution.frontend.unroller.kinds import DEFAULT_WIDTH
from ketline.execution.limits import ExecutionLimits

_MAX_POWER_QUBITS = 8
# The most parts of expressions evaluated in calls of user-defined gates, per operation that a program may have.
_STEPS_PER_OPERATION = 8
_EQUALITY = ("==", "!=")


class GuardedVisitor(ConvertVisitor):  # type: ignore[misc]
    """The visitor of qiskit-qasm3-import with a budget, and with a place for every mistake."""

    def __init__(self, limits: ExecutionLimits) -> None:
        super().__init__()
        self._limits = limits
        self._operations = 0
        self._steps = 0
        self._declared = {"qubits": 0, "bits": 0}
        self._loop_values: dict[Any, Sequence[int]] = {}
        self._recorder = PlaceRecorder()

    @property
    def places(self) -> Sequence[PlacedOperations]:
        """The statements that wrote the operations of the circuit."""
        return self._recorder.places

    def visit(self, node: Any, context: Any = None) -> Any:
        # Bodies of gates may have circuits of their own.
        if not isinstance(node, ast.Statement) or context.scope is Scope.GATE:
            with statement_errors(node):
                return super().visit(node, context)
        first = len(context.circuit._data)  # noqa: SLF001 - `data` makes an object for each access
        with statement_errors(node):
            after = super().visit(node, context)
        self._recorder.record(node, first, len(context.circuit._data))  # noqa: SLF001
        return after

    def _resolve_generic(self, node: Any, context: Any, strict: bool) -> Any:
        return GuardedResolver(context, strict, self._charge).resolve(node)

    def _operands(self, node: Any, context: Any) -> list[tuple[Any, ...]]:
        """The qubits of each application of a gate: it is applied to all qubits of registers in turn."""
        qubits = [self._resolve_qarg(qubit, context) for qubit in node.qubits]
        operands = list(self._broadcast_gate(qubits, node))
        if any(len(set(application)) != len(application) for application in operands):
            raise invalid(node, "a gate needs different qubits for its operands")
        return operands

    def _control_states(self, node: Any, context: Any) -> list[bool]:
        """For each control qubit of a call, whether its control state is 1 (`ctrl`) or 0 (`negctrl`)."""
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
        states: list[bool] = []  # of adjacent controls
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
        if _is_of_bits(node):
            raise invalid(node, "a string of bits is no angle")
        with error_location(node):
            value = real(super()._resolve_angle(node, context))
        if not all(math.isfinite(possible) for possible in self._possible_values(value)):
            raise invalid(node, "this angle is not a finite number")
        if isinstance(value, int) and value >= 1 << DEFAULT_WIDTH - 1:
            raise unsupported(node, f"integers of more than {DEFAULT_WIDTH} bits are not supported")
        return value

    def _possible_values(self, value: Any) -> Iterator[float]:
        """The values of an angle: one, or one for each iteration of the loops on which it depends."""
        if not isinstance(value, ParameterExpression):
            yield value
            return
        variables = list(value.parameters)
        for values in itertools.product(*(self._loop_values[variable] for variable in variables)):
            self._operations += 1
            try:
                yield float(value.bind(dict(zip(variables, values, strict=True))))
            except ZeroDivisionError:  # Qiskit also raises it for an overflow
                yield math.inf

    def _resolve_condition(self, node: Any, context: Any) -> Any:
        bits, value = self._compared(node, context)
        if isinstance(bits, (Clbit, ClassicalRegister)):
            return bits, value
        # An identifier has no dot, so no register of the program has this name.
        register = ClassicalRegister(bits=bits, name=f"part.{len(context.circuit.cregs)}")
        context.circuit.add_register(register)
        return register, value

    def _compared(self, node: Any, context: Any) -> tuple[Any, int]:
        """The bit or bits of a condition, and their required value."""
        if isinstance(node, ast.BinaryExpression) and node.op.name in _EQUALITY:
            for bits, number in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
                found, kind = self._resolve_generic(bits, context, strict=True)
                if isinstance(kind, types.Bit):
                    return found, self._bit_value(number, context) != (node.op.name == "!=")
                if isinstance(kind, types.BitArray) and node.op.name == "==":
                    return found, self._register_value(number, width_of(found), context)
            raise unsupported(node, "this comparison is not supported")
        negated = isinstance(node, ast.UnaryExpression) and node.op.name in ("~", "!")
        bit, kind = self._resolve_generic(node.expression if negated else node, context, strict=True)
        if not isinstance(kind, types.Bit):
            raise unsupported(node, "conditions on this are not supported")
        return bit, not negated

    def _bit_value(self, node: Any, context: Any) -> bool:
        value, kind = self._resolve_generic(node, context, strict=True)
        if isinstance(kind, types.Bool) and kind.const:
            return bool(value)
        if isinstance(kind, types.Bit):
            raise unsupported(node, "comparisons of two bits are not supported")  # by this front end
        number = self._resolve_constant_int(node, context)
        if isinstance(node, ast.BitstringLiteral) or number not in (0, 1):
            raise unsupported(node, f"a bit never equals {number}")
        return bool(number)

    def _register_value(self, node: Any, width: int, context: Any) -> int:
        value = self._resolve_constant_int(node, context)
        if not 0 <= value < 1 << width or (isinstance(node, ast.BitstringLiteral) and node.width != width):
            raise unsupported(node, f"a register of {width} bits never equals this number")
        return int(value)

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
            return  # the call of the outermost gate is charged for all of it
        self._charge(operations, node)
        self._steps += steps
        most = self._limits.max_operations * _STEPS_PER_OPERATION
        if self._steps > most:
            raise _too_large(node, f"the calls of the program's gates look at more than {most} parts of expressions")

    def _charge(self, operations: int, node: Any) -> None:
        self._operations += operations
        if self._operations > self._limits.max_operations:
            raise _too_large(node, f"the program expands to more than {self._limits.max_operations} operations")


def _too_large(node: Any, message: str) -> ProgramTooLarge:
    return ProgramTooLarge(message, line=node.span.start_line, column=node.span.start_column + 1)


def width_of(bits: Any) -> int:
    return len(bits) if isinstance(bits, (list, tuple, Register)) else 1


def _is_of_bits(node: Any) -> bool:
    """Whether an expression contains a string of bits, which the importer treats as a number."""
    match node:
        case ast.BitstringLiteral():
            return True
        case ast.UnaryExpression():
            return _is_of_bits(node.expression)
        case ast.BinaryExpression():
            return _is_of_bits(node.lhs) or _is_of_bits(node.rhs)
    return False
