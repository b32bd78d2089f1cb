"""Runs the statements of a program, one after the other, and writes what is quantum into a circuit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.domain.task import InputValue
from ketline.execution.diagnose import construct, not_supported
from ketline.execution.limits import ExecutionLimits
from ketline.execution.unroller.budget import Budget, placed
from ketline.execution.unroller.expressions import Evaluator
from ketline.execution.unroller.kinds import BIT, VOID, Kind, Typed
from ketline.execution.unroller.loops import loop_values, written_in
from ketline.execution.unroller.memory import Definition, Memory, Names, Variable
from ketline.execution.unroller.quantum import QuantumStatements, members
from ketline.execution.unroller.subroutines import bind_arguments
from ketline.execution.unroller.values import Measured, atom, lift
from ketline.execution.unroller.variables import Variables
from ketline.execution.unroller.writer import CircuitWriter

_MOST_NESTED_CALLS = 64
_STEPS_PER_CALL = 8
_NEVER = -1  # a loop of the circuit, which nothing here can leave
_OUTSIDE = -2
_IN_GATES = (ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier, ast.ForInLoop)


class _Leave(BaseException):
    """Leaves a loop, a subroutine or the program; no error, so nothing may take it for one."""


class _Break(_Leave):
    pass


class _Continue(_Leave):
    pass


class _End(_Leave):
    pass


class _Return(_Leave):
    def __init__(self, typed: Typed | None) -> None:
        super().__init__()
        self.typed = typed


class Interpreter:
    """Runs a program whose classical part is known, but for what measurements decide.

    Conditions that depend on measurements become branches of the circuit; everything else is decided here.
    """

    def __init__(self, limits: ExecutionLimits, inputs: Mapping[str, InputValue]) -> None:
        self._budget = Budget(limits)
        self._names = Names()
        self._memory = Memory()
        self.writer = CircuitWriter(self._budget)
        self._evaluator = Evaluator(self._names, self._budget, limits, self._call)
        self._quantum = QuantumStatements(self._names, self._budget, self._evaluator, self.writer, self._run_gate_body)
        self.variables = Variables(self._names, self._memory, self._budget, self._evaluator, self._quantum, self.writer)
        self.variables.inputs = inputs
        # How many measured conditions surround what a statement may leave, innermost last.
        self._leave_points: dict[str, list[int]] = {"loop": [], "call": [], "program": [0]}
        self._returns: list[Kind | None] = []

    def run(self, program: Any) -> None:
        try:
            self._run_all(program.statements)
        except _End:
            return

    def _run_all(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            self._run(statement)

    def _run(self, node: Any) -> None:
        self._budget.step()
        with placed(node):
            run = getattr(self, f"_run_{type(node).__name__}", None)
            if run is None:
                raise ProgramUnsupported(not_supported(node))
            run(node)

    def _run_block(self, statements: Sequence[Any]) -> None:
        with self._names.block():
            self._run_all(statements)

    def _run_gate_body(self, statements: Sequence[Any]) -> None:
        for statement in statements:
            if not isinstance(statement, _IN_GATES):
                with placed(statement):
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

    def _run_AliasStatement(self, node: Any) -> None:  # noqa: N802
        self.variables.alias(node)

    def _run_ClassicalAssignment(self, node: Any) -> None:  # noqa: N802
        self.variables.assign(node)

    def _run_QuantumMeasurementStatement(self, node: Any) -> None:  # noqa: N802
        self.variables.measure(node)

    def _run_QuantumGate(self, node: Any) -> None:  # noqa: N802
        symbol = self._names.get(node.name.name)
        if isinstance(symbol, Definition) and isinstance(symbol.node, ast.SubroutineDefinition):
            self._call_without_parentheses(node)
        else:
            self._quantum.gate(node)

    def _run_QuantumPhase(self, node: Any) -> None:  # noqa: N802
        self._quantum.phase(node)

    def _run_QuantumReset(self, node: Any) -> None:  # noqa: N802
        self._quantum.reset(node)

    def _run_QuantumBarrier(self, node: Any) -> None:  # noqa: N802
        for qubit in node.qubits:
            self._quantum.operand(qubit)

    def _run_DelayInstruction(self, node: Any) -> None:  # noqa: N802
        if not isinstance(node.duration, ast.DurationLiteral):
            raise ProgramUnsupported("a delay of a computed duration is not supported")
        for qubit in node.qubits:
            self._quantum.operand(qubit)

    def _run_Box(self, node: Any) -> None:  # noqa: N802
        self._run_block(node.body)

    def _run_CompoundStatement(self, node: Any) -> None:  # noqa: N802
        self._run_block(node.statements)

    def _run_QuantumGateDefinition(self, node: Any) -> None:  # noqa: N802
        if not self._names.at_global_scope:
            raise ProgramInvalid("gates can only be declared globally")
        _check_different(node.arguments, node.qubits)
        self._quantum.check_calls(node)
        self._quantum.check_names(node)
        self._define(node)

    def _run_SubroutineDefinition(self, node: Any) -> None:  # noqa: N802
        if not self._names.at_global_scope:
            raise ProgramInvalid("subroutines can only be declared globally")
        _check_different([argument.name for argument in node.arguments])
        self._quantum.check_calls(node)
        self._define(node)

    def _define(self, node: Any) -> None:
        self._quantum.check_free(node.name.name)
        self._names.define(node.name.name, Definition(node))

    def _run_ExpressionStatement(self, node: Any) -> None:  # noqa: N802
        if isinstance(node.expression, ast.FunctionCall):
            with placed(node.expression):
                self._call(node.expression)
        else:
            self._evaluator.evaluate(node.expression)

    def _run_BranchingStatement(self, node: Any) -> None:  # noqa: N802
        condition = self._evaluator.condition(node.condition)
        if isinstance(condition, Measured):
            self._branch(condition, node.if_block, node.else_block)
        else:
            self._run_block(node.if_block if condition else node.else_block)

    def _branch(self, condition: Measured, then: Sequence[Any], otherwise: Sequence[Any]) -> None:
        """Run both branches of a condition that depends on measurements."""
        with self.writer.when(condition) as context, self._memory.branch() as written:
            self._run_block(then)
        also_written: dict[Variable, Any] = {}
        if otherwise:
            with context, self._memory.branch() as also_written:
                self._run_block(otherwise)
        self._memory.merge(condition, written, also_written)

    def _run_SwitchStatement(self, node: Any) -> None:  # noqa: N802
        target = self._evaluator.integer_value(node.target)
        seen: set[int] = set()
        cases: list[tuple[set[int], Any]] = []
        for labels, block in node.cases:
            values = {self._evaluator.integer(label) for label in labels}
            if seen & values or len(values) != len(labels):
                with placed(block):
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
        if not isinstance(condition, Measured):
            if condition:
                self._run_block(block.statements)
            else:
                self._switch(target, others, default)
            return
        with self.writer.when(condition) as context, self._memory.branch() as written:
            self._run_block(block.statements)
        with context, self._memory.branch() as also_written:
            self._switch(target, others, default)
        self._memory.merge(condition, written, also_written)

    def _run_ForInLoop(self, node: Any) -> None:  # noqa: N802
        kind = self._evaluator.kind(node.type)
        for value in loop_values(node.set_declaration, kind, self._evaluator, self._budget):
            with self._names.block():
                self._names.define(node.identifier.name, Variable(kind, value))
                if not self._run_turn(node.block):
                    break

    def _run_WhileLoop(self, node: Any) -> None:  # noqa: N802
        while True:
            self._budget.step()
            condition = self._evaluator.condition(node.while_condition)
            if isinstance(condition, Measured):
                self._keep_while(node)
                return
            if not condition or not self._run_turn(node.block):
                return

    def _run_turn(self, statements: Sequence[Any]) -> bool:
        """One turn of a loop; whether it goes on."""
        with self._leave_point("loop", self._memory.branches):
            try:
                self._run_block(statements)
            except _Continue:
                return True
            except _Break:
                return False
        return True

    def _keep_while(self, node: Any) -> None:
        """A loop whose condition depends on measurements stays a loop; what it changes is kept in cells."""
        cells = {variable: self._cells_of(variable) for variable in written_in(node.block, self._names)}
        condition = self._evaluator.condition(node.while_condition)
        if not isinstance(condition, Measured):
            raise ProgramUnsupported(
                "the condition of this 'while' loop depends on measurements in the first turn only"
            )
        newest = Variable(BIT, False)
        with self.writer.repeat_while(condition), self._memory.branch() as written:
            with self._leave_point("loop", _NEVER):
                self._run_block(node.block)
            if any(variable.number < newest.number for variable in written.keys() - cells.keys()):
                raise ProgramUnsupported("this 'while' loop changes a variable by reference")
            self._store(cells)

    def _cells_of(self, variable: Variable) -> tuple[int, ...]:
        """Bits of the circuit that hold a variable from now on."""
        if variable.kind.base is not None or variable.kind.name not in ("bit", "bool"):
            raise ProgramUnsupported(
                f"a variable of type '{variable.kind}' that changes in a loop which depends on a measurement"
                " is not supported"
            )
        values = members(variable.value)
        cells = tuple(self.writer.new_bit() for _ in values)
        for cell, value in zip(cells, values, strict=True):
            self.writer.store(cell, value)
        atoms = tuple(map(atom, cells))
        self._memory.write(variable, atoms if variable.kind.is_register else atoms[0])
        return cells

    def _store(self, cells: Mapping[Variable, Sequence[int]]) -> None:
        """Bring the cells up to date at the end of a turn: first read them all, then write."""
        held = {cell for group in cells.values() for cell in group}
        pairs = []
        for variable, group in cells.items():
            for cell, value in zip(group, members(variable.value), strict=True):
                if value == atom(cell):
                    continue
                if isinstance(value, Measured) and not held.isdisjoint(value.atoms):
                    copy = self.writer.new_bit()
                    self.writer.store(copy, value)
                    value = atom(copy)
                pairs.append((cell, value))
        for cell, value in pairs:
            self.writer.store(cell, value)

    def _run_BreakStatement(self, _node: Any) -> None:  # noqa: N802
        self._leave("loop", "break", _Break())

    def _run_ContinueStatement(self, _node: Any) -> None:  # noqa: N802
        self._leave("loop", "continue", _Continue())

    def _run_EndStatement(self, _node: Any) -> None:  # noqa: N802
        self._leave("program", "end", _End())

    def _run_ReturnStatement(self, node: Any) -> None:  # noqa: N802
        if not self._returns:
            raise ProgramInvalid("'return' stands outside of a subroutine")
        kind, typed = self._returns[-1], None
        if node.expression is not None:
            if kind is None:
                raise ProgramInvalid("this subroutine returns nothing")
            typed = Typed(kind, self.variables.value(node.expression, kind))
        self._leave("call", "return", _Return(typed))

    def _leave(self, what: str, word: str, leave: _Leave) -> None:
        points = self._leave_points[what]
        if not points or points[-1] == _OUTSIDE:
            raise ProgramInvalid(f"'{word}' stands outside of a {what}")
        if points[-1] != self._memory.branches:
            raise ProgramUnsupported(f"a '{word}' that depends on a measurement is not supported")
        raise leave

    @contextmanager
    def _leave_point(self, what: str, branches: int) -> Iterator[None]:
        self._leave_points[what].append(branches)
        try:
            yield
        finally:
            self._leave_points[what].pop()

    def _call_without_parentheses(self, node: Any) -> None:
        """`name qubits;` for a subroutine, as examples of the specification write it."""
        if node.modifiers:
            raise ProgramInvalid("a subroutine takes no modifiers")
        call = ast.FunctionCall(node.name, [*node.arguments, *node.qubits])
        call.span = node.span
        self._call(call)

    def _call(self, node: Any) -> Typed:
        """Run a subroutine; what it returns, of type void if nothing."""
        symbol = self._evaluator.looked_up(node.name)
        if not (isinstance(symbol, Definition) and isinstance(symbol.node, ast.SubroutineDefinition)):
            raise ProgramInvalid(f"'{node.name.name}' is not a subroutine")
        if self._names.depth_of_calls >= _MOST_NESTED_CALLS:
            raise ProgramUnsupported(f"calls nest more than {_MOST_NESTED_CALLS} deep")
        self._budget.step(_STEPS_PER_CALL)
        definition = symbol.node
        symbols = bind_arguments(node, definition, self._evaluator, self._quantum)
        kind = None if definition.return_type is None else self._evaluator.kind(definition.return_type)
        self._returns.append(kind)
        try:
            with (
                self._names.call(symbols),
                self._leave_point("loop", _OUTSIDE),
                self._leave_point("call", self._memory.branches),
            ):
                self._run_all(definition.body)
        except _Return as leaving:
            if leaving.typed is not None:
                return leaving.typed
        finally:
            self._returns.pop()
        if kind is not None:
            raise ProgramInvalid(f"subroutine '{node.name.name}' ends without returning a value")
        return Typed(VOID, 0)


def _check_different(*lists: Sequence[Any]) -> None:
    for names in lists:
        seen: set[str] = set()
        for name in names:
            if name.name in seen:
                with placed(name):
                    raise ProgramInvalid(f"'{name.name}' is named twice")
            seen.add(name.name)
