"""Writes the OpenQASM 3 program of a circuit: declarations first, then one statement for each operation.

The modules of the libraries, such as `cirq.py`, write with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ketline.client.convert.definitions import DEFINITIONS
from ketline.client.convert.names import ProgramNames
from ketline.client.convert.program import ConvertedProgram

# Reserved, so that no register or input of a circuit takes the name of a gate that is defined for it.
_OWN_GATES = frozenset(DEFINITIONS)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a gate: its qubits, the controls first, with the state of each control; angles are expressions."""

    gate: str
    qubits: tuple[str, ...] = ()
    angles: tuple[str, ...] = ()
    controls: tuple[bool, ...] = ()

    def controlled(self, qubits: Sequence[str], states: Sequence[bool]) -> "Call":
        """The same call with more controls, before those it has."""
        return Call(self.gate, (*qubits, *self.qubits), self.angles, (*states, *self.controls))

    def __str__(self) -> str:
        modifiers = "".join("ctrl @ " if state else "negctrl @ " for state in self.controls)
        angles = f"({', '.join(self.angles)})" if self.angles else ""
        return f"{modifiers}{self.gate}{angles} {', '.join(self.qubits)}".rstrip() + ";"


class ProgramWriter:
    """Collects the parts of one program; bits and qubits are given by their text, such as `q[0]`."""

    def __init__(self) -> None:
        self._names = ProgramNames(_OWN_GATES)
        self._declarations: list[str] = []
        self._definitions: dict[str, str] = {}
        self._registers: dict[str, str] = {}
        self._inputs: dict[str, str] = {}
        self._statements: list[str] = []
        self._indent = ""

    def qubits(self, name: str, size: int) -> Sequence[str]:
        """Declare a register of qubits, and return the text of each."""
        return self._declare("qubit", self._names.fresh(name), size)

    def register(self, name: str, size: int) -> Sequence[str]:
        """Declare a register of bits of this name in the circuit, and return the text of each."""
        ours = self._names.fresh(name)
        self._registers[ours] = name
        return self._declare("bit", ours, size)

    def _declare(self, kind: str, name: str, size: int) -> Sequence[str]:
        if size:
            self._declarations.append(f"{kind}[{size}] {name};")
        return [f"{name}[{index}]" for index in range(size)]

    def input(self, name: str) -> str:
        """The program's name of a free parameter, which becomes an `input float`."""
        if name not in self._inputs:
            self._inputs[name] = self._names.fresh(name)
        return self._inputs[name]

    def call(self, *calls: Call) -> None:
        for call in calls:
            if call.gate in DEFINITIONS:
                self._definitions[call.gate] = DEFINITIONS[call.gate]
            self.statement(str(call))

    def statement(self, text: str) -> None:
        self._statements.append(self._indent + text)

    @contextmanager
    def branch(self, condition: str | None) -> Iterator[None]:
        """A context in which statements are written that run where the condition holds; without one, always."""
        if condition is None:
            yield
            return
        self.statement(f"if ({condition}) {{")
        before, self._indent = self._indent, self._indent + "  "
        yield
        self._indent = before
        self.statement("}")

    def program(self) -> ConvertedProgram:
        inputs = [f"input float {name};" for name in self._inputs.values()]
        head = ["OPENQASM 3.0;", 'include "stdgates.inc";', *self._definitions.values(), *inputs, *self._declarations]
        text = "\n".join([*head, *self._statements, ""])
        return ConvertedProgram(text=text, registers=self._registers, inputs=self._inputs)
