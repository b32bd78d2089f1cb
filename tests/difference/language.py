"""Programs as trees, and what they look like in OpenQASM 3."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kind:
    """A classical type; `width` is None where the program gives none."""

    name: Literal["int", "uint", "float", "bool"]
    width: int | None = None

    def __str__(self) -> str:
        return self.name if self.width is None else f"{self.name}[{self.width}]"


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; a negative one is written with a sign."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Pi:
    """The constant."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a constant, a loop's variable or a gate's parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    sign: Literal["-", "~", "!"]
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Cast:
    kind: Kind
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Bit:
    """One bit of a register."""

    register: str
    place: int


@dataclass(frozen=True, slots=True)
class Whole:
    """A register, as an unsigned number."""

    register: str


Expression = Number | Pi | Name | Unary | Binary | Cast | Bit | Whole


@dataclass(frozen=True, slots=True)
class Declare:
    kind: Kind
    name: str
    value: Expression
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """`sign` is empty, or that of a compound assignment without its `=`."""

    name: str
    sign: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Apply:
    """A gate: `x`, `h`, `rx`, `cx`, or one that the program defines."""

    gate: str
    arguments: Sequence[Expression]
    qubits: Sequence[Expression]


@dataclass(frozen=True, slots=True)
class Measure:
    qubit: int
    register: str
    place: int


@dataclass(frozen=True, slots=True)
class If:
    condition: Expression
    then: Sequence["Statement"]
    otherwise: Sequence["Statement"]


@dataclass(frozen=True, slots=True)
class For:
    """`values` are those of a set, or start, step and end of a range."""

    kind: Kind
    name: str
    values: Sequence[Expression]
    is_range: bool
    body: Sequence["Statement"]


@dataclass(frozen=True, slots=True)
class While:
    condition: Expression
    body: Sequence["Statement"]


@dataclass(frozen=True, slots=True)
class Switch:
    target: Expression
    cases: Sequence[tuple[Sequence[Expression], Sequence["Statement"]]]
    default: Sequence["Statement"]


@dataclass(frozen=True, slots=True)
class Leave:
    word: Literal["break", "continue"]


Statement = Declare | Assign | Apply | Measure | If | For | While | Switch | Leave


@dataclass(frozen=True, slots=True)
class GateDefinition:
    """A gate on one qubit that turns about X by an expression of its parameters."""

    name: str
    parameters: Sequence[str]
    angle: Expression


@dataclass(frozen=True, slots=True)
class Program:
    """`registers` have their widths, in the order of declaration, `inputs` their types and the values of a task."""

    qubits: int
    registers: Sequence[tuple[str, int]]
    inputs: Sequence[tuple[Kind, str, int | float | bool]]
    gates: Sequence[GateDefinition]
    body: Sequence[Statement]


# How tightly operators bind. Source: OpenQASM 3 specification, "Classical instructions", table of precedence.
_SIGNS = ("||", "&&", "|", "^", "&", "== !=", "< <= > >=", "<< >>", "+ -", "* / %")
_RANKS = {sign: rank for rank, signs in enumerate(_SIGNS) for sign in signs.split()}
_UNARY_RANK = len(_SIGNS)
_POWER_RANK = _UNARY_RANK + 1
_ATOM_RANK = _UNARY_RANK + 2


def text_of(program: Program) -> str:
    """The program in OpenQASM 3, with no more parentheses than it needs."""
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += [f"input {kind} {name};" for kind, name, _ in program.inputs]
    for gate in program.gates:
        lines.append(f"gate {gate.name}({', '.join(gate.parameters)}) t {{ rx({expression_text(gate.angle)}) t; }}")
    lines.append(f"qubit[{program.qubits}] q;")
    lines += [f"bit[{width}] {name};" for name, width in program.registers]
    lines += _block(program.body)
    return "\n".join(lines) + "\n"


def expression_text(node: Expression, least_rank: int = 0) -> str:
    text, rank = _text_and_rank(node)
    return text if rank >= least_rank else f"({text})"


def _text_and_rank(node: Expression) -> tuple[str, int]:
    match node:
        case Number(value):
            return repr(value), _ATOM_RANK if value >= 0 else _UNARY_RANK
        case Pi():
            return "pi", _ATOM_RANK
        case Name(name) | Whole(name):
            return name, _ATOM_RANK
        case Bit(register, place):
            return f"{register}[{place}]", _ATOM_RANK
        case Cast(kind, operand):
            return f"{kind}({expression_text(operand)})", _ATOM_RANK
        case Unary(sign, operand):
            return sign + expression_text(operand, _UNARY_RANK), _UNARY_RANK
        case Binary("**", left, right):
            exponent = expression_text(right, _UNARY_RANK if isinstance(right, Number) else _POWER_RANK)
            return f"{expression_text(left, _ATOM_RANK)} ** {exponent}", _POWER_RANK
        case Binary(sign, left, right):
            rank = _RANKS[sign]
            return f"{expression_text(left, rank)} {sign} {expression_text(right, rank + 1)}", rank


def _block(statements: Sequence[Statement]) -> list[str]:
    return [f"  {line}" for statement in statements for line in _statement(statement)]


def _statement(node: Statement) -> list[str]:
    match node:
        case Declare(kind, name, value, constant):
            return [f"{'const ' if constant else ''}{kind} {name} = {expression_text(value)};"]
        case Assign(name, sign, value):
            return [f"{name} {sign}= {expression_text(value)};"]
        case Apply(gate, arguments, qubits):
            given = f"({', '.join(map(expression_text, arguments))})" if arguments else ""
            return [f"{gate}{given} {', '.join(f'q[{expression_text(qubit)}]' for qubit in qubits)};"]
        case Measure(qubit, register, place):
            return [f"{register}[{place}] = measure q[{qubit}];"]
        case Leave(word):
            return [f"{word};"]
        case If() | Switch():
            return _branches(node)
        case For() | While():
            return [_head_of_loop(node), *_block(node.body), "}"]


def _branches(node: If | Switch) -> list[str]:
    if isinstance(node, If):
        lines = [f"if ({expression_text(node.condition)}) {{", *_block(node.then)]
        return [*lines, *(["} else {", *_block(node.otherwise)] if node.otherwise else []), "}"]
    lines = [f"switch ({expression_text(node.target)}) {{"]
    for labels, body in node.cases:
        lines += [f"case {', '.join(map(expression_text, labels))} {{", *_block(body), "}"]
    return [*lines, *(["default {", *_block(node.default), "}"] if node.default else []), "}"]


def _head_of_loop(node: For | While) -> str:
    if isinstance(node, While):
        return f"while ({expression_text(node.condition)}) {{"
    listed = (":" if node.is_range else ", ").join(map(expression_text, node.values))
    return f"for {node.kind} {node.name} in {f'[{listed}]' if node.is_range else f'{{{listed}}}'} {{"
