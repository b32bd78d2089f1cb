"""Converts a parsed program to a circuit with the visitor of qiskit-qasm3-import, extended and bounded.

`execution/frontend/program.py` calls it for programs that the scanner declines.

It adds to `qiskit_qasm3_import`: sizes are checked before anything of that size is created, `for` loops are unrolled
(so loop variables can index qubits), user-defined gates are inlined, and mistakes have a place.
"""

from collections.abc import Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ParameterExpression, QuantumCircuit
from qiskit.circuit.library import CXGate, IGate
from qiskit_qasm3_import import types
from qiskit_qasm3_import.data import Scope, Symbol
from qiskit_qasm3_import.state import LocalScope, State

from ketline.execution.frontend.diagnosis import construct, invalid, unsupported
from ketline.execution.frontend.importer.arithmetic import check_values, importer_type
from ketline.execution.frontend.importer.gates import (
    STANDARD_IDENTITY,
    UserGate,
    check_operand_count,
    controlled_phase,
    gate_scope,
    gate_size,
    gate_steps,
    look_up_gate,
    user_gate,
)
from ketline.execution.frontend.importer.loop_integers import loop_variable
from ketline.execution.frontend.importer.resolve import GuardedVisitor, width_of
from ketline.execution.frontend.messages import measured_widths
from ketline.execution.frontend.phases import is_official_cx, phase_over_qiskit, with_phase
from ketline.execution.frontend.places import DeclaredNames
from ketline.execution.frontend.pragmas import place_of_pragma
from ketline.execution.frontend.ranges import check_aliased
from ketline.execution.frontend.unroller.budget import error_location
from ketline.execution.frontend.unroller.kinds import MAX_WIDTH, Kind
from ketline.execution.limits import ExecutionLimits


