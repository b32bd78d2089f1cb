"""Random programs in OpenQASM 2, as trees and as texts.

A program is made as a tree, which `openqasm2_meaning.py` evaluates, and written as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.difference.openqasm2_gates import LIBRARY

# Names that mean something in Qiskit, and not in the language.
_NAMES_OF_QISKIT = ["store", "unitary", "if_else", "box", "initialize", "measure_2", "global_phase", "ecr", "iswap"]
_TRICKY_TO_QISKIT = {"store"}


class Operand(NamedTuple):
    """A register, or its element of a place."""

    register: str
    place: int | None = None

    @property
    def written(self) -> str:
        return self.register if self.place is None else f"{self.register}[{self.place}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A call of a gate, `measure` or `reset`; a measurement has its target last. `value` is that of its condition."""

    name: str
    angles: Sequence[str] = ()
    operands: Sequence[Operand]
    condition: str | None = None
    value: int = 0

    @property
    def written(self) -> str:
        angles = f"({','.join(self.angles)})" if self.angles else ""
        separator = " -> " if self.name == "measure" else ","
        head = f"if ({self.condition}=={self.value}) " if self.condition else ""
        return f"{head}{self.name}{angles} {separator.join(one.written for one in self.operands)};"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    name: str
    parameters: Sequence[str]
    qubits: Sequence[str]
    body: Sequence[Statement]

    @property
    def written(self) -> str:
        parameters = f"({','.join(self.parameters)})" if self.parameters else ""
        body = " ".join(one.written for one in self.body)
        return f"gate {self.name}{parameters} {','.join(self.qubits)} {{ {body} }}"


@dataclass(slots=True, kw_only=True)
class Program:
    """A program; Qiskit reads it as it is meant only if `is_plain`."""

    qubits: Mapping[str, int]
    bits: Mapping[str, int]
    definitions: dict[str, Definition] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    has_include: bool = True

    @property
    def is_plain(self) -> bool:
        names = self.definitions.keys()
        return (
            names.isdisjoint(LIBRARY)
            and names.isdisjoint(_TRICKY_TO_QISKIT)
            and not any(map(_asks_itself, self.statements))
        )

    def written(self, choices: Random, *, include: bool | None = None) -> str:
        lines = ["OPENQASM 2.0;"]
        if self.has_include if include is None else include:
            lines.append('include "qelib1.inc";')
        lines += [one.written for one in self.definitions.values()]
        lines += [f"qreg {name}[{size}];" for name, size in self.qubits.items()]
        lines += [f"creg {name}[{size}];" for name, size in self.bits.items()]
        lines += [one.written for one in self.statements]
        return "\n".join(line + choices.choice(["", "", "", " // gate x a { }"]) for line in lines)


def _asks_itself(statement: Statement) -> bool:
    """Whether a measurement of several bits changes what its condition reads, before which Qiskit reads it again."""
    return statement.name == "measure" and statement.operands[-1] == (statement.condition, None)


def make_openqasm2(choices: Random) -> Program:
    """A program of up to five qubits and four measurements."""
    return _Maker(choices).make()


