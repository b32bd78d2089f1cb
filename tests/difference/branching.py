"""Random programs with the branches that the scanner reads, with their exact outcomes, as in `controlled.py`."""

from random import Random
from textwrap import indent

from ketline.execution.simulators.aer import Simulator
from tests.difference.compare import compare
from tests.difference.controlled import BITS, QUBITS, Controlled, assert_agrees, outcomes_of

_HEADER = f"""OPENQASM 3.0;
include "stdgates.inc";
qubit[{QUBITS}] q;
bit[{BITS}] c;
bit[{BITS}] d;
gate g(t) a, b {{ ry(t) a; gphase(t); cx a, b; }}
"""
_MAX_DEPTH = 3


class _Maker:
    """Writes statements in both languages: a pair of texts each."""

    def __init__(self, choices: Random) -> None:
        self._choices = choices
        self._room = 16

    def program(self) -> Controlled:
        parts = [self._statement(_MAX_DEPTH) for _ in range(self._choices.randint(3, 7))]
        parts.append(("d = measure q;", "\n".join(f"v.d[{i}] = machine.measure({i})" for i in range(QUBITS))))
        text = _HEADER + "\n".join(one for one, _ in parts)
        return Controlled(text, outcomes_of("\n".join(other for _, other in parts)))

    def _statement(self, depth: int) -> tuple[str, str]:
        self._room -= 1
        if depth and self._room > 0 and self._choices.random() < 0.4:
            return self._branch(depth - 1)
        return self._choices.choice((self._gate, self._gate, self._measure, self._measure, self._reset))()

    def _gate(self) -> tuple[str, str]:
        first, second = self._choices.sample(range(QUBITS), 2)
        angle = self._choices.choice((0.4, 1.1, 2.5))
        name = self._choices.choice(("h", "x", "ry", "cx", "g"))
        if name == "cx":
            return f"cx q[{first}], q[{second}];", f"machine.cx({first}, {second})"
        if name == "g":
            turned = f"machine.gate('ry', {first}, {angle})\nmachine.cx({first}, {second})"
            return f"g({angle}) q[{first}], q[{second}];", turned
        given = f"({angle})" if name == "ry" else ""
        return f"{name}{given} q[{first}];", f"machine.gate('{name}', {first}, {angle})"

    def _measure(self) -> tuple[str, str]:
        qubit, bit = self._choices.randrange(QUBITS), self._choices.randrange(BITS)
        spread, code = f"h q[{qubit}]; ", f"machine.gate('h', {qubit})\n"
        if self._choices.random() < 0.4:
            spread = code = ""
        return f"{spread}c[{bit}] = measure q[{qubit}];", f"{code}v.c[{bit}] = machine.measure({qubit})"

    def _reset(self) -> tuple[str, str]:
        qubit = self._choices.randrange(QUBITS)
        return f"reset q[{qubit}];", f"machine.reset({qubit})"

    def _branch(self, depth: int) -> tuple[str, str]:
        text, code = self._condition()
        block, lines = self._block(depth)
        branch, translated = f"if ({text}) {block}", f"if {code}:\n{lines}"
        match self._choices.randrange(4):
            case 0:
                other, others = self._block(depth)
                return f"{branch} else {other}", f"{translated}\nelse:\n{others}"
            case 1 if depth:
                other, others = self._branch(depth - 1)
                return f"{branch} else {other}", f"{translated}\nelse:\n{indent(others, '    ')}"
        return branch, translated

    def _block(self, depth: int) -> tuple[str, str]:
        if self._choices.random() < 0.2:
            text, code = self._gate()
            return text, indent(code, "    ")
        parts = [self._statement(depth) for _ in range(self._choices.randint(1, 3))]
        text = "\n".join(["{", *(one for one, _ in parts), "}"])
        return text, indent("\n".join(other for _, other in parts), "    ")

    def _condition(self) -> tuple[str, str]:
        if self._choices.random() < 0.7:
            return self._comparison()
        sign, word = self._choices.choice((("&&", "and"), ("||", "or")))
        parts = [self._comparison() for _ in range(self._choices.randint(2, 3))]
        return f" {sign} ".join(one for one, _ in parts), f" {word} ".join(f"({other})" for _, other in parts)

    def _comparison(self) -> tuple[str, str]:
        bit, number = self._choices.randrange(BITS), self._choices.randrange(1 << BITS)
        whole = f"v.c[0] + 2 * v.c[1] + 4 * v.c[2] == {number}"
        return self._choices.choice(
            (
                (f"c[{bit}]", f"v.c[{bit}]"),
                (f"!c[{bit}]", f"not v.c[{bit}]"),
                (f"c[{bit}] == 1", f"v.c[{bit}] == 1"),
                (f"c[{bit}] != true", f"v.c[{bit}] != 1"),
                (f"c == {number}", whole),
                (f'c == "{number:0{BITS}b}"', whole),
            )
        )


def random_branching(choices: Random) -> Controlled:
    """A program with branches, and its exact outcomes."""
    return _Maker(choices).program()


def check_branching(choices: Random, simulator: Simulator) -> str:
    """Make a program, and fail where the scanner reads another circuit than the importer, or counts are wrong."""
    program = random_branching(choices)
    read_by = compare(program.text)
    # The importer has no logical operators: there the exact outcomes are the only other opinion.
    expected = "scanner" if {"&&", "||"} & set(program.text.split()) else "both"
    assert read_by == expected, f"read by {read_by}\n{program.text}"
    return assert_agrees(program, simulator)
