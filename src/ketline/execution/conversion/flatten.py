"""Flattens a program that a front end has read, and rewrites it into a target's gates. Used by `conversion.py`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from qiskit.circuit import BreakLoopOp, ContinueLoopOp, ControlFlowOp, Gate, IfElseOp, Store, WhileLoopOp

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.result import Register
from ketline.execution.circuit.dynamic import is_dynamic, lower_dynamic
from ketline.execution.circuit.passes.inlining import rewritten
from ketline.execution.circuit.passes.lowered import NO_GATES
from ketline.execution.conversion.formulas import Bit, Formula, NoFormula, formula_of, formula_of_value
from ketline.execution.conversion.statements import (
    Apply,
    Assign,
    Barrier,
    Block,
    Branch,
    Break,
    Continue,
    FlatProgram,
    Loop,
    Measure,
    Reset,
    Statement,
)
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.frontend.qpy import library_errors_as_invalid
from ketline.execution.frontend.readers import place_of_operation
from ketline.execution.frontend.text import Position
from ketline.execution.frontend.unroller.values import Measured
from ketline.execution.limits import ExecutionLimits

_Bits = Mapping[Any, int]


def flatten(parsed: ParsedProgram, text: str, gates: frozenset[str], limits: ExecutionLimits) -> FlatProgram:
    """The flat program of a program with this text, with only these gates, named as in circuits, and barriers.

    Raises:
        ProgramUnsupported: an operation cannot be made of these gates; some shots of the program may fail.
        ProgramTooLarge: it expands to more operations or bits than the limits allow.
    """
    with library_errors_as_invalid("the program cannot be taken apart"):
        return _flattened(parsed, text, gates, limits)


def _flattened(parsed: ParsedProgram, text: str, gates: frozenset[str], limits: ExecutionLimits) -> FlatProgram:
    circuit, origins = parsed.circuit, None
    native = gates | NO_GATES | {"barrier"}
    if not _is_simple(circuit):
        dynamic = lower_dynamic(circuit, limits)
        for what in dynamic.forbidden.values():
            raise ProgramUnsupported(f"in some shots a classical expression {what}: such a program cannot be converted")
        circuit, origins = dynamic.circuit, dynamic.origins
        native -= {"barrier"}  # `lower_dynamic` adds some
    lowered = rewritten(circuit, native, limits.max_operations, parsed.genuine)
    flat = lowered.circuit
    bits = {bit: index for index, bit in enumerate(flat.clbits)}
    shown = sum(parsed.groups)
    values = [Bit(index) for index in range(shown)] if parsed.values is None else parsed.values
    if sum(len(value.table) for value in values if isinstance(value, Measured)) > limits.max_operations:
        raise ProgramTooLarge("the bits of the program's registers are computed from too many measured bits")
    statements = _block(flat, range(flat.num_qubits), bits)
    places = _places(parsed, text, limits, lowered.origins, origins)
    kept = [number for number, statement in enumerate(statements) if not _is_empty(statement)]
    return FlatProgram(
        qubit_registers=list(_qubit_registers(parsed.circuit, parsed.declared.qubits)),
        single_qubits=parsed.declared.qubits,
        single_bits=parsed.declared.bits,
        registers=[Register(bits=width, name=name) for width, name in zip(parsed.groups, parsed.names, strict=True)],
        bits=flat.num_clbits,
        outputs=[value if isinstance(value, Bit) else formula_of_value(value) for value in values],
        statements=tuple(statements[number] for number in kept),
        place=lambda statement: places(kept[statement]),
    )


def _places(
    parsed: ParsedProgram, text: str, limits: ExecutionLimits, lowered: Sequence[int], dynamic: Sequence[int] | None
) -> Callable[[int], Position | None]:
    def place(statement: int) -> Position | None:
        operation = lowered[statement]
        return place_of_operation(parsed, operation if dynamic is None else dynamic[operation], text, limits)

    return place


def _is_simple(circuit: Any) -> bool:
    """Whether a circuit's classical operations are assignments, branches and `while` loops over bits and registers."""
    return not circuit.num_vars and all(_is_simple_operation(instruction.operation) for instruction in circuit.data)


