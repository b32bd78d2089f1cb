"""Random programs in the scanner's language and a little beyond it, in all the spellings it allows.

Every choice comes from one `random.Random`, so that Hypothesis can make the choices and shrink them.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from qiskit_qasm3_import import converter

from ketline.execution.frontend.scanner import scan
from ketline.execution.limits import ExecutionLimits

GATES = {name: (parameters, qubits) for name, (_, parameters, qubits) in converter._STDGATES.items()}
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_BLANKS = (
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    " /* c; q[0] \n*/ ",
    " // h q[0];\n",
    "\r",
    " /**/ ",
    " //é \r",
    "\n\n",
)
_NAMES = (
    "q",
    "c",
    "Q",
    "_r",
    "alpha",
    "θ",
    "été",
    "x1",
    "reg_2",
    "sinus",
    "measured",
    "gates",
    "ℇx",
    "Ωmega",
)
_CONSTANTS = ("pi", "π", "tau", "τ", "euler", "ℇ")
_FLOATS = ("0.5", "1.", ".25", "1e-3", "2.5E+2", "3e2", "0.1", "1_0.5", "00.5", "1e400", "6.283185307179586")
_INTEGERS = ("0", "1", "2", "3", "7", "010", "1_0", "99999999999", "0x1F", "0b11")
_INDICES = (
    "0",
    "1",
    "-1",
    "{0, 1}",
    "{1,0,}",
    "0:1",
    "0:2:3",
    "-2:-1",
    "1:0",
    "2:-1:0",
    ":",
    "1:",
    ":1",
    "{0,0}",
    "2-1",
    "9",
    "0:9",
)


class ProgramMaker:
    """Makes one program."""

    def __init__(self, choices: Random, inputs: Mapping[str, str] | None = None) -> None:
        """`inputs` are the types of inputs to declare and use, by name."""
        self._choices = choices
        self._inputs = inputs or {}
        self._qubits: dict[str, int | None] = {}
        self._bits: dict[str, int | None] = {}
        self._gates: dict[str, tuple[int, int]] = {"U": (3, 1)}
        self._plain = self._chance(0.5)
        self._depth = 0  # of the branches around a statement

    def program(self) -> str:
        parts = [self._header(), *(f"input {kind} {name};" for name, kind in self._inputs.items())]
        declarations = [self._qubit_declaration(), self._qubit_declaration(), self._bit_declaration()]
        declarations += [self._declaration() for _ in range(self._choices.randrange(3))]
        parts += declarations
        makers = (*self._inner_makers, self._definition)
        parts += [self._choices.choice(makers)() for _ in range(self._choices.randrange(1, 10))]
        parts.append(self._measurement())
        return self._blank(0.3).join(parts) + self._choices.choice(("", "\n", "// end", "\n/* end */ "))

    @property
    def _inner_makers(self) -> Sequence[Callable[[], str]]:
        """What makes statements that may be in a block."""
        return (self._call, self._call, self._call, self._measurement, self._other, self._branch)

    def _chance(self, probability: float) -> bool:
        return self._choices.random() < probability

    def _blank(self, probability: float = 0.15) -> str:
        if self._plain:
            return ""
        return self._choices.choice(_BLANKS) if self._chance(probability) else ""

    def _space(self) -> str:
        return " " if self._plain else self._choices.choice(_BLANKS)

    def _spaced(self, *pieces: str) -> str:
        return self._blank().join(pieces)

    def _header(self) -> str:
        choices = ("OPENQASM 3.0;", "OPENQASM 3;", "OPENQASM 3.1;", "OPENQASM  3.0 ;", "", "// c\nOPENQASM 3.0;\n")
        header = self._choices.choice(choices)
        if self._chance(0.9):
            self._gates |= GATES
            header += f'{self._blank()}include "stdgates.inc"{self._blank()};'
        return header

    def _name(self) -> str:
        return self._choices.choice(_NAMES)

    def _declaration(self) -> str:
        return self._choices.choice((self._qubit_declaration, self._bit_declaration))()

    def _qubit_declaration(self) -> str:
        return self._declare("qubit", "qreg", self._qubits)

    def _bit_declaration(self) -> str:
        return self._declare("bit", "creg", self._bits)

    def _declare(self, word: str, old_word: str, declared: dict[str, int | None]) -> str:
        name = self._name()
        while name in self._qubits or name in self._bits:
            name += self._choices.choice("abc_1é")
        size = self._choices.choice((None, 1, 2, 3, 4))
        declared[name] = size
        if self._chance(0.2):
            brackets = "" if size is None else self._spaced("[", str(size), "]")
            return f"{old_word}{self._space()}{self._spaced(name, brackets, ';')}"
        if size is None:
            return f"{word}{self._space()}{self._spaced(name, ';')}"
        return f"{word}{self._spaced('', '[', str(size), ']', name, self._initial(word), ';')}"

    def _initial(self, word: str) -> str:
        return (
            f"= measure {self._operand(self._qubits)}" if word == "bit" and self._chance(0.1) and self._qubits else ""
        )

    def _operand(self, declared: dict[str, int | None], *, whole: float = 0.3) -> str:
        name = self._choices.choice(list(declared))
        size = declared[name]
        if (size is None and self._chance(0.98)) or self._chance(whole):
            return name
        good = str(self._choices.randrange(size or 1))
        index = good if self._chance(0.8) else self._choices.choice(_INDICES)
        return self._spaced(name, "[", index, "]")

    def _expression(self, depth: int = 0, names: Sequence[str] = ()) -> str:
        kind = self._choices.randrange(8 if depth < 3 else 4)
        match kind:
            case 0:
                return self._choices.choice(_FLOATS[:7]) if self._chance(0.9) else self._choices.choice(_FLOATS)
            case 1:
                return self._choices.choice(_INTEGERS[:5]) if self._chance(0.9) else self._choices.choice(_INTEGERS)
            case 2:
                return self._choices.choice((*_CONSTANTS, *names, *names))
            case 3:
                return repr(self._choices.uniform(-math.tau, math.tau))
            case 4:
                return f"-{self._blank()}{self._expression(depth + 1, names)}"
            case 5:
                return self._spaced("(", self._expression(depth + 1, names), ")")
        operator = self._choices.choice("+-*/*/" if self._chance(0.97) else ("%", "**", "++", "^"))
        return self._spaced(self._expression(depth + 1, names), operator, self._expression(depth + 1, names))

    def _arguments(self, count: int, names: Sequence[str] = ()) -> str:
        if self._chance(0.02):
            count += 1
        if not count:
            return self._space() if self._chance(0.95) else "() "
        listed = self._spaced(",").join(self._expression(0, names) for _ in range(count))
        return f"({listed}{',' if self._chance(0.01) else ''}){self._blank(0.5)}"

    def _call(self) -> str:
        name = self._choices.choice(list(self._gates))
        parameters, count = self._gates[name]
        operands = self._operands(count)
        return f"{name}{self._arguments(parameters, list(self._inputs))}{self._blank().join(self._commas(operands))};"

    def _operands(self, count: int) -> list[str]:
        """Mostly different single qubits, as a gate needs them."""
        sizes = self._qubits.items()
        single = [self._indexed(name, size, str(at)) for name, size in sizes for at in range(size or 1)]
        if 1 < count <= len(single) and self._chance(0.9):
            return self._choices.sample(single, count)
        return [self._operand(self._qubits) for _ in range(count)]

    def _commas(self, pieces: Sequence[str]) -> list[str]:
        return [piece if at == 0 else f",{self._blank()}{piece}" for at, piece in enumerate(pieces)]

    def _measurement(self) -> str:
        qubits, bits = self._pair()
        if self._chance(0.3):
            return f"measure {qubits}{self._blank()}->{self._blank()}{bits};"
        return self._spaced(bits, "=", f"measure{self._space()}{qubits}", ";")

    def _pair(self) -> tuple[str, str]:
        """Operands for a measurement, mostly of one width."""
        qubit, bit = self._choices.choice(list(self._qubits)), self._choices.choice(list(self._bits))
        if self._qubits[qubit] == self._bits[bit] and self._chance(0.7):
            return qubit, bit
        if self._chance(0.1):
            return self._operand(self._qubits), self._operand(self._bits)
        both = min(self._qubits[qubit] or 1, self._bits[bit] or 1)
        index = str(self._choices.randrange(both))
        return self._indexed(qubit, self._qubits[qubit], index), self._indexed(bit, self._bits[bit], index)

    def _indexed(self, name: str, size: int | None, index: str) -> str:
        return name if size is None else f"{name}[{index}]"

    def _other(self) -> str:
        operand = self._operand(self._qubits)
        operands = ", ".join({operand, self._operand(self._qubits)})
        common = (
            f"barrier {operands};",
            f"reset {operand};",
            f"delay[{self._choices.choice(('10ns', '1.5us', '3dt', '.5s', '2µs', '1ms'))}] {operands};",
            f"gphase({self._expression()});",
        )
        rare = (
            "barrier;",
            ";",
            "x $0;",
            f"ctrl @ x {operands};",
            f"if (true) {{ x {operand}; }}",
            f"let z = {operand};",
            "delay[1ns];",
        )
        return self._choices.choice(common if self._chance(0.93) else rare)

    def _branch(self) -> str:
        self._depth += 1
        branch = self._spaced("if", "(", self._condition(), ")", self._block())
        if self._chance(0.4):
            otherwise = self._branch() if self._chance(0.3) and self._depth < 4 else self._block()
            branch += f"{self._blank()}else{self._space()}{otherwise}"
        self._depth -= 1
        return branch

    def _block(self) -> str:
        """The body of a branch: one statement, or any in braces."""
        makers = self._inner_makers if self._depth < 4 else self._inner_makers[:-1]
        if self._chance(0.3):
            return self._choices.choice(makers)()
        statements = [self._choices.choice(makers)() for _ in range(self._choices.randrange(4))]
        return self._blank().join(["{", *statements, "}"])

    def _condition(self) -> str:
        """Mostly one that the scanner reads."""
        name = self._choices.choice(list(self._bits))
        size = self._bits[name]
        if self._chance(0.1):
            operand, number = (
                self._operand(self._bits),
                self._choices.choice(("0", "1", "-1", "true", '"01"', "2+1", "pi")),
            )
        elif size is not None and self._chance(0.5):
            value = self._choices.randrange(1 << size)
            operand, number = name, self._choices.choice((str(value), f'"{value:0{size}b}"'))
        else:
            operand = self._indexed(name, size, str(self._choices.randrange(size or 1)))
            number = self._choices.choice(("0", "1", "true", "false"))
            if self._chance(0.4):
                return self._choices.choice(("", "!", "~")) + operand
        sign = "==" if self._chance(0.8) else self._choices.choice(("!=", "!=", "<", "&&"))
        sides = (operand, sign, number) if self._chance(0.8) else (number, sign, operand)
        return self._spaced(*sides)

    def _definition(self) -> str:
        name = self._name() + self._choices.choice("ghij_")
        parameters = [f"a{at}" if self._chance(0.9) else f"t{at}" for at in range(self._choices.randrange(3))]
        qubits = [f"b{at}" if self._chance(0.99) else "tau" for at in range(self._choices.randrange(1, 4))]
        body = [self._inner(parameters, qubits) for _ in range(self._choices.randrange(5))]
        listed = self._spaced("(", ",".join(parameters), ")") if parameters else self._space()
        if name not in self._gates:
            self._gates[name] = (len(parameters), len(qubits))
        return f"gate{self._space()}{name}{listed}{self._blank(0.5)}{', '.join(qubits)}{{{self._blank().join(body)}}}"

    def _inner(self, parameters: Sequence[str], qubits: Sequence[str]) -> str:
        if self._chance(0.1):
            return self._choices.choice(
                (f"gphase({self._expression(1, parameters)});", f"barrier {', '.join(qubits)};")
            )
        fitting = [name for name, (_, count) in self._gates.items() if count <= len(qubits)]
        name = self._choices.choice(fitting)
        count, width = self._gates[name]
        operands = self._choices.sample(list(qubits), width)
        return f"{name}{self._arguments(count, parameters)}{', '.join(operands)};"


def make_program(choices: Random) -> str:
    return ProgramMaker(choices).program()


def make_program_with_inputs(choices: Random) -> tuple[str, dict[str, float]]:
    """A program whose gates have angles that depend on inputs, and values for these."""
    kinds = ("float", "float[64]", "float [ 64 ]", "angle", "float[32]", "int")
    inputs = {name: choices.choices(kinds, (6, 6, 2, 4, 0.2, 0.2))[0] for name in ("in_a", "in_b")}
    values = {name: choices.choice((choices.uniform(-7, 7), 0.0, 0.5, 2, -1)) for name in inputs}
    return ProgramMaker(choices, inputs).program(), values


def make_flat_program(choices: Random) -> str:
    """A program that the scanner reads, mostly."""
    text = make_program(choices)
    for _ in range(5):
        if scan(text, ExecutionLimits()) is not None:
            break
        text = make_program(choices)
    return text


def make_fragments(choices: Random) -> str:
    """A text of pieces of the language in any order."""
    pieces = [choices.choice(_INSERTIONS) for _ in range(choices.randrange(1, 12))]
    return choices.choice(_BEGINNINGS) + choices.choice(("", " ")).join(pieces) + choices.choice(("", ";"))


def mutate(text: str, choices: Random) -> str:
    """A text a few edits away: characters and tokens removed, doubled, moved, exchanged or put in."""
    for _ in range(choices.choice((1, 1, 2, 3))):
        text = choices.choice((_with_token_exchanged, _with_token_exchanged, _with_characters_changed))(text, choices)
    return text


def _with_token_exchanged(text: str, choices: Random) -> str:
    """One token made another one of the text, which often leaves a valid program."""
    tokens = _TOKEN.findall(text)
    if len(tokens) > 1:
        first, other = choices.sample(range(len(tokens)), 2)
        tokens[first] = choices.choice((tokens[other], tokens[other], tokens[first] * 2, choices.choice(_INSERTIONS)))
    return "".join(tokens)


def _with_characters_changed(text: str, choices: Random) -> str:
    at = choices.randrange(len(text) + 1)
    end = min(len(text), at + choices.choice((1, 1, 1, 2, 5, 20)))
    new = choices.choice(_INSERTIONS)
    return choices.choice(
        (text[:at] + text[end:], text[:at] + new + text[at:], text[:at] + new + text[end:], text[:end] + text[at:])
    )


_INSERTIONS = (
    *";,()[]{}:=-+*/%@$#\"'._!<>&|^~? \n\t\r\f\v\x00é²٣\u00a0\u2028",
    *(
        "->",
        "**",
        "++",
        "//",
        "/*",
        "*/",
        "if",
        "if (c)",
        "if (c == 1) {",
        "else",
        "} else {",
        "1",
        "q[0]",
        "pi",
        "0.5",
        "1e",
        "ns",
        "inf",
        "nan",
        "{0,1}",
        "-1",
        "0x1",
    ),
    *("gate ", "qubit ", "bit ", "measure ", "include ", "OPENQASM 3.0;", "def", "let ", "const ", "input ", "pragma "),
    *(
        "U",
        "h",
        "id ",
        "x q;",
        "sin(1)",
        "pow(2,3)",
        "2**3",
        "5%2",
        "ctrl @ ",
        "inv @ ",
        "[0]",
        "[0:1]",
        "end;",
        "q",
        "c",
    ),
    *("true", "im", "barrier q;", "reset ", "delay[1ns]", "gphase(1);", "a", "b0", "τ"),
)

_BEGINNINGS = (
    "",
    "OPENQASM 3.0;",
    'include "stdgates.inc"; qubit[2] q; bit[2] c; ',
    "qubit[2] q; int[4] a = 1; bit[2] c; ",
)
