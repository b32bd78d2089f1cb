"""Random programs with classical values, each with a translation into Python as an independent reference.

Coins (measured qubits) decide part of every program; the reference runs once for each of their outcomes.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.reference import assert_counts_match

_COINS = 3
_SHOTS = 512
_VARIABLES = ("a", "b")
_WIDTH = 4
_COMPARISONS = ("==", "!=", "<", ">=")


@dataclass
class Classical:
    """A program and the same in Python, as the body of a function of the coins' outcomes that sets `a` and `b`."""

    text: str
    python: str

    def outcomes(self) -> dict[str, float]:
        """The probability of each counts key."""
        found: Counter[str] = Counter()
        for coins in product((0, 1), repeat=_COINS):
            names: dict[str, Any] = {"m": coins}
            exec(self.python, names)  # written by this module
            shown = (names["a"] | names["b"] << _WIDTH) & 255
            key = f"{shown:08b} {''.join(str(coin) for coin in reversed(coins))}"
            found[key] += 1
        return {key: count / 2**_COINS for key, count in found.items()}


@dataclass
class _Maker:
    choices: Random
    qasm: list[str] = field(default_factory=list)
    python: list[str] = field(default_factory=list)
    loops: int = 0

    def line(self, depth: int, qasm: str, python: str | None = None) -> None:
        self.qasm.append("  " * depth + qasm)
        if python is not None:
            self.python.append("    " * depth + python)

    def block(self, depth: int) -> None:
        for _ in range(self.choices.randrange(1, 4)):
            self.statement(depth)

    def statement(self, depth: int) -> None:
        makers = [self.assignment, self.assignment, self.assignment]
        if depth < 3:
            makers += [self.branch, self.branch, self.loop, self.switch, self.while_loop]
        self.choices.choice(makers)(depth)

    def assignment(self, depth: int) -> None:
        name = self.choices.choice(_VARIABLES)
        sign = self.choices.choice("+-*&|^")
        if self.choices.random() < 0.3:
            by = self.choices.randrange(3)
            way = self.choices.choice(("<<", ">>"))
            self.line(depth, f"{name} {way}= {by};", f"{name} = ({name} {way} {by}) & 15")
        elif self.choices.random() < 0.3:
            at = self.choices.randrange(_WIDTH)
            coin = self.choices.randrange(_COINS)
            self.line(depth, f"{name}[{at}] = m[{coin}];", f"{name} = {name} & ~{1 << at} | m[{coin}] << {at}")
        elif self.choices.random() < 0.3:
            self.line(
                depth,
                f"{name} = twice({name}, {self.other(name)});",
                f"{name} = (2 * {name} + {self.other(name)}) & 15",
            )
        else:
            other = self.choices.choice((*_VARIABLES, "k3"))
            self.line(
                depth,
                f"{name} {sign}= {other};".replace("k3", "k"),
                f"{name} = ({name} {sign} {other}) & 15".replace("k3", "3"),
            )

    def other(self, name: str) -> str:
        return "b" if name == "a" else "a"

    def condition(self) -> tuple[str, str]:
        match self.choices.randrange(4):
            case 0:
                coin = self.choices.randrange(_COINS)
                return f"m[{coin}]", f"m[{coin}]"
            case 1:
                sign, value = self.choices.choice(_COMPARISONS), self.choices.randrange(8)
                return f"uint[3](m) {sign} {value}", f"(m[0] + 2 * m[1] + 4 * m[2]) {sign} {value}"
            case 2:
                sign = self.choices.choice(_COMPARISONS)
                return f"a {sign} b", f"a {sign} b"
        first, second = self.choices.sample(range(_COINS), 2)
        value = self.choices.randrange(16)
        return f"(m[{first}] && !m[{second}]) || a > {value}", f"(m[{first}] and not m[{second}]) or a > {value}"

    def branch(self, depth: int) -> None:
        qasm, python = self.condition()
        self.line(depth, f"if ({qasm}) {{", f"if {python}:")
        self.block(depth + 1)
        if self.choices.random() < 0.5:
            self.line(depth, "} else {", "else:")
            self.block(depth + 1)
        self.line(depth, "}")

    def loop(self, depth: int) -> None:
        self.loops += 1
        name = f"i{self.loops}"
        start, stop = self.choices.randrange(3), self.choices.randrange(4)
        self.line(depth, f"for uint[4] {name} in [{start}:{stop}] {{", f"for {name} in range({start}, {stop} + 1):")
        self.line(depth + 1, f"a += {name};", f"a = (a + {name}) & 15")
        if self.choices.random() < 0.5:
            word = self.choices.choice(("break", "continue"))
            self.line(depth + 1, f"if ({name} == 1) {word};", f"if {name} == 1: {word}")
        self.block(depth + 1)
        self.line(depth, "}")

    def while_loop(self, depth: int) -> None:
        self.loops += 1
        name = f"w{self.loops}"
        turns = self.choices.randrange(4)
        self.line(depth, f"uint[4] {name} = {turns};", f"{name} = {turns}")
        self.line(depth, f"while ({name} > 0) {{ {name} -= 1;", f"while {name} > 0:")
        self.line(depth + 1, "", f"{name} -= 1")
        self.block(depth + 1)
        self.line(depth, "}")

    def switch(self, depth: int) -> None:
        value = self.choices.randrange(8)
        self.line(depth, "switch (uint[3](m)) {", f"if (m[0] + 2 * m[1] + 4 * m[2]) == {value}:")
        self.line(depth, f"case {value} {{")
        self.block(depth + 1)
        self.line(depth, "} default {", "else:")
        self.block(depth + 1)
        self.line(depth, "} }")


def make_classical(choices: Random) -> Classical:
    maker = _Maker(choices)
    for name in _VARIABLES:
        number = choices.randrange(16)
        maker.line(0, f"uint[{_WIDTH}] {name} = {number};", f"{name} = {number}")
    maker.block(0)
    maker.block(0)
    head = (
        'include "stdgates.inc"; const uint[4] k = 3; def twice(uint[4] n, uint[4] d) -> uint[4] { uint[4] r = n + n; '
        f"r += d; return r; }} qubit[{_COINS}] coins; bit[{_COINS}] m; h coins; m = measure coins;\n"
    )
    tail = "\nbit[8] shown; for int i in [0:3] { shown[i] = a[i]; shown[i + 4] = b[i]; }"
    return Classical(head + "\n".join(maker.qasm) + tail, "\n".join(maker.python))


def assert_agrees(program: Classical, simulator: Simulator) -> str:
    """Fail when a program gives other counts than its translation; "declined" where it is unsupported."""
    try:
        loaded = load_program(program.text, ExecutionLimits())
    except ProgramUnsupported:
        return "declined"
    assert loaded.front_end == "unroller"
    counts = simulator.run(loaded, _SHOTS).counts
    try:
        assert_counts_match(counts, program.outcomes(), _SHOTS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{program.text}\n{program.python}") from error
    return "agrees"