def _is_simple_operation(operation: Any) -> bool:
    try:
        match operation:
            case Store():
                return isinstance(formula_of(operation.lvalue, _any), Bit) and _has_formula(operation.rvalue)
            case IfElseOp() | WhileLoopOp():
                return _has_formula(operation.condition) and all(map(_is_simple, operation.blocks))
            case BreakLoopOp() | ContinueLoopOp() | Gate():
                return True
            case ControlFlowOp():
                return operation.name == "box" and not is_dynamic(operation.blocks[0])
    except NoFormula:
        return False
    definition = None if operation.name == "measure" else getattr(operation, "definition", None)
    return definition is None or not operation.num_clbits


def _has_formula(node: Any) -> bool:
    formula_of(node, _any)
    return True


def _any(_bit: Any) -> int:
    return 0


def _qubit_registers(circuit: Any, names: Mapping[int, str]) -> Iterator[Register]:
    """The registers in the order of their qubits; a run of qubits in none, or in several, has no name.

    `names` are other names of registers, by the position of their first qubit.
    """
    starts = {register[0]: register for register in reversed(circuit.qregs) if len(register)}
    position = loose = 0
    while position < circuit.num_qubits:
        register = starts.get(circuit.qubits[position])
        if register is None or circuit.qubits[position : position + len(register)] != list(register):
            position, loose = position + 1, loose + 1
            continue
        if loose:
            yield Register(bits=loose)
            loose = 0
        yield Register(bits=len(register), name=names.get(position, register.name))
        position += len(register)
    if loose:
        yield Register(bits=loose)


def _block(circuit: Any, qubits: Sequence[int], bits: _Bits) -> Block:
    index_of = dict(zip(circuit.qubits, qubits, strict=True))
    return tuple(
        _statement(instruction, tuple(index_of[qubit] for qubit in instruction.qubits), bits)
        for instruction in circuit.data
    )


def _statement(instruction: Any, qubits: tuple[int, ...], bits: _Bits) -> Statement:
    operation = instruction.operation
    match operation.name:
        case "measure":
            return Measure(qubits[0], bits[instruction.clbits[0]])
        case "reset":
            return Reset(qubits[0])
        case "barrier":
            return Barrier(qubits)
        case "store":
            return Assign(bits[operation.lvalue.var], _formula(operation.rvalue, bits))
        case "if_else":
            then, *otherwise = [_inner(block, instruction, qubits, bits) for block in operation.blocks]
            return Branch(_formula(operation.condition, bits), then, otherwise[0] if otherwise else ())
        case "while_loop":
            return Loop(_formula(operation.condition, bits), _inner(operation.blocks[0], instruction, qubits, bits))
        case "break_loop":
            return Break()
        case "continue_loop":
            return Continue()
    angles = () if operation.name == "unitary" else tuple(map(float, operation.params))
    return Apply(operation.name, angles, qubits, operation)


def _formula(node: Any, bits: _Bits) -> Formula:
    return formula_of(node, lambda bit: bits[bit])


def _inner(block: Any, instruction: Any, qubits: Sequence[int], bits: _Bits) -> Block:
    """The statements of a block; bits that it does not bind are those of the surrounding block."""
    bound = (bits[bit] for bit in instruction.clbits)
    statements = _block(block, qubits, {**bits, **dict(zip(block.clbits, bound, strict=True))})
    return tuple(statement for statement in statements if not _is_empty(statement))


def _is_empty(statement: Statement) -> bool:
    """Whether a statement is a branch without effect, as the unroller writes for conditions of flags."""
    return isinstance(statement, Branch) and not statement.then and not statement.otherwise
