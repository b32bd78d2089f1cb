"""Rewrites a circuit so that its classical data are single bits, with conditions on them and assignments to them.

`execution/frontend/qpy.py` and `execution/conversion/flatten.py` call `lower_dynamic`.

Aer inverts casts to Bool, compares registers in 32 bits only, and has no variables and no arithmetic. It evaluates `&`,
`|`, `^` and `!` of bits correctly, so the rewritten circuit uses only these. Registers and variables become bits, `for`
is unrolled, `switch` becomes a sequence of `if`, and bodies and instructions with bits of their own use the bits of the
outermost circuit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import (
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    ControlFlowOp,
    ForLoopOp,
    Gate,
    IfElseOp,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.dynamic.terms import Formula, Term, bit_term
from ketline.execution.circuit.dynamic.values import Scope, Values, matches
from ketline.execution.circuit.dynamic.writer import BitWriter
from ketline.execution.circuit.operations import NO_EFFECT
from ketline.execution.limits import ExecutionLimits


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A rewritten circuit, whose first bits are those of the original.

    `forbidden` maps bits, by index, to the error of a shot in which the bit is set. `origins` has, for each operation
    outside of branches and loops, the index of the original's operation that it was made of.
    """

    circuit: Any
    forbidden: Mapping[int, str]
    origins: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Loop:
    """Writes the operations that leave a loop, or start its next iteration."""

    leave: Callable[[], None]
    next_iteration: Callable[[], None]


def is_dynamic(circuit: Any) -> bool:
    """Whether a circuit has more than gates, measurements and resets."""
    return bool(circuit.num_vars) or any(_is_dynamic(instruction.operation) for instruction in circuit.data)


def lower_dynamic(circuit: Any, limits: ExecutionLimits) -> Dynamic:
    """Rewrite a circuit; the result has the same qubits, and the same bits followed by new ones.

    Raises:
        ProgramUnsupported: the circuit has a construct that cannot be rewritten; the message names it.
        ProgramInvalid: an expression has no value.
        ProgramTooLarge: the circuit expands to more operations or bits than allowed, or nests too deeply.
    """
    writer = BitWriter(circuit, limits)
    rewriter = _Rewriter(writer, limits)
    rewriter.run(circuit)
    indices = {bit: index for index, bit in enumerate(writer.result.clbits)}
    return Dynamic(writer.result, {indices[bit]: what for what, bit in writer.forbidden.items()}, rewriter.origins)


def _is_dynamic(operation: Any) -> bool:
    if isinstance(operation, (ControlFlowOp, Store, BreakLoopOp, ContinueLoopOp)):
        return True
    # Gates cannot measure, branch or assign inside; other instructions can.
    return not isinstance(operation, Gate) and bool(getattr(operation, "num_clbits", 0)) and _has_definition(operation)


def _has_definition(operation: Any) -> bool:
    return operation.name != "measure" and getattr(operation, "definition", None) is not None