class ProgramConverter(GuardedVisitor):
    """Converts one program.

    `groups` has the widths of the groups of the bitstrings in the order of declaration: one for each register, and one
    for each run of single bits declared next to each other. `group_names` has their declared names, None for several
    bits.
    """

    def __init__(self, limits: ExecutionLimits, *, timed: bool = False) -> None:
        super().__init__(limits)
        self._timed = timed
        self.groups: list[int] = []
        self.group_names: list[str | None] = []
        self.declared = DeclaredNames()
        self._last_was_single_bit = False

    def circuit_of(self, program: Any) -> Any:
        """The circuit of a parsed program.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot be converted.
        """
        state = State()
        for statement in program.statements:
            self.visit(statement, state)
        return state.circuit

    def generic_visit(self, node: Any, context: Any = None) -> Any:
        raise unsupported(node, f"{construct(node)} are not supported".replace("' are", "' is"))

    def visit_Include(self, node: Any, context: Any) -> Any:  # noqa: N802
        if node.filename == "qelib1.inc":
            raise unsupported(node, 'qelib1.inc belongs to OpenQASM 2; include "stdgates.inc" instead')
        if node.filename != "stdgates.inc":
            raise unsupported(node, 'only "stdgates.inc" can be included')
        return super().visit_Include(node, context)

    def visit_QubitDeclaration(self, node: Any, context: Any) -> Any:  # noqa: N802
        self._declare("qubits", node.size, self._limits.max_qubits, node, context)
        self.declared.qubits[context.circuit.num_qubits] = node.qubit.name
        return super().visit_QubitDeclaration(node, context)

    def visit_ClassicalDeclaration(self, node: Any, context: Any) -> Any:  # noqa: N802
        if not isinstance(node.type, ast.BitType):
            raise unsupported(node, f"{construct(node.type)} are not supported")
        width = self._declare("bits", node.type.size, self._limits.max_bits, node, context)
        single = node.type.size is None
        if single:
            self.declared.bits[context.circuit.num_clbits] = node.identifier.name
        if single and self._last_was_single_bit:
            self.groups[-1] += 1
            self.group_names[-1] = None
        else:
            self.groups.append(width)
            self.group_names.append(node.identifier.name)
        self._last_was_single_bit = single
        if isinstance(node.init_expression, ast.QuantumMeasurement):
            qubits = width_of(self._resolve_qarg(node.init_expression.qubit, context))
            if qubits != width:
                raise invalid(node, measured_widths(qubits, width, node.identifier.name))
        return super().visit_ClassicalDeclaration(node, context)

    def visit_QuantumGateDefinition(self, node: Any, context: Any) -> Any:  # noqa: N802
        gate: Any = user_gate(node, context)
        if is_official_cx(node):
            gate = CXGate
        return self._define_gate(node.name.name, gate, len(node.arguments), len(node.qubits), node, context)

    def visit_QuantumGate(self, node: Any, context: Any) -> Any:  # noqa: N802
        if node.duration is not None:
            raise unsupported(node, "gates with durations are not supported")
        symbol = look_up_gate(node, context)
        check_operand_count(node, symbol, len(self._control_states(node, context)))
        arguments = [self._resolve_angle(argument, context) for argument in node.arguments]
        operands = self._operands(node, context)
        self._spend(gate_size(symbol) * len(operands), node, context, steps=gate_steps(symbol) * len(operands))
        if isinstance(symbol.data, UserGate) and not node.modifiers:
            for qubits in operands:
                self._inline(symbol.data, arguments, qubits, context, context.circuit)
            return context
        if symbol.data is STANDARD_IDENTITY and not node.modifiers:
            # The importer writes a U gate, with which a Clifford circuit would lose its fast method.
            return self._append(IGate(), operands, context)
        gate = self._gate(symbol.data, arguments, context)
        phase = 0.0 if isinstance(symbol.data, UserGate) else phase_over_qiskit(node.name.name, arguments)
        if node.modifiers:
            gate = self._modified(with_phase(gate, phase), node, context)
        else:
            context.circuit.global_phase += phase * len(operands)
        return self._append(gate, operands, context)

    def visit_AliasStatement(self, node: Any, context: Any) -> Any:  # noqa: N802
        check_aliased(node.value)
        return super().visit_AliasStatement(node, context)

    def visit_QuantumPhase(self, node: Any, context: Any) -> Any:  # noqa: N802
        states = self._control_states(node, context)
        if len(states) != len(node.qubits):
            raise invalid(node, f"this 'gphase' takes {len(states)} qubits, not {len(node.qubits)}")
        angle = self._resolve_angle(node.argument, context)
        for modifier in node.modifiers:
            if modifier.modifier is ast.GateModifierName.inv:
                angle = -angle
            elif modifier.modifier is ast.GateModifierName.pow:
                angle *= self._resolve_constant_float(modifier.argument, context)
        if not states:
            context.circuit.global_phase += angle
            return context
        operands = self._operands(node, context)
        self._spend(len(operands), node, context)
        return self._append(controlled_phase(angle, states), operands, context)

    def visit_QuantumBarrier(self, node: Any, context: Any) -> Any:  # noqa: N802
        # A barrier inside a gate has no effect, but would prevent inverting or controlling the gate.
        return context if context.scope is Scope.GATE else super().visit_QuantumBarrier(node, context)

    def visit_QuantumMeasurementStatement(self, node: Any, context: Any) -> Any:  # noqa: N802
        if node.target is None:
            raise unsupported(node, "a measurement must be kept in a bit: write 'c = measure q;'")
        self._check_measurement(node.measure.qubit, self._resolve_carg(node.target, context), node, context)
        return super().visit_QuantumMeasurementStatement(node, context)

    def visit_QuantumReset(self, node: Any, context: Any) -> Any:  # noqa: N802
        self._spend(width_of(self._resolve_qarg(node.qubits, context)), node, context)
        return super().visit_QuantumReset(node, context)

    def visit_IODeclaration(self, node: Any, context: Any) -> Any:  # noqa: N802
        raise unsupported(node, "'input' and 'output' are not supported: write the values into the program")

    def visit_Pragma(self, node: Any, context: Any) -> Any:  # noqa: N802
        context.circuit.append(place_of_pragma(node, context.circuit.global_phase), [])
        return context

    def visit_CompoundStatement(self, node: Any, context: Any) -> Any:  # noqa: N802
        return self._visit_block(node.statements, context)

    def visit_Box(self, node: Any, context: Any) -> Any:  # noqa: N802
        return self._visit_block(node.body, context)  # timing has no meaning in an ideal simulation

    def visit_DelayInstruction(self, node: Any, context: Any) -> Any:  # noqa: N802
        self._resolve_constant_duration(node.duration, context)
        width = sum([width_of(self._resolve_qarg(qubit, context)) for qubit in node.qubits])
        if not self._timed:
            return context
        self._spend(width if node.qubits else context.circuit.num_qubits, node, context)
        return super().visit_DelayInstruction(node, context)

    def visit_ForInLoop(self, node: Any, context: Any) -> Any:  # noqa: N802
        kind = self._kind_of_loop(node, context)
        values = self._values_of_loop(node, context)
        with error_location(node):
            check_values(values, kind)
        if _leaves_loop(node.block):
            return self._keep_loop(node, values, kind, context)
        self._spend(len(values), node, context)
        for value in values:
            symbol = Symbol(node.identifier.name, value, importer_type(kind, const=True), Scope.LOCAL, node)
            self._visit_block(node.block, context, symbol)
        return context

    def _visit_block(self, statements: Sequence[Any], context: Any, symbol: Any = None) -> Any:
        with LocalScope(context) as inner:
            if symbol is not None:
                inner.symbol_table.insert(symbol)
            for statement in statements:
                self.visit(statement, inner)
        return context

    def _kind_of_loop(self, node: Any, context: Any) -> Kind:
        if not isinstance(node.type, (ast.IntType, ast.UintType)):
            raise unsupported(node, "only integer loop variables are supported")
        width = None if node.type.size is None else self._resolve_constant_int(node.type.size, context)
        if width is not None and not 0 < width <= MAX_WIDTH:
            raise unsupported(node, f"integers have 1 to {MAX_WIDTH} bits")
        return Kind("int" if isinstance(node.type, ast.IntType) else "uint", width)

    def _values_of_loop(self, node: Any, context: Any) -> Sequence[int]:
        values, kind = self._resolve_generic(node.set_declaration, context, strict=True)
        if isinstance(kind, types.Sequence):
            return tuple(values)
        if not isinstance(kind, types.Range):
            raise unsupported(node, "only ranges and sets of integers can be looped over")
        if values.start is None or values.stop is None:
            raise invalid(node, "the range of a loop needs a start and an end")
        return range(values.start, values.stop, 1 if values.step is None else values.step)

    def _keep_loop(self, node: Any, values: Sequence[int], kind: Kind, context: Any) -> Any:
        """Write a loop that may be left early as a circuit loop, and charge for its unrolling by Aer's compiler."""
        if len(values) > self._limits.max_operations or len(set(values)) != len(values):
            raise unsupported(node, "a loop with 'break' or 'continue' needs a short set of different values")
        before = self._operations
        with context.circuit.for_loop(values) as variable:
            self._loop_values[variable] = values
            held = loop_variable(variable, values)
            symbol = Symbol(node.identifier.name, held, importer_type(kind, const=False), Scope.LOCAL, node)
            self._visit_block(node.block, context, symbol)
        self._spend((self._operations - before + 1) * len(values), node, context)
        return context

    def _inline(self, gate: UserGate, arguments: Sequence[Any], qubits: Any, context: Any, circuit: Any) -> None:
        values = [value if isinstance(value, ParameterExpression) else float(value) for value in arguments]
        scope = gate_scope(gate, values, qubits, context, circuit)
        for statement in gate.definition.body:
            self.visit(statement, scope)

    def _gate(self, builder: Any, arguments: Sequence[Any], context: Any) -> Any:
        if not isinstance(builder, UserGate):
            return builder(*arguments)
        circuit = QuantumCircuit(len(builder.definition.qubits))
        self._inline(builder, arguments, circuit.qubits, context, circuit)
        return circuit.to_gate()

    def _append(self, gate: Any, operands: Sequence[Sequence[Any]], context: Any) -> Any:
        for qubits in operands:
            context.circuit.append(gate, qubits)
        return context


def _leaves_loop(statements: Sequence[Any]) -> bool:
    """Whether a loop's body has a `break` or `continue` that belongs to this loop."""
    for statement in statements:
        if isinstance(statement, (ast.BreakStatement, ast.ContinueStatement)):
            return True
        blocks = [getattr(statement, name, ()) for name in ("if_block", "else_block", "body", "statements")]
        if any(_leaves_loop(block) for block in blocks if isinstance(block, list)):
            return True
    return False
