"""Writes a flat program for the adaptive profile of QIR: results are read, and branches and loops depend on them.

Each bit that is measured has one result, which the next measurement into it overwrites. Bits that are assigned, or
measured in some branches only, are local variables; there are only variables of type i1, which need no capability that
is optional, and phi nodes of them. Source: https://github.com/qir-alliance/qir-spec, `Adaptive_Profile.md`.

`writer.py` calls it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import and_, or_, xor

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.conversion.formulas import Binary, Bit, Equals, Formula, Not, Operator
from ketline.execution.conversion.qir.gates import calls_of
from ketline.execution.conversion.qir.module import BasicBlock, ModuleBuilder, Operand, Variable
from ketline.execution.conversion.qir.records import record
from ketline.execution.conversion.qir.state import InResult, Path, Value, merged
from ketline.execution.conversion.statements import (
    Apply,
    Assign,
    Block,
    Branch,
    Break,
    Continue,
    FlatProgram,
    Loop,
    Measure,
    Reset,
    Statement,
    walk,
)

_CONSTANT: Mapping[Operator, Callable[[bool, bool], bool]] = {"&": and_, "|": or_, "^": xor}


def write_adaptive(
    program: FlatProgram, numbers: Mapping[int, int], names: Sequence[str], module: ModuleBuilder
) -> None:
    """Write a program into a module; `numbers` numbers its qubits, `names` are those of its registers.

    Raises:
        ProgramUnsupported: a loop never ends.
        ProgramTooLarge: the module becomes larger than a result may be.
    """
    _Writer(program, numbers, module).write(names)


@dataclass(slots=True)
class _OpenLoop:
    """A loop that is being written: the paths that leave it, and those that begin its next iteration."""

    left: list[Path] = field(default_factory=list)
    continued: list[Path] = field(default_factory=list)


class _Writer:
    def __init__(self, program: FlatProgram, numbers: Mapping[int, int], module: ModuleBuilder) -> None:
        self._program = program
        self._numbers = numbers
        self._module = module
        measured = {one.bit for one in walk(program.statements) if isinstance(one, Measure)}
        self._results = {bit: number for number, bit in enumerate(sorted(measured))}
        self._module.results = len(self._results)
        self._loops: list[_OpenLoop] = []

    def write(self, names: Sequence[str]) -> None:
        entry = self._module.block("entry")
        self._module.initialize(entry)
        path: Path | None = Path(entry, [False] * self._program.bits)
        for number, statement in enumerate(self._program.statements):
            assert path is not None, "nothing leaves the program early"
            path = self._written(statement, path)
            if path is None:
                line, column = self._program.place(number) or (None, None)
                raise ProgramUnsupported("this loop never ends, so the program has no output", line=line, column=column)
        assert path is not None
        record(self._module, path.block, self._program.registers, names, self._recorded(path))
        self._module.finish(path.block)

    def _recorded(self, path: Path) -> Sequence[Value]:
        """The final values of the bits; registers of which each bit is a result are recorded as results."""
        # All other instructions must stand before the first record.
        values: list[Value] = []
        outputs = iter(self._program.outputs)
        for register in self._program.registers:
            formulas = [next(outputs) for _ in range(register.bits)]
            held = [path.bits[one.index] for one in formulas if isinstance(one, Bit)]
            results = [one for one in held if isinstance(one, InResult)]
            if len(results) == register.bits:
                values += results
            else:
                values += [self._evaluated(one, path) for one in formulas]
        return values

    def _block(self, block: Block, path: Path) -> Path | None:
        """Write the statements of a block; None if they always leave a loop, or its iteration."""
        current: Path | None = path
        for statement in block:
            if current is None:
                return None
            current = self._written(statement, current)
        return current

    def _written(self, statement: Statement, path: Path) -> Path | None:
        match statement:
            case Branch(condition, then, otherwise):
                return self._branch(condition, then, otherwise, path)
            case Loop():
                return self._loop(statement, path)
            case Break():
                self._loops[-1].left.append(path)
                return None
            case Continue():
                self._loops[-1].continued.append(path)
                return None
        self._simple(statement, path)
        return path

    def _simple(self, statement: Statement, path: Path) -> None:
        match statement:
            case Apply():
                for name, angles, qubits in calls_of(statement):
                    self._module.gate(path.block, name, angles, [self._numbers[qubit] for qubit in qubits])
            case Measure(qubit, bit):
                result = self._results[bit]
                self._module.measure(path.block, self._numbers[qubit], result)
                path.bits[bit] = InResult(result)
            case Reset(qubit):
                self._module.reset(path.block, self._numbers[qubit])
            case Assign(bit, value):
                path.bits[bit] = self._evaluated(value, path)

    def _branch(self, condition: Formula, then: Block, otherwise: Block, path: Path) -> Path | None:
        decided = self._evaluated(condition, path)
        if isinstance(decided, bool):
            return self._block(then if decided else otherwise, path)
        first, second = self._module.block("then"), self._module.block("else")
        self._module.branch(path.block, decided, first, second)
        ends = [
            self._block(block, Path(start, list(path.bits))) for start, block in ((first, then), (second, otherwise))
        ]
        reached = [end for end in ends if end is not None]
        return merged(self._module, reached, self._module.block("continue")) if reached else None

    def _loop(self, loop: Loop, path: Path) -> Path | None:
        head = self._module.block("loop")
        start, variables = self._head(loop, head, path)
        self._module.jump(path.block, head)
        decided = self._evaluated(loop.condition, start)
        opened = _OpenLoop()
        # Without a condition that can end it, or hold, a loop has no exit, or no body.
        after = None if decided is True else Path(self._module.block("exit"), list(start.bits))
        body = None if decided is False else self._iteration(loop, start, opened)
        for one in opened.continued:
            for bit, variable in variables.items():
                self._module.add_incoming(variable, one.read(self._module, bit), one.block)
            self._module.jump(one.block, head)
        self._module.loops = self._module.loops or bool(opened.continued)
        self._terminate(head, decided, body, None if after is None else after.block)
        if not opened.left:
            return after
        paths = [*([] if after is None else [after]), *opened.left]
        return merged(self._module, paths, self._module.block("continue"))

    def _terminate(self, head: BasicBlock, decided: Operand, body: BasicBlock | None, after: BasicBlock | None) -> None:
        """End the block that decides on an iteration."""
        if isinstance(decided, Variable):
            self._module.branch(head, decided, body, after)
        else:
            self._module.jump(head, body if decided else after)

    def _iteration(self, loop: Loop, start: Path, opened: _OpenLoop) -> BasicBlock:
        """Write the body of a loop, and return its first block."""
        body = self._module.block("body")
        self._loops.append(opened)
        end = self._block(loop.body, Path(body, list(start.bits)))
        self._loops.pop()
        opened.continued += [] if end is None else [end]
        return body

    def _head(self, loop: Loop, head: BasicBlock, path: Path) -> tuple[Path, Mapping[int, Variable]]:
        """The path at the head of a loop, and the bits that are variables there: those whose value may change in it.

        A bit that is measured before the loop, and only measured in it, is what its result holds.
        """
        written = _bits_written(loop.body)
        entry = {
            bit: path.read(self._module, bit)
            for bit, assigned in written.items()
            if assigned or not isinstance(path.bits[bit], InResult)
        }
        start, variables = Path(head, list(path.bits)), {bit: self._module.phi(head) for bit in entry}
        for bit in written:
            start.bits[bit] = variables.get(bit) or InResult(self._results[bit])
        for bit, operand in entry.items():
            self._module.add_incoming(variables[bit], operand, path.block)
        return start, variables

    def _evaluated(self, formula: Formula, path: Path) -> Operand:
        """The value of a formula, a constant or a variable, computed at the end of the path."""
        match formula:
            case bool():
                return formula
            case Bit(index):
                return path.read(self._module, index)
            case Not(operand):
                return self._negated(self._evaluated(operand, path), path)
            case Binary(operator, left, right):
                return self._binary(operator, self._evaluated(left, path), self._evaluated(right, path), path)
            case Equals():
                return self._evaluated(formula.expanded(), path)

    def _negated(self, operand: Operand, path: Path) -> Operand:
        return not operand if isinstance(operand, bool) else self._module.negated(path.block, operand)

    def _binary(self, operator: Operator, left: Operand, right: Operand, path: Path) -> Operand:
        if isinstance(left, bool):
            left, right = right, left
        if isinstance(left, bool):
            return _CONSTANT[operator](left, bool(right))
        if isinstance(right, Variable):
            return self._module.binary(path.block, operator, left, right)
        if operator == "^":
            return self._negated(left, path) if right else left
        # The constant decides, or it does not matter.
        return right if right is (operator == "|") else left


def _bits_written(block: Block) -> dict[int, bool]:
    """The bits that a block writes, and whether it assigns to them or only measures into them."""
    written: dict[int, bool] = {}
    for statement in walk(block):
        match statement:
            case Measure(_, bit):
                written.setdefault(bit, False)
            case Assign(bit, _):
                written[bit] = True
    return written