class _Maker:
    def __init__(self, choices: Random) -> None:
        self._choices = choices
        self._planned: list[str] = []
        self._program = Program(
            qubits={"q": choices.randint(1, 3), "r": choices.randint(1, 2)},
            bits={"c": choices.randint(1, 3), "d": choices.randint(1, 2)},
            has_include=choices.random() < 0.7,
        )

    def make(self) -> Program:
        shadows = self._choices.random() < 0.4
        names = list(LIBRARY.keys() - {"U", "CX"}) if shadows else ["g", "h2", "w", *_NAMES_OF_QISKIT]
        self._planned = self._choices.sample(sorted(names), self._choices.randrange(4))
        for name in self._planned:
            self._define(name)
        splits = 0
        for _ in range(self._choices.randint(2, 12)):
            statement = self._statement()
            if statement.name in ("measure", "reset"):
                splits += self._width(statement)
            if splits > 5:
                break
            self._program.statements.append(statement)
        self._program.statements.append(self._measure(whole=False))
        return self._program

    def _define(self, name: str) -> None:
        parameters = ["a", "rx", "t"][: self._choices.randrange(4)]
        qubits = ["x", "b", "q"][: self._choices.randint(1, 3)]
        body = [self._call(qubits, parameters) for _ in range(self._choices.randrange(4))]
        self._program.definitions[name] = Definition(name=name, parameters=parameters, qubits=qubits, body=body)

    def _call(self, qubits: Sequence[str], parameters: Sequence[str]) -> Statement:
        name, takes, width = self._gate(len(qubits))
        operands = [Operand(one) for one in self._choices.sample(list(qubits), width)]
        return Statement(name=name, angles=[self._angle(parameters) for _ in range(takes)], operands=operands)

    def _gate(self, most_qubits: int) -> tuple[str, int, int]:
        """A gate that is defined so far, preferably the program's own, with what it takes."""
        own = {one.name: (len(one.parameters), len(one.qubits)) for one in self._program.definitions.values()}
        library = {name: gate for name, gate in LIBRARY.items() if name not in self._planned}
        known = {name: (gate.parameters, gate.qubits) for name, gate in library.items()} | own
        fitting = {name: takes for name, takes in known.items() if takes[1] <= most_qubits}
        preferred = [name for name in own if name in fitting]
        name = self._choices.choice(preferred if preferred and self._choices.random() < 0.4 else list(fitting))
        return name, *fitting[name]

    def _statement(self) -> Statement:
        kind = self._choices.random()
        if kind < 0.2:
            statement = self._measure(whole=self._choices.random() < 0.5)
        elif kind < 0.25:
            statement = Statement(name="reset", operands=[self._qubit()])
        else:
            statement = self._outer_call()
        if self._choices.random() < 0.25:
            condition = self._choices.choice(list(self._program.bits))
            value = self._choices.randrange(2 ** self._program.bits[condition] + 1)
            return Statement(
                name=statement.name,
                angles=statement.angles,
                operands=statement.operands,
                condition=condition,
                value=value,
            )
        return statement

    def _outer_call(self) -> Statement:
        everything = [Operand(name, index) for name, size in self._program.qubits.items() for index in range(size)]
        name, takes, width = self._gate(len(everything))
        operands = self._choices.sample(everything, width)
        if width == 1 and self._choices.random() < 0.3:
            operands = [Operand(operands[0].register)]
        elif width == 2 and self._choices.random() < 0.2:
            first, second = self._choices.sample(list(self._program.qubits), 2)
            same_size = self._program.qubits[first] == self._program.qubits[second]
            operands = [Operand(first), Operand(second) if same_size else Operand(second, 0)]
        return Statement(name=name, angles=[self._angle(()) for _ in range(takes)], operands=operands)

    def _measure(self, *, whole: bool) -> Statement:
        pairs = [
            (qubits, bits)
            for qubits, size in self._program.qubits.items()
            for bits, width in self._program.bits.items()
            if size == width
        ]
        if whole and pairs:
            return Statement(name="measure", operands=[Operand(name) for name in self._choices.choice(pairs)])
        bits = self._choices.choice(list(self._program.bits))
        index = self._choices.randrange(self._program.bits[bits])
        return Statement(name="measure", operands=[self._qubit(), Operand(bits, index)])

    def _qubit(self) -> Operand:
        name = self._choices.choice(list(self._program.qubits))
        return Operand(name, self._choices.randrange(self._program.qubits[name]))

    def _width(self, statement: Statement) -> int:
        register, index = statement.operands[0]
        return 1 if index is not None else self._program.qubits[register]

    def _angle(self, parameters: Sequence[str], depth: int = 2) -> str:
        simple = [f"{self._choices.uniform(-4, 4):.3f}", "pi", str(self._choices.randrange(5)), "1/2", *parameters]
        if not depth or self._choices.random() < 0.4:
            return self._choices.choice(simple)
        one, other = (self._angle(parameters, depth - 1) for _ in range(2))
        forms = [
            f"{one}+{other}",
            f"{one}-({other})",
            f"({one})*{other}" if not other.startswith("-") else f"-({one})",
            f"({one})/{self._choices.randint(1, 9)}",
            f"sin({one})",
            f"-{one}" if not one.startswith("-") else one,
            f"({one})^2",
            f"2^{self._choices.randrange(4)}^{self._choices.randrange(2)}",
            f"sqrt(({one})^2)*cos({other})",
        ]
        return self._choices.choice(forms)
