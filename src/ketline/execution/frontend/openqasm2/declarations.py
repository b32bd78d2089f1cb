"""The registers and gates of a program, as declared up to the statement that `checker.py` checks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ketline.execution.frontend.mistakes.suggestions import did_you_mean
from ketline.execution.frontend.openqasm2.cursor import Mistake
from ketline.execution.frontend.openqasm2.gates import BUILTIN_GATES, LIBRARY_GATES
from ketline.execution.frontend.openqasm2.outline import Signature
from ketline.execution.frontend.openqasm2.tokens import Token
from ketline.execution.frontend.text import position_of

# Words of OpenQASM 3, with their counterparts in version 2.
_VERSION_3 = {
    "qubit": "write 'qreg q[2];'",
    "bit": "write 'creg c[2];'",
    "U2": "write 'u2'",
    "gphase": "a global phase has no effect here: leave it out",
}
_VERSION_3_ONLY = frozenset(
    {"angle", "array", "bool", "box", "cal", "complex", "const", "ctrl", "def", "defcal", "delay", "duration", "else"}
    | {"end", "extern", "float", "for", "in", "input", "int", "inv", "let", "negctrl", "output", "pow", "pragma"}
    | {"return", "stretch", "switch", "uint", "while"}
)
WORDS = frozenset({"OPENQASM", "include", "qreg", "creg", "gate", "opaque", "if", "measure", "reset", "barrier", "pi"})
_DEFINITION = re.compile(r"\bgate\s+(\w+)|\bopaque\s+(\w+)|\b[qc]reg\s+(\w+)")
_NAME = re.compile(r"[a-z][A-Za-z0-9_]*+")


@dataclass(frozen=True, slots=True)
class Register:
    """A register of the program and the line of its declaration; `size` is None if the declaration is invalid."""

    is_quantum: bool
    size: int | None
    line: int

    @property
    def described(self) -> str:
        return "a register of qubits" if self.is_quantum else "a register of bits"

    @property
    def element(self) -> str:
        return "qubit" if self.is_quantum else "bit"


@dataclass(slots=True)
class Declarations:
    """Registers and gates that are declared so far; `later` has the lines of all gates that are defined somewhere.

    `hidden` are the names that the program itself defines, which hide those of the library. An unknown gate is reported
    only once.
    """

    later: Mapping[str, int]
    hidden: frozenset[str]
    registers: dict[str, Register] = field(default_factory=dict)
    gates: dict[str, Signature | None] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def declare(self, name: Token, line: int) -> None:
        """Record the declaration of a name.

        Raises:
            Mistake: the name is in use, or a word of the language.
        """
        if name.text in BUILTIN_GATES:
            raise Mistake(name.start, f"'{name.text}' is a gate of the language itself: choose another name")
        require_name(name)
        if (before := self.lines.get(name.text)) is not None:
            raise Mistake(name.start, f"'{name.text}' is already defined, in line {before}: choose another name")
        self.lines[name.text] = line

    def gate(self, name: Token, defining: str | None) -> Signature | None:
        """The signature of a gate, None if it is not known.

        Raises:
            Mistake: there is no such gate.
        """
        if name.text in self.gates:
            return self.gates[name.text]
        library = BUILTIN_GATES.get(name.text) or LIBRARY_GATES.get(name.text)
        if library is not None and name.text not in self.hidden:
            return library
        if (register := self.registers.get(name.text)) is not None:
            raise Mistake(name.start, f"'{name.text}' is {register.described}, not a gate")
        self.gates[name.text] = None
        raise Mistake(name.start, self._undefined(name.text, defining))

    def register(self, name: Token, *, is_quantum: bool) -> Register:
        """The register of a name.

        Raises:
            Mistake: there is none, or it has the other kind.
        """
        register = self.registers.get(name.text)
        kind = "qreg" if is_quantum else "creg"
        if register is None:
            hint = did_you_mean(name.text, self.registers) or f": declare it first, as in '{kind} {name.text}[2];'"
            self.registers[name.text] = Register(is_quantum, None, 0)
            raise Mistake(name.start, f"'{name.text}' is not defined{hint}")
        if register.is_quantum != is_quantum and register.size is not None:
            needed = "a qubit" if is_quantum else "a bit"
            raise Mistake(name.start, f"'{name.text}' is {register.described}, and {needed} is needed here")
        return register

    def _undefined(self, name: str, defining: str | None) -> str:
        if name == defining:
            return f"gate '{name}' is not defined before its own end: a gate cannot call itself"
        if (line := self.later.get(name)) is not None:
            return f"gate '{name}' is not defined before line {line}: move its definition before this line"
        if (instead := _VERSION_3.get(name)) is not None:
            return f"'{name}' is OpenQASM 3, and the program is OpenQASM 2: {instead}"
        if name in _VERSION_3_ONLY:
            return f"'{name}' is OpenQASM 3, and the program is OpenQASM 2: its header says 'OPENQASM 2.0;'"
        known = {*self.gates, *LIBRARY_GATES, *BUILTIN_GATES, *WORDS} - {name}
        hint = did_you_mean(name, known) or f": define it before it is called, as in 'gate {name} a {{ ... }}'"
        return f"gate '{name}' is not defined{hint}"


def require_name(name: Token) -> None:
    """Reject a token that is not a valid name.

    Raises:
        Mistake: it is not.
    """
    if name.text in WORDS:
        raise Mistake(name.start, f"'{name.text}' is a word of the language: choose another name")
    if not _NAME.fullmatch(name.text):
        rule = "names begin with a small letter of a to z; more letters, digits and '_' may follow"
        raise Mistake(name.start, f"'{name.text}' is no name of OpenQASM 2: {rule}")


def declared_names(text: str) -> tuple[dict[str, int], frozenset[str]]:
    """The gates that a text defines, with the line of each, and all names that it declares."""
    gates: dict[str, int] = {}
    names = set()
    for found in _DEFINITION.finditer(text):
        name = found[1] or found[2] or found[3]
        if found[1]:
            gates.setdefault(name, position_of(text, found.start()).line)
        if (found[2], name) != ("delay", "delay"):
            names.add(name)
    return gates, frozenset(names)
