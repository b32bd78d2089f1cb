"""What a random program in OpenQASM 2 means, by plain numpy and without any front end.

Every outcome of a measurement is followed, so that distributions are exact. Expressions are evaluated by Python, whose
`**` has the precedence of `^`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.difference.openqasm2 import Program, Statement
from tests.difference.openqasm2_gates import LIBRARY, u

_FUNCTIONS = {"sin": math.sin, "cos": math.cos, "sqrt": math.sqrt, "pi": math.pi}
_IMPOSSIBLE = 1e-12


class Branch(NamedTuple):
    """A state that is not normalized, of qubit 0 first, and the bits with which it comes."""

    state: Any
    bits: int


def distribution(program: Program) -> dict[int, float]:
    """The probability of each outcome, bit k of place k, the registers in the order of declaration."""
    return _Evaluator(program).run()


class _Evaluator:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._qubits = _places(program.qubits)
        self._bits = _places(program.bits)

    def run(self) -> dict[int, float]:
        width = sum(self._program.qubits.values())
        start = np.zeros((2,) * width, dtype=complex)
        start[(0,) * width] = 1
        branches = [Branch(start, 0)]
        for statement in self._program.statements:
            branches = [after for one in branches for after in self._statement(one, statement)]
        found: dict[int, float] = {}
        for state, bits in branches:
            found[bits] = found.get(bits, 0.0) + float(np.sum(np.abs(state) ** 2))
        return found

    def _statement(self, branch: Branch, statement: Statement) -> list[Branch]:
        if statement.condition is not None:
            places = self._bits[statement.condition]
            if sum((branch.bits >> place & 1) << at for at, place in enumerate(places)) != statement.value:
                return [branch]
        branches = [branch]
        for operands in self._broadcast(statement):
            if statement.name == "measure":
                qubit, bit = operands
                branches = [after for one in branches for after in measured(one, qubit, bit)]
            elif statement.name == "reset":
                branches = [after for one in branches for after in reset(one, operands[0])]
            else:
                angles = [_value(angle, {}) for angle in statement.angles]
                branches = [
                    Branch(self._applied(one.state, statement.name, angles, operands), one.bits) for one in branches
                ]
        return branches

    def _broadcast(self, statement: Statement) -> list[tuple[int, ...]]:
        columns = []
        for place, (register, index) in enumerate(statement.operands):
            is_bit = statement.name == "measure" and place == 1
            known = (self._bits if is_bit else self._qubits)[register]
            columns.append(known if index is None else [known[index]])
        width = max(map(len, columns))
        return list(zip(*(column if len(column) == width else column * width for column in columns), strict=True))

    def _applied(self, state: Any, name: str, angles: Sequence[float], qubits: Sequence[int]) -> Any:
        own = self._program.definitions.get(name)
        if own is None:
            return multiplied(state, LIBRARY[name].matrix(*angles), qubits)
        values = dict(zip(own.parameters, angles, strict=True))
        places = dict(zip(own.qubits, qubits, strict=True))
        for call in own.body:
            inner = [_value(angle, values) for angle in call.angles]
            state = self._applied(state, call.name, inner, [places[one.register] for one in call.operands])
        return state


def _places(registers: Mapping[str, int]) -> dict[str, list[int]]:
    places, start = {}, 0
    for name, size in registers.items():
        places[name] = list(range(start, start + size))
        start += size
    return places


def _value(angle: str, parameters: Mapping[str, float]) -> float:
    return float(eval(angle.replace("^", "**"), dict(_FUNCTIONS), dict(parameters)))


def multiplied(state: Any, matrix: Any, qubits: Sequence[int]) -> Any:
    """A state after a gate; the first qubit is the most significant in the matrix."""
    width = len(qubits)
    moved = np.moveaxis(state, list(qubits), range(width))
    shape = moved.shape
    applied = (matrix @ moved.reshape(2**width, -1)).reshape(shape)
    return np.moveaxis(applied, range(width), list(qubits))


def _projected(state: Any, qubit: int, value: int) -> Any:
    left = np.zeros_like(state)
    chosen = (slice(None),) * qubit + (value,)
    left[chosen] = state[chosen]
    return left


def measured(branch: Branch, qubit: int, bit: int) -> list[Branch]:
    cleared = branch.bits & ~(1 << bit)
    both = [Branch(_projected(branch.state, qubit, value), cleared | value << bit) for value in (0, 1)]
    return [one for one in both if np.sum(np.abs(one.state) ** 2) > _IMPOSSIBLE]


def reset(branch: Branch, qubit: int) -> list[Branch]:
    zero, one = _projected(branch.state, qubit, 0), _projected(branch.state, qubit, 1)
    both = [zero, multiplied(one, u(math.pi, 0, math.pi), [qubit])]
    return [Branch(state, branch.bits) for state in both if np.sum(np.abs(state) ** 2) > _IMPOSSIBLE]
