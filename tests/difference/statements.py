"""Random statements of the whole language, many of them wrong: each program is to be run or rejected, nothing else."""

from random import Random

_PRELUDE = (
    'include "stdgates.inc"; qubit[3] q; qubit r; bit[3] c; bit d; int n = 2; uint[4] u = 9; float f = 0.5; '
    "angle[4] turn = pi / 2; bool b = true; const int k = 3; array[uint[4], 2, 2] m = {{1, 2}, {3, 4}}; "
    "def twice(int x) -> int { return 2 * x; } def look(qubit x) -> bit { bit y = measure x; return y; } "
    "gate g(x) a, b { rx(x) a; cx a, b; } "
)
_NAMES = ("c", "c[0]", "c[1]", "d", "n", "u", "f", "turn", "b", "k", "i", "m[0, 1]", "m[1]", "u[2]", "c[0:1]", "q", "w")
_LITERALS = ("0", "1", "2", "3", "-1", "0.5", "1e3", "pi", "true", "false", '"101"', "0x1F", "2im")
_BINARY = ("+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "&&", "||", "==", "!=", "<", ">=")
_UNARY = ("-", "~", "!")
_TYPES = ("int", "int[4]", "uint[4]", "float", "float[64]", "angle[4]", "bit", "bit[3]", "bool", "uint", "angle")
_FUNCTIONS = ("sin", "arccos", "popcount", "mod", "sqrt", "exp", "log", "twice", "look", "floor")
_TARGETS = ("c", "c[0]", "d", "n", "u", "u[1]", "f", "turn", "b", "k", "m[0, 0]", "m[0]", "c[0:1]", "q", "w")
_ASSIGNMENTS = ("=", "=", "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**=")
_QUBITS = (
    "q[0]",
    "q[1]",
    "q[2]",
    "r",
    "q[0]",
    "q[1]",
    "q[2]",
    "r",
    "q",
    "q[0:1]",
    "q[{0, 2}]",
    "q[n]",
    "q[-1]",
    "w",
    "$0",
)
_MODIFIERS = ("ctrl @ ", "negctrl @ ", "inv @ ", "pow(2) @ ", "pow(0.5) @ ", "ctrl(2) @ ")
_GATES = ("x", "h", "cx", "rx", "g", "U", "gphase", "rzz", "swap", "id", "cx", "ccx", "rz", "x")
_SIZES = {"cx": 2, "g": 2, "rzz": 2, "swap": 2, "ccx": 3, "gphase": 0}


class _Maker:
    def __init__(self, choices: Random) -> None:
        self._choices = choices

    def program(self) -> str:
        return _PRELUDE + self.block(0) + "c = measure q;"

    def block(self, depth: int) -> str:
        return "".join(self.statement(depth) + "\n" for _ in range(self._choices.randrange(1, 4)))

    def statement(self, depth: int) -> str:
        makers = [self.assignment, self.call, self.call, self.measurement, self.declaration, self.other]
        if depth < 3:
            makers += [self.branch, self.loop, self.while_loop, self.switch]
        return self._choices.choice(makers)(depth)

    def expression(self, depth: int = 0) -> str:
        kind = self._choices.randrange(8 if depth < 3 else 3)
        inner = depth + 1
        match kind:
            case 0 | 1:
                return self._choices.choice(_NAMES)
            case 2:
                return self._choices.choice(_LITERALS)
            case 3:
                return f"{self._choices.choice(_UNARY)}{self.expression(inner)}"
            case 4:
                return f"{self._choices.choice(_TYPES)}({self.expression(inner)})"
            case 5:
                return f"{self._choices.choice(_FUNCTIONS)}({self.expression(inner)})"
        return f"({self.expression(inner)} {self._choices.choice(_BINARY)} {self.expression(inner)})"

    def assignment(self, _depth: int) -> str:
        return f"{self._choices.choice(_TARGETS)} {self._choices.choice(_ASSIGNMENTS)} {self.expression()};"

    def declaration(self, _depth: int) -> str:
        name = self._choices.choice(("v", "w", "n", "z"))
        word = self._choices.choice(("", "", "", "const ", "let "))
        value = "" if not word and self._choices.random() < 0.2 else f" = {self.expression()}"
        return f"{word}{'' if word == 'let ' else self._choices.choice(_TYPES)} {name}{value};"

    def call(self, _depth: int) -> str:
        gate = self._choices.choice(_GATES)
        modifiers = "".join(self._choices.choice(_MODIFIERS) for _ in range(self._choices.choice((0, 0, 0, 1, 2, 3))))
        size = _SIZES.get(gate, 1) + modifiers.count("ctrl") + modifiers.count("(2) @") - modifiers.count("pow(2)")
        arguments = f"({self.expression(1)})" if gate in ("rx", "rz", "g", "gphase", "rzz") else ""
        operands = ", ".join(self._choices.choice(_QUBITS) for _ in range(size))
        return f"{modifiers}{gate}{arguments} {operands};"

    def measurement(self, _depth: int) -> str:
        qubit = self._choices.choice(_QUBITS)
        return self._choices.choice((f"{self._choices.choice(_TARGETS)} = measure {qubit};", f"measure {qubit} -> d;"))

    def other(self, depth: int) -> str:
        if depth and self._choices.random() < 0.3:
            return f"if ({self.expression(2)}) {self._choices.choice(('break', 'continue'))};"
        choices = ("reset {};", "barrier {};", "delay[1us] {};", "d = look({});", "end;", "box {{ x {}; }}")
        return self._choices.choice(choices).format(self._choices.choice(_QUBITS))

    def branch(self, depth: int) -> str:
        otherwise = f" else {{ {self.block(depth + 1)} }}" if self._choices.random() < 0.4 else ""
        return f"if ({self.expression(1)}) {{ {self.block(depth + 1)} }}{otherwise}"

    def loop(self, depth: int) -> str:
        values = self._choices.choice(("[0:2]", "[2:-1:0]", "{1, 2}", "c", "[0:n]", "[0:u]", "m[0]", "[1:0]"))
        return f"for {self._choices.choice(('int', 'uint[4]', 'bit'))} i in {values} {{ {self.block(depth + 1)} }}"

    def while_loop(self, depth: int) -> str:
        return f"while ({self.expression(1)}) {{ {self.block(depth + 1)} n -= 1; d = measure r; }}"

    def switch(self, depth: int) -> str:
        target = self._choices.choice(("n", "int(c)", "uint[3](c)", "u", "k", "d"))
        return f"switch ({target}) {{ case 1, 2 {{ {self.block(depth + 1)} }} default {{ {self.block(depth + 1)} }} }}"


def make_statements(choices: Random) -> str:
    return _Maker(choices).program()