class _Rewriter:
    def __init__(self, writer: BitWriter, limits: ExecutionLimits) -> None:
        self._writer = writer
        self._logic = writer.logic
        self._values = Values(writer, limits.max_bits)
        self._limits = limits
        self._loops: list[_Loop] = []
        self.origins: list[int] = []

    def run(self, circuit: Any) -> None:
        everything = Scope({bit: bit for bit in circuit.qubits}, {bit: bit for bit in circuit.clbits})
        if circuit.num_input_vars or circuit.num_captured_vars:
            name = next(iter((*circuit.iter_input_vars(), *circuit.iter_captured_vars()))).name
            raise ProgramUnsupported(f"variable '{name}' is an input: give it a value in the circuit by 'add_var'")
        self._rewrite(circuit, everything, self._limits.max_nesting)

    def _rewrite(self, circuit: Any, scope: Scope, depth: int) -> None:
        if depth < 0:
            raise ProgramTooLarge("blocks are nested too deeply")
        for variable in circuit.iter_declared_vars():
            self._writer.declare(variable)
            if depth < self._limits.max_nesting:  # a variable without a value is 0 in each iteration of a loop
                self._writer.set_variable(variable, 0)
        for number, instruction in enumerate(circuit.data):
            self._statement(instruction, scope, depth)
            if depth == self._limits.max_nesting:
                self.origins += [number] * (len(self._writer.result.data) - len(self.origins))

    def _statement(self, instruction: Any, scope: Scope, depth: int) -> None:
        operation = instruction.operation
        for kind, write in _STATEMENTS.items():
            if isinstance(operation, kind):
                write(self, instruction, scope, depth)
                return
        if isinstance(operation, ControlFlowOp):
            raise ProgramUnsupported(f"'{operation.name}' is not supported as QPY")
        if _is_dynamic(operation):
            self._block(operation.definition, instruction, scope, depth)
        elif operation.name not in NO_EFFECT or isinstance(operation, Gate):
            self._append(instruction, scope)

    def _append(self, instruction: Any, scope: Scope) -> None:
        qubits = [scope.qubits[qubit] for qubit in instruction.qubits]
        clbits = [scope.clbits[clbit] for clbit in instruction.clbits]
        self._writer.append(instruction.operation, qubits, clbits)

    def _block(self, block: Any, instruction: Any, scope: Scope, depth: int) -> None:
        """Write the statements of a body or a definition; bits that it does not bind are those of the surrounding
        block.
        """
        qubits = [scope.qubits[qubit] for qubit in instruction.qubits]
        clbits = [scope.clbits[clbit] for clbit in instruction.clbits]
        inner = Scope(
            {**scope.qubits, **dict(zip(block.qubits, qubits, strict=True))},
            {**scope.clbits, **dict(zip(block.clbits, clbits, strict=True))},
        )
        self._rewrite(block, inner, depth - 1)

    def _branch(self, instruction: Any, scope: Scope, depth: int) -> None:
        operation = instruction.operation
        then, otherwise = operation.blocks[0], operation.blocks[1] if len(operation.blocks) > 1 else None
        with self._writer.scratch_bits():
            condition = self._values.condition(operation.condition, scope)
            if not isinstance(condition, Formula):
                chosen = then if condition else otherwise
                if chosen is not None:
                    self._block(chosen, instruction, scope, depth)
                return
            with self._writer.where(condition) as alternative:
                self._block(then, instruction, scope, depth)
            if otherwise is not None:
                with alternative:
                    self._writer.begin_block()
                    self._block(otherwise, instruction, scope, depth)

    def _while(self, instruction: Any, scope: Scope, depth: int) -> None:
        condition, (body,) = instruction.operation.condition, instruction.operation.blocks
        with self._writer.scratch_bits():
            before = self._writer.operations
            simple = self._values.condition(condition, scope)
            if isinstance(simple, Formula) and self._writer.operations == before:
                with self._repeated(simple, _Loop(self._writer.result.break_loop, self._writer.result.continue_loop)):
                    self._block(body, instruction, scope, depth)
                return
            continues = self._writer.new_scratch()
            self._writer.store(continues, simple)

            def evaluate() -> None:
                with self._writer.scratch_bits():
                    self._writer.store(continues, self._values.condition(condition, scope))

            def next_iteration() -> None:
                evaluate()
                self._writer.result.continue_loop()

            with self._repeated(bit_term(continues), _Loop(self._writer.result.break_loop, next_iteration)):
                self._block(body, instruction, scope, depth)
                evaluate()

    def _box(self, instruction: Any, scope: Scope, depth: int) -> None:
        self._block(instruction.operation.blocks[0], instruction, scope, depth)

    def _break(self, _instruction: Any, _scope: Scope, _depth: int) -> None:
        self._innermost_loop("break").leave()

    def _continue(self, _instruction: Any, _scope: Scope, _depth: int) -> None:
        self._innermost_loop("continue").next_iteration()

    def _for(self, instruction: Any, scope: Scope, depth: int) -> None:
        values, variable, body = instruction.operation.params
        leaves = _leaves_loop(body)
        with self._writer.scratch_bits():
            stopped = self._writer.new_scratch() if leaves else None
            if stopped is not None:
                self._writer.store(stopped, False)
            for value in values:
                self._writer.spend(1)
                iteration = body
                if variable is not None and variable in getattr(body, "parameters", ()):
                    iteration = body.assign_parameters({variable: value})
                with self._iteration(stopped):
                    if isinstance(variable, expr.Var):
                        self._writer.set_variable(variable, value)
                    self._block(iteration, instruction, scope, depth)

    @contextmanager
    def _iteration(self, stopped: Any) -> Iterator[None]:
        """Write one iteration of a `for` loop; if it may be left early, as a loop that runs at most once."""
        if stopped is None:
            yield
            return
        with self._writer.scratch_bits():
            once = self._writer.new_scratch()
            self._writer.store(once, self._logic.negated(bit_term(stopped)))

            def leave() -> None:
                self._writer.store(stopped, True)
                self._writer.result.break_loop()

            with self._repeated(bit_term(once), _Loop(leave, self._writer.result.break_loop)):
                self._writer.store(once, False)
                yield

    def _switch(self, instruction: Any, scope: Scope, depth: int) -> None:
        operation = instruction.operation
        with self._writer.scratch_bits():
            target = [self._logic.as_bit(bit) for bit in self._values.target(operation.target, scope)]
            bodies: list[tuple[Term, Any]] = []
            earlier: Term = False
            for labels, body in operation.cases_specifier():
                chosen_by = self._logic.any_of([matches(self._logic, target, label) for label in labels])
                # Bodies may change the bits on which later cases depend.
                chosen = self._writer.copied(self._logic.both(chosen_by, self._logic.negated(earlier)))
                earlier = self._logic.as_bit(self._logic.either(earlier, chosen_by))
                bodies.append((chosen, body))
            for chosen, body in bodies:
                if isinstance(chosen, Formula):
                    with self._writer.where(chosen):
                        self._block(body, instruction, scope, depth)
                elif chosen:
                    self._block(body, instruction, scope, depth)

    def _assign(self, instruction: Any, scope: Scope, _depth: int) -> None:
        with self._writer.scratch_bits():
            self._values.assign(instruction.operation, scope)

    @contextmanager
    def _repeated(self, condition: Formula, loop: _Loop) -> Iterator[None]:
        self._loops.append(loop)
        with self._writer.repeated(condition):
            yield
        self._loops.pop()

    def _innermost_loop(self, word: str) -> _Loop:
        if not self._loops:
            raise ProgramUnsupported(f"'{word}' stands outside of a loop")
        return self._loops[-1]


_STATEMENTS: Mapping[type[Any], Callable[[_Rewriter, Any, Scope, int], None]] = {
    Store: _Rewriter._assign,  # noqa: SLF001 - one of its own
    IfElseOp: _Rewriter._branch,  # noqa: SLF001
    WhileLoopOp: _Rewriter._while,  # noqa: SLF001
    ForLoopOp: _Rewriter._for,  # noqa: SLF001
    SwitchCaseOp: _Rewriter._switch,  # noqa: SLF001
    BreakLoopOp: _Rewriter._break,  # noqa: SLF001
    ContinueLoopOp: _Rewriter._continue,  # noqa: SLF001
    BoxOp: _Rewriter._box,  # noqa: SLF001
}


def _leaves_loop(block: Any) -> bool:
    """Whether a loop's body has a `break` or `continue` that belongs to this loop."""
    for instruction in block.data:
        operation = instruction.operation
        if isinstance(operation, (BreakLoopOp, ContinueLoopOp)):
            return True
        if isinstance(operation, (ForLoopOp, WhileLoopOp)):
            continue
        inner = operation.blocks if isinstance(operation, ControlFlowOp) else ()
        if any(map(_leaves_loop, inner)):
            return True
    return False
