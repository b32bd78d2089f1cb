"""Random programs whose loops, branches, returns and ends depend on measurements, with their exact outcomes.

Each program is written twice, in OpenQASM 3 and in Python. The Python one is run once for every sequence of measurement
outcomes, on a numpy state, so that Python's own `break`, `continue` and `return` say what is right.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import numpy as np

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.reference import assert_counts_match

QUBITS = 3
BITS = 3
SHOTS = 600
_NEGLIGIBLE = 1e-9
_MAX_STEPS = 20_000
_HEADER = f"""OPENQASM 3.0;
include "stdgates.inc";
qubit[{QUBITS}] q;
bit[{BITS}] c;
bit[3] d;
int n = 0;
int m = 1;
bool b = false;
"""
_MATRICES: dict[str, Callable[[float], Any]] = {
    "h": lambda _: np.array([[1, 1], [1, -1]]) / math.sqrt(2),
    "x": lambda _: np.array([[0, 1], [1, 0]]),
    "ry": lambda angle: np.array(
        [[math.cos(angle / 2), -math.sin(angle / 2)], [math.sin(angle / 2), math.cos(angle / 2)]]
    ),
}


class Endless(Exception):
    """The program may run for too long to follow it."""


class _End(Exception):
    pass


class _Pruned(Exception):
    pass


@dataclass(frozen=True)
class Controlled:
    """A program in OpenQASM 3, and the probability of each of its counts keys."""

    text: str
    probabilities: dict[str, float]


class _Machine:
    """Qubits on which measurements come out as a script says, and as they may where it ends."""

    def __init__(self, script: list[int], steps: Iterator[int]) -> None:
        self.script = script
        self._steps = steps
        self.chances: list[float] = []
        self.probability = 1.0
        self.state = np.zeros((2,) * QUBITS, dtype=complex)
        self.state[(0,) * QUBITS] = 1

    def gate(self, name: str, qubit: int, angle: float = 0.0) -> None:
        next(self._steps)
        self.state = np.moveaxis(np.tensordot(_MATRICES[name](angle), self.state, axes=(1, qubit)), 0, qubit)

    def cx(self, control: int, target: int) -> None:
        flipped = np.flip(self.state, target)
        chosen = np.arange(2).reshape([2 if axis == control else 1 for axis in range(QUBITS)]) == 1
        self.state = np.where(chosen, flipped, self.state)

    def reset(self, qubit: int) -> None:
        if self.measure(qubit):
            self.gate("x", qubit)

    def measure(self, qubit: int) -> int:
        next(self._steps)
        chance = float(np.sum(np.abs(np.take(self.state, 1, axis=qubit)) ** 2))
        place = len(self.chances)
        if place == len(self.script):
            self.script.append(0 if chance < 1 - 1e-12 else 1)
        outcome = self.script[place]
        self.chances.append(chance)
        likely = chance if outcome else 1 - chance
        self.probability *= likely
        if self.probability < _NEGLIGIBLE or place > 100:
            raise _Pruned
        kept = np.zeros_like(self.state)
        at = (slice(None),) * qubit + (outcome,)
        kept[at] = self.state[at] / math.sqrt(likely)
        self.state = kept
        return outcome


def outcomes_of(code: str) -> dict[str, float]:
    """The probability of each counts key of a program, by its translation, which acts on `v` and `machine`."""
    found: dict[str, float] = defaultdict(float)
    compiled = compile(code, "<program>", "exec")
    script: list[int] = []
    steps = iter(range(_MAX_STEPS))
    while True:
        machine = _Machine(list(script), steps)
        values = SimpleNamespace(c=[0] * BITS, d=[0] * 3, n=0, m=1, b=False)
        names: dict[str, Any] = {"v": values, "machine": machine, "End": _End, "steps": steps}
        try:
            exec(compiled, names)
        except (_End, _Pruned) as stopped:
            pruned = isinstance(stopped, _Pruned)
        except StopIteration:
            raise Endless from None
        else:
            pruned = False
        if not pruned:
            key = " ".join("".join(str(int(bit)) for bit in reversed(group)) for group in (values.d, values.c))
            found[key] += machine.probability
        script = machine.script[: len(machine.chances)]
        while script and (script[-1] == 1 or machine.chances[len(script) - 1] < 1e-12):
            script.pop()
        if not script:
            total = sum(found.values())
            if total < 1 - 1e-6:
                raise Endless
            return {key: value / total for key, value in found.items()}
        script[-1] = 1


class _Maker:
    """Writes statements in both languages: a pair of texts each."""

    def __init__(self, choices: Random) -> None:
        self._choices = choices
        self._room = 22
        self._subroutines = 0
        self._names = 0
        self._bits = "c"

    def program(self) -> Controlled:
        definitions = [self._subroutine() for _ in range(self._choices.choice([0, 0, 1, 2]))]
        body = [self._statement(3, [], in_loop=False) for _ in range(self._choices.randint(2, 6))]
        shown = [
            ("if (n % 2 == 1) { d[0] = 1; }", "if v.n % 2 == 1: v.d[0] = 1"),
            ("if (m > 2) { d[1] = 1; }", "if v.m > 2: v.d[1] = 1"),
            ("if (b) { d[2] = 1; }", "if v.b: v.d[2] = 1"),
            ("c = measure q;", "\n".join(f"v.c[{i}] = machine.measure({i})" for i in range(QUBITS))),
        ]
        parts = definitions + body + shown
        text = _HEADER + "\n".join(one for one, _ in parts)
        return Controlled(text, outcomes_of("\n".join(other for _, other in parts)))

    def _statement(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool = False) -> tuple[str, str]:
        self._room -= 1
        simple = [self._gate, self._gate, self._measure, self._measure, self._assign]
        if depth and self._room > 0:
            kinds: list[Any] = [*simple, self._if, self._if, self._for, self._while, self._switch]
            if in_loop:
                kinds += [self._leave, self._leave, self._leave]
            if returns:
                kinds += [self._return, self._return]
            if self._subroutines and not returns:
                kinds += [self._call, self._call]
            if self._choices.random() < 0.05:
                kinds = [self._end]
        else:
            kinds = simple
        kind = self._choices.choice(kinds)
        if kind in simple:
            text: tuple[str, str] = kind(locals_)
            return text
        text = kind(depth - 1, locals_, in_loop=in_loop, returns=returns)
        return text[0], text[1]

    def _block(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        parts = [
            self._statement(depth, locals_, in_loop=in_loop, returns=returns)
            for _ in range(self._choices.randint(1, 3))
        ]
        return "{\n" + "\n".join(one for one, _ in parts) + "\n}", indent(
            "\n".join(other for _, other in parts), "    "
        )

    def _qubit(self, locals_: list[str]) -> tuple[str, str]:
        if "a" in locals_:
            return "a", "a"
        number = self._choices.randrange(QUBITS)
        return f"q[{number}]", str(number)

    def _gate(self, locals_: list[str]) -> tuple[str, str]:
        qubit, number = self._qubit(locals_)
        kind = self._choices.choice(["h", "h", "x", "ry", "cx", "reset"])
        if kind == "cx" and "a" not in locals_:
            control, target = self._choices.sample(range(QUBITS), 2)
            return f"cx q[{control}], q[{target}];", f"machine.cx({control}, {target})"
        if kind == "reset":
            return f"reset {qubit};", f"machine.reset({number})"
        if kind == "ry":
            angle = self._choices.choice([0.4, 1.1, 2.5])
            return f"ry({angle}) {qubit};", f"machine.gate('ry', {number}, {angle})"
        kind = "h" if kind == "cx" else kind
        return f"{kind} {qubit};", f"machine.gate('{kind}', {number})"

    def _measure(self, locals_: list[str]) -> tuple[str, str]:
        qubit, number = self._qubit(locals_)
        if "a" in locals_:
            return f"h {qubit}; r = measure {qubit};", f"machine.gate('h', {number})\nr = machine.measure({number})"
        bit = self._choices.randrange(BITS)
        spread = self._choices.random() < 0.6
        text, code = f"c[{bit}] = measure {qubit};", f"v.c[{bit}] = machine.measure({number})"
        return (f"h {qubit}; {text}", f"machine.gate('h', {number})\n{code}") if spread else (text, code)

    def _number(self, locals_: list[str]) -> tuple[str, str]:
        names = [(one, one) for one in locals_ if one not in ("a", "r")]
        if "a" not in locals_:
            names += [("n", "v.n"), ("m", "v.m")]
        return self._choices.choice([*names, *names, (digit := str(self._choices.randrange(4)), digit)])

    def _assign(self, locals_: list[str]) -> tuple[str, str]:
        one, other = self._number(locals_)
        two, second = self._number(locals_)
        in_subroutine = "a" in locals_
        name = "k" if in_subroutine else self._choices.choice(["n", "m"])
        target = name if in_subroutine else f"v.{name}"
        if not in_subroutine and self._choices.random() < 0.25:
            text, code = self._condition(locals_)
            return f"b = {text};", f"v.b = {code}"
        match self._choices.randrange(3):
            case 0:
                return f"{name} = ({name} + 1) % 5;", f"{target} = ({target} + 1) % 5"
            case 1:
                return f"{name} = ({one} + {two}) % 6;", f"{target} = ({other} + {second}) % 6"
        return f"{name} = {one};", f"{target} = {other}"

    def _condition(self, locals_: list[str]) -> tuple[str, str]:
        one, other = self._number(locals_)
        limit = self._choices.randrange(4)
        sign = self._choices.choice(["==", "<", ">", "!="])
        choices = [(f"{one} {sign} {limit}", f"{other} {sign} {limit}")]
        if "a" in locals_:
            choices += [("r", "bool(r)")] * 3
        else:
            bit = self._choices.randrange(BITS)
            choices += [(f"c[{bit}] == 1", f"v.c[{bit}] == 1")] * 3 + [("b", "v.b"), ("!b", "not v.b")]
        text, code = self._choices.choice(choices)
        if self._choices.random() < 0.2:
            joined = self._choices.choice([("&&", "and"), ("||", "or")])
            second = self._choices.choice(choices)
            return f"({text}) {joined[0]} ({second[0]})", f"(({code}) {joined[1]} ({second[1]}))"
        return text, code

    def _if(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        text, code = self._condition(locals_)
        block, lines = self._block(depth, locals_, in_loop=in_loop, returns=returns)
        if self._choices.random() < 0.6:
            return f"if ({text}) {block}", f"if {code}:\n{lines}"
        other, others = self._block(depth, locals_, in_loop=in_loop, returns=returns)
        return f"if ({text}) {block} else {other}", f"if {code}:\n{lines}\nelse:\n{others}"

    def _for(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        name = f"i{self._names}"
        self._names += 1
        end, last = self._number(locals_) if self._choices.random() < 0.4 else ("2", "2")
        start = self._choices.randrange(2)
        block, lines = self._block(depth, [*locals_, name], in_loop=True, returns=returns)
        return f"for int {name} in [{start}:{end}] {block}", f"for {name} in range({start}, {last} + 1):\n{lines}"

    def _while(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        text, code = self._condition(locals_)
        if self._choices.random() < 0.2:
            text, code = "true", "True"
        block, lines = self._block(depth, locals_, in_loop=True, returns=returns)
        moves = [self._measure(locals_), self._assign(locals_), self._leave(0, locals_, in_loop=True, returns=returns)]
        chosen = self._choices.sample(moves, self._choices.randint(1, 3))
        block = block[:-1] + "\n".join(one for one, _ in chosen) + "\n}"
        lines += "\n" + indent("\n".join(other for _, other in chosen), "    ")
        return f"while ({text}) {block}", f"while {code}:\n    next(steps)\n{lines}"

    def _switch(self, depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        text, code = self._number(locals_)
        one, first = self._block(depth, locals_, in_loop=in_loop, returns=returns)
        two, second = self._block(depth, locals_, in_loop=in_loop, returns=returns)
        return (
            f"switch ({text}) {{ case 1, 3 {one} default {two} }}",
            f"if {code} in (1, 3):\n{first}\nelse:\n{second}",
        )

    def _leave(self, _depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        assert in_loop
        word = self._choices.choice(["break", "break", "continue"])
        text, code = self._condition(locals_)
        return f"if ({text}) {word};", f"if {code}: {word}"

    def _return(self, _depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        assert returns
        one, other = self._number(locals_)
        text, code = self._condition(locals_)
        return f"if ({text}) return {one};", f"if {code}: return {other}"

    def _end(self, _depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        text, code = self._condition(locals_)
        return f"if ({text}) end;", f"if {code}: raise End"

    def _subroutine(self) -> tuple[str, str]:
        self._room += 6
        number = self._subroutines
        body = [self._statement(2, ["a", "k", "r"], in_loop=False, returns=True) for _ in range(3)]
        self._subroutines += 1
        head = f"def f{number}(qubit a, int k) -> int {{\nbit r;\nh a; r = measure a;\n"
        code = f"def f{number}(a, k):\n    r = 0\n    machine.gate('h', a)\n    r = machine.measure(a)\n"
        return (
            head + "\n".join(one for one, _ in body) + "\nreturn k;\n}",
            code + indent("\n".join(other for _, other in body), "    ") + "\n    return k",
        )

    def _call(self, _depth: int, locals_: list[str], *, in_loop: bool, returns: bool) -> tuple[str, str]:
        number = self._choices.randrange(self._subroutines)
        qubit = self._choices.randrange(QUBITS)
        argument, value = self._number(locals_)
        if self._choices.random() < 0.3:
            return f"f{number}(q[{qubit}], {argument});", f"f{number}({qubit}, {value})"
        return f"n = f{number}(q[{qubit}], {argument});", f"v.n = f{number}({qubit}, {value})"


def make_controlled(choices: Random) -> Controlled:
    """A program that ends with probability 1, as far as following it for some time tells."""
    while True:
        try:
            return _Maker(choices).program()
        except Endless:
            continue


def assert_agrees(program: Controlled, simulator: Simulator) -> str:
    """Fail when counts are not those of the program; returns what read it, or that it was rejected."""
    try:
        return _agreement(program, simulator)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{program.text}\n{program.probabilities}") from error


def _agreement(program: Controlled, simulator: Simulator) -> str:
    try:
        loaded = load_program(program.text, ExecutionLimits())
    except (ProgramUnsupported, ProgramTooLarge):
        return "rejected"
    counts = simulator.run(loaded, SHOTS).counts
    assert_counts_match(counts, program.probabilities, SHOTS, false_alarm_rate=1e-12)
    return loaded.front_end
