"""Interprets the statements of a program in order, and writes the quantum operations into a circuit.

`unroll.py` runs the `Interpreter`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Barrier, Delay

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.frontend.diagnosis import construct, not_supported
from ketline.execution.frontend.places import PlacedOperations, PlaceRecorder
from ketline.execution.frontend.pragmas import place_of_pragma
from ketline.execution.frontend.unroller.budget import Budget, error_location
from ketline.execution.frontend.unroller.circuit_loops import CircuitLoops, EndlessLoop
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.unroller.expressions import Evaluator
from ketline.execution.frontend.unroller.flow import Ended, Flow
from ketline.execution.frontend.unroller.gates import LibraryGate
from ketline.execution.frontend.unroller.kinds import BOOL, VOID, Typed
from ketline.execution.frontend.unroller.loops import loop_iterations, reads_measured
from ketline.execution.frontend.unroller.memory import Definition, Memory, NameScopes, Variable
from ketline.execution.frontend.unroller.quantum import QuantumStatements, members
from ketline.execution.frontend.unroller.subroutines import bind_arguments
from ketline.execution.frontend.unroller.tree import calls_subroutine
from ketline.execution.frontend.unroller.values import Measured, assuming, lift
from ketline.execution.frontend.unroller.variables import Variables
from ketline.execution.frontend.unroller.writer import CircuitWriter
from ketline.execution.limits import ExecutionLimits

_MAX_NESTED_CALLS = 64
_STEPS_PER_CALL = 8
_IN_GATES = (ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier, ast.ForInLoop)


class Interpreter:
    """Interprets a program: all classical values are known, except those that depend on measurements.

    Conditions that depend on measurements become branches of the circuit; all others are decided here.
    """

    def __init__(
        self,
        limits: ExecutionLimits,
        inputs: Mapping[str, InputValue],
        gates: Mapping[str, LibraryGate],
        differentiated: DifferentiatedInputs | None = None,
        *,
        timed: bool = False,
    ) -> None:
        self._timed = timed
        self._budget = Budget(limits)
        self._scopes = NameScopes()
        self._recorder = PlaceRecorder()
        self.writer = CircuitWriter(self._budget)
        self._memory = Memory(self.writer)
        self._flow = Flow(self._memory)
        self._circuit_loops = CircuitLoops(self._memory, self.writer, self._budget)
        self._evaluator = Evaluator(self._scopes, self._budget, limits, self._call)
        self._quantum = QuantumStatements(
            self._scopes, self._budget, self._evaluator, self.writer, self._run_gate_body, gates
        )
        self.variables = Variables(
            self._scopes, self._memory, self._budget, self._evaluator, self._quantum, self.writer
        )
        self.variables.inputs = inputs
        self.variables.differentiated = differentiated

    @property
    def angles(self) -> Mapping[str, Dual]:
        """The angles with derivatives, by the names of the circuit's parameters that stand for them."""
        return self._quantum.angles.numbers

    @property
    def places(self) -> Sequence[PlacedOperations]:
        """The statements that wrote the operations of the circuit."""
        return self._recorder.places

    def run(self, program: Any) -> None:
        self._run_all(program.statements)

    def _run_all(self, statements: Sequence[Any]) -> None:
        """Run statements in order; after one that may leave the block, the rest runs under a condition."""
        for index, statement in enumerate(statements):
            active = self._flow.active()
            if active is False:
                return
            if isinstance(active, Measured):
                self._branch(active, partial(self._run_from, statements, index))
                return
            self._run(statement)

    def _run_from(self, statements: Sequence[Any], index: int) -> None:
        self._run(statements[index])
        self._run_all(statements[index + 1 :])

    def _run(self, node: Any) -> None:
        self._budget.step()
        with error_location(node):
            run = getattr(self, f"_run_{type(node).__name__}", None)
            if run is None:
                raise ProgramUnsupported(not_supported(node))
            first = self.writer.operations
            try:
                run(node)
            except Ended:
                return
            finally:
                self._recorder.record(node, first, self.writer.operations)

    def _run_block(self, statements: Sequence[Any]) -> None:
        with self._scopes.block():
            self._run_all(statements)

    def _run_gate_body(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            if not isinstance(statement, _IN_GATES):
                with error_location(statement):
                    raise ProgramUnsupported(f"{construct(statement)} cannot stand in a gate definition")
            self._run(statement)

    def _run_Include(self, node: Any) -> None:  # noqa: N802
        if node.filename == "qelib1.inc":
            raise ProgramUnsupported('qelib1.inc belongs to OpenQASM 2; include "stdgates.inc" instead')
        if node.filename != "stdgates.inc":
            raise ProgramUnsupported('only "stdgates.inc" can be included')
        self._quantum.include_standard_gates()

    def _run_QubitDeclaration(self, node: Any) -> None:  # noqa: N802
        self.variables.declare_qubits(node)

    def _run_ClassicalDeclaration(self, node: Any) -> None:  # noqa: N802
        self.variables.declare(node)

    def _run_ConstantDeclaration(self, node: Any) -> None:  # noqa: N802
        self.variables.declare_constant(node)

    def _run_IODeclaration(self, node: Any) -> None:  # noqa: N802
        self.variables.declare_io(node)

    def _run_Pragma(self, node: Any) -> None:  # noqa: N802
        self.writer.place(partial(place_of_pragma, node))

    def _run_AliasStatement(self, node: Any) -> None:  # noqa: N802
        self.variables.alias(node)

    def _run_ClassicalAssignment(self, node: Any) -> None:  # noqa: N802
        self.variables.assign(node)

    def _run_QuantumMeasurementStatement(self, node: Any) -> None:  # noqa: N802
        self.variables.measure(node)

    def _run_QuantumGate(self, node: Any) -> None:  # noqa: N802
        symbol = self._scopes.get(node.name.name)
        if isinstance(symbol, Definition) and isinstance(symbol.node, ast.SubroutineDefinition):
            self._call_without_parentheses(node)
        else:
            self._quantum.gate(node)

    def _run_QuantumPhase(self, node: Any) -> None:  # noqa: N802
        self._quantum.phase(node)

    def _run_QuantumReset(self, node: Any) -> None:  # noqa: N802
        self._quantum.reset(node)

    def _run_QuantumBarrier(self, node: Any) -> None:  # noqa: N802
        self._timed_operation(node.qubits, Barrier)

    def _run_DelayInstruction(self, node: Any) -> None:  # noqa: N802
        if not isinstance(node.duration, ast.DurationLiteral):
            raise ProgramUnsupported("a delay of a computed duration is not supported")
        length, unit = node.duration.value, node.duration.unit.name
        whole = int(length) if unit == "dt" else length  # Qiskit has no parts of it
        self._timed_operation(node.qubits, lambda _: Delay(whole, unit), separately=True)

    def _timed_operation(
        self, operands: Sequence[Any], make: Callable[[int], Any], *, separately: bool = False
    ) -> None:
        """Write what has an effect on a device only: one operation on all qubits, or one on each."""
        chosen = [self._quantum.operand(operand) for operand in operands]
        if not self._timed:
            return
        if any(isinstance(one, Measured) for one in chosen):
            raise ProgramUnsupported("a delay or barrier of a qubit that depends on a measurement is not supported")
        qubits = list(dict.fromkeys(qubit for one in chosen for qubit in members(one)))
        qubits = qubits if operands else list(range(self.writer.circuit.num_qubits))
        for group in [[qubit] for qubit in qubits] if separately or not qubits else [qubits]:
            self.writer.append(make(len(group)), group)

    def _run_Box(self, node: Any) -> None:  # noqa: N802
        self._run_block(node.body)

    def _run_CompoundStatement(self, node: Any) -> None:  # noqa: N802
        self._run_block(node.statements)

    def _run_QuantumGateDefinition(self, node: Any) -> None:  # noqa: N802
        if not self._scopes.at_global_scope:
            raise ProgramInvalid("gates can only be declared globally")
        _check_different(node.arguments, node.qubits)
        self._quantum.check_calls(node)
        self._quantum.check_names(node)
        self._define(node)

    def _run_SubroutineDefinition(self, node: Any) -> None:  # noqa: N802
        if not self._scopes.at_global_scope:
            raise ProgramInvalid("subroutines can only be declared globally")
        _check_different([argument.name for argument in node.arguments])
        self._quantum.check_calls(node)
        self._define(node)

    def _define(self, node: Any) -> None:
        self._quantum.check_free(node.name.name)
        self._scopes.define(node.name.name, Definition(node))

    def _run_ExpressionStatement(self, node: Any) -> None:  # noqa: N802
        if isinstance(node.expression, ast.FunctionCall):
            with error_location(node.expression):
                self._call_alone(node.expression)
        else:
            self._evaluator.evaluate(node.expression)

    def _run_BranchingStatement(self, node: Any) -> None:  # noqa: N802
        condition = self._evaluator.condition(node.condition)
        otherwise = partial(self._run_block, node.else_block) if node.else_block else None
        self._branch(condition, partial(self._run_block, node.if_block), otherwise)

    def _branch(self, condition: Any, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        """Run one of two branches, or both if measurements decide."""
        if not isinstance(condition, Measured):
            chosen = then if condition else otherwise
            if chosen is not None:
                chosen()
            return
        with self.writer.when(condition) as context, assuming(condition), self._memory.branch() as written:
            then()
        also_written: dict[Variable, Any] = {}
        if otherwise is not None:
            with context, assuming(lift(lambda one: not one, condition)), self._memory.branch() as also_written:
                otherwise()
        self._memory.merge(condition, written, also_written)

    def _run_SwitchStatement(self, node: Any) -> None:  # noqa: N802
        target = self._evaluator.integer_value(node.target)
        seen: set[int] = set()
        cases: list[tuple[set[int], Any]] = []
        for labels, block in node.cases:
            values = {self._evaluator.integer(label) for label in labels}
            if seen & values or len(values) != len(labels):
                with error_location(block):
                    raise ProgramInvalid("a 'switch' names a value twice")
            seen |= values
            cases.append((values, block))
        self._switch(target, cases, node.default)

    def _switch(self, target: Any, cases: Sequence[tuple[set[int], Any]], default: Any) -> None:
        if not cases:
            self._run_block(default.statements if default is not None else ())
            return
        (values, block), *others = cases
        condition = lift(lambda number: number in values, target)
        self._branch(
            condition, partial(self._run_block, block.statements), partial(self._switch, target, others, default)
        )

    def _run_ForInLoop(self, node: Any) -> None:  # noqa: N802
        kind = self._evaluator.kind(node.type)
        with self._flow.loop():
            for going, value in loop_iterations(node.set_declaration, kind, self._evaluator, self._budget):
                active = _both(going, self._flow.active())
                if active is False:
                    return
                self._branch(active, partial(self._run_for_iteration, node, Variable(kind, value)))
                self._flow.next_iteration()

    def _run_for_iteration(self, node: Any, variable: Variable) -> None:
        with self._scopes.block():
            self._scopes.define(node.identifier.name, variable)
            self._run_block(node.block)

    def _run_WhileLoop(self, node: Any) -> None:  # noqa: N802
        """Unroll iterations while their condition is known; once it depends on measurements, write a loop of the
        circuit.
        """
        with self._flow.loop():
            loop_error: ProgramUnsupported | None = None
            while True:
                self._budget.step()
                active = self._flow.active()
                condition = active and self._while_condition(node, active)
                if condition is False:
                    return
                measured = isinstance(condition, Measured)
                if loop_error is None and (measured or reads_measured(node.while_condition, self._scopes)):
                    try:
                        self._write_loop(node, condition)
                    except EndlessLoop:
                        raise
                    except ProgramUnsupported as error:
                        loop_error = error
                    else:
                        return
                if loop_error is not None and (measured and not isinstance(active, Measured)):
                    raise loop_error
                self._branch(condition, partial(self._run_block, node.block))
                self._flow.next_iteration()

    def _while_condition(self, node: Any, active: Any) -> Any:
        """Whether a loop has another iteration; the condition is only evaluated where the loop has not been left."""
        if not isinstance(active, Measured):
            return self._evaluator.condition(node.while_condition)
        holds = Variable(BOOL, False)

        def evaluate() -> None:
            self._memory.write(holds, self._evaluator.condition(node.while_condition))

        if calls_subroutine(node.while_condition):
            self._branch(active, evaluate)
        else:
            with assuming(active):
                evaluate()
        return _both(active, holds.value)

    def _write_loop(self, node: Any, condition: Any) -> None:
        """Write a loop of the circuit for all further iterations; `condition` decides the first."""
        if not calls_subroutine(node.while_condition):
            self._circuit_loops.write(
                partial(self._iteration_condition, node), partial(self._run_while_iteration, node)
            )
            return
        going = Variable(BOOL, condition)

        def iteration() -> None:
            self._run_while_iteration(node)
            self._memory.write(going, self._iteration_condition(node))

        self._circuit_loops.write(lambda: going.value, iteration)

    def _iteration_condition(self, node: Any) -> Any:
        active = self._flow.active()
        return active and self._while_condition(node, active)

    def _run_while_iteration(self, node: Any) -> None:
        self._flow.next_iteration()
        self._run_block(node.block)
        self._flow.next_iteration()

    def _run_BreakStatement(self, _node: Any) -> None:  # noqa: N802
        self._flow.leave_loop("break")

    def _run_ContinueStatement(self, _node: Any) -> None:  # noqa: N802
        self._flow.leave_loop("continue")

    def _run_EndStatement(self, _node: Any) -> None:  # noqa: N802
        self._flow.end()

    def _run_ReturnStatement(self, node: Any) -> None:  # noqa: N802
        kind = self._flow.return_kind
        if node.expression is None:
            self._flow.leave_call(None)
            return
        if kind is None:
            raise ProgramInvalid(
                "this subroutine has no return type: write '-> bit' or another behind its parameters, or 'return;'"
            )
        self._flow.leave_call(self.variables.value(node.expression, kind))

    def _call_without_parentheses(self, node: Any) -> None:
        """Call a subroutine by `name qubits;`, as examples of the specification do."""
        if node.modifiers:
            raise ProgramInvalid("a subroutine takes no modifiers")
        call = ast.FunctionCall(node.name, [*node.arguments, *node.qubits])
        call.span = node.span
        self._call_alone(call)

    def _call(self, node: Any) -> Typed:
        """Run a subroutine in an expression, and return its value, of type void if there is none."""
        before = self._flow.ended.value
        typed = self._call_alone(node)
        if isinstance(self._flow.ended.value, Measured) and self._flow.ended.value != before:
            raise ProgramUnsupported(
                "an 'end' that depends on a measurement is not supported in a subroutine whose result is used"
            )
        return typed

    def _call_alone(self, node: Any) -> Typed:
        """Run a subroutine as the last action of a statement."""
        symbol = self._evaluator.looked_up(node.name)
        if not (isinstance(symbol, Definition) and isinstance(symbol.node, ast.SubroutineDefinition)):
            raise ProgramInvalid(f"'{node.name.name}' is not a subroutine")
        if self._scopes.depth_of_calls >= _MAX_NESTED_CALLS:
            raise ProgramUnsupported(f"calls nest more than {_MAX_NESTED_CALLS} deep")
        self._budget.step(_STEPS_PER_CALL)
        definition = symbol.node
        symbols = bind_arguments(node, definition, self._evaluator, self._quantum)
        kind = None if definition.return_type is None else self._evaluator.kind(definition.return_type)
        with self._scopes.call(symbols), self._flow.call(kind) as call:
            self._run_all(definition.body)
        return self._flow.returned(call, node.name.name) or Typed(VOID, 0)


def _both(one: Any, other: Any) -> Any:
    """The conjunction of two conditions."""
    if one is True or other is False:
        return other
    return one if other is True or one is False else lift(lambda left, right: left and right, one, other)


def _check_different(*lists: Sequence[Any]) -> None:
    for names in lists:
        seen: set[str] = set()
        for name in names:
            if name.name in seen:
                with error_location(name):
                    raise ProgramInvalid(f"'{name.name}' is named twice")
            seen.add(name.name)
