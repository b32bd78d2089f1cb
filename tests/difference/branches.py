"""Runs programs exactly: a dense state in numpy and the classical values for every outcome of the measurements.

Shares no code with the front ends, and none with Qiskit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.difference.c99 import Scope, Undefined, Value, binary, converted, evaluate, truth
from tests.difference.language import (
    Apply,
    Assign,
    Declare,
    Expression,
    For,
    GateDefinition,
    If,
    Kind,
    Leave,
    Measure,
    Program,
    Statement,
    Switch,
    While,
)

_MAX_BRANCHES = 32
_MAX_STEPS = 2000
_NOTHING = 1e-12
_INT = Kind("int")


@dataclass(slots=True)
class _Branch:
    """What one sequence of outcomes has led to; `left` is the word that leaves the current turn of a loop."""

    probability: float
    state: Any  # complex128 of shape (2,) * qubits, qubit k on axis k
    scope: Scope
    left: str = ""

    def copy(self) -> "_Branch":
        scope = replace(self.scope, variables=dict(self.scope.variables), registers=dict(self.scope.registers))
        return replace(self, state=self.state.copy(), scope=scope)


def distribution(program: Program) -> dict[str, float]:
    """The probability of each counts key: registers in the order of declaration, the last first, bit 0 rightmost.

    Raises:
        Undefined: C99 does not say what a value is, or the program takes too long.
    """
    found: dict[str, float] = {}
    for branch in Run(program).branches():
        registers = branch.scope.registers
        key = " ".join(f"{registers[name]:0{width}b}" for name, width in reversed(program.registers))
        found[key] = found.get(key, 0.0) + branch.probability
    return {key: probability for key, probability in found.items() if probability > _NOTHING}


class Run:
    """One run of a program, over all outcomes."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._gates: Mapping[str, GateDefinition] = {gate.name: gate for gate in program.gates}
        self._steps = 0

    def branches(self) -> list[_Branch]:
        program = self._program
        state = np.zeros((2,) * program.qubits, dtype=np.complex128)
        state[(0,) * program.qubits] = 1
        variables = {name: converted(Value(_type_of(value), value), kind) for kind, name, value in program.inputs}
        scope = Scope(variables, dict.fromkeys(dict(program.registers), 0), dict(program.registers))
        return self._block(program.body, [_Branch(1.0, state, scope)])

    def _block(self, statements: Sequence[Statement], branches: list[_Branch]) -> list[_Branch]:
        for statement in statements:
            active = [branch for branch in branches if not branch.left]
            branches = [branch for branch in branches if branch.left]
            for branch in active:
                branches += self._statement(statement, branch)
            if len(branches) > _MAX_BRANCHES:
                raise Undefined
        return branches

    def _scoped(self, statements: Sequence[Statement], branch: _Branch) -> list[_Branch]:
        """Run a block: what it declares ends with it."""
        outside = branch.scope.variables.keys()
        shadowed = {one.name: branch.scope.variables.get(one.name) for one in statements if isinstance(one, Declare)}
        found = self._block(statements, [branch])
        for one in found:
            kept = {name: value for name, value in one.scope.variables.items() if name in outside}
            one.scope.variables = kept | {name: value for name, value in shadowed.items() if value is not None}
        return found

    def _statement(self, node: Statement, branch: _Branch) -> list[_Branch]:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Undefined
        scope = branch.scope
        match node:
            case Declare() | Assign():
                scope.variables[node.name] = _assigned(node, scope)
            case Apply():
                self._apply(node, branch)
            case Measure(qubit, register, place):
                return _measured(branch, qubit, register, place)
            case If(condition, then, otherwise):
                return self._scoped(then if truth(condition, scope) else otherwise, branch)
            case For():
                return self._loop(node, branch)
            case While(condition, body):
                return self._while(condition, body, branch)
            case Switch():
                return self._scoped(_chosen(node, scope), branch)
            case Leave(word):
                branch.left = word
        return [branch]

    def _loop(self, node: For, branch: _Branch) -> list[_Branch]:
        values = [evaluate(one, branch.scope) for one in node.values]
        if node.is_range:
            start, step, end = (int(one.number) for one in values)
            if step == 0:
                raise Undefined
            values = [Value(_INT, one) for one in range(start, end + (1 if step > 0 else -1), step)]
        hidden = branch.scope.variables.get(node.name)
        going, over = [branch], []
        for value in values:
            turned: list[_Branch] = []
            for one in going:
                one.scope.variables[node.name] = _held(value, node.kind)
                turned += self._scoped(node.body, one)
            over += [one for one in turned if one.left == "break"]
            going = [one for one in turned if one.left != "break"]
            for one in turned:
                one.left = ""
        for one in (found := over + going):
            one.scope.variables.pop(node.name, None)
            if hidden is not None:
                one.scope.variables[node.name] = hidden
        return found

    def _while(self, condition: Expression, body: Sequence[Statement], branch: _Branch) -> list[_Branch]:
        going, over = [branch], []
        while going:
            one = going.pop()
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise Undefined
            if not truth(condition, one.scope):
                over.append(one)
                continue
            for turned in self._scoped(body, one):
                (over if turned.left == "break" else going).append(turned)
                turned.left = ""
        return over

    def _apply(self, node: Apply, branch: _Branch) -> None:
        scope = branch.scope
        angles = [float(evaluate(one, scope).number) for one in node.arguments]
        qubits = [int(evaluate(one, scope).number) for one in node.qubits]
        count = self._program.qubits
        if any(not -count <= one < count for one in qubits) or len({one % count for one in qubits}) < len(qubits):
            raise Undefined
        qubits = [one % count for one in qubits]
        if node.gate == "cx":
            control, target = qubits
            chosen: list[Any] = [slice(None)] * count
            chosen[control] = 1
            axis = target - (control < target)
            branch.state[tuple(chosen)] = np.flip(branch.state[tuple(chosen)], axis).copy()
            return
        branch.state = _turned(branch.state, self._matrix(node.gate, angles), qubits[0])

    def _matrix(self, gate: str, angles: Sequence[float]) -> Any:
        """Of shape (2, 2)."""
        if gate in self._gates:
            definition = self._gates[gate]
            given = {name: Value(Kind("float"), one) for name, one in zip(definition.parameters, angles, strict=True)}
            angles = [float(evaluate(definition.angle, Scope(given, {}, {})).number)]
        return _MATRICES[gate] if gate in _MATRICES else _rotation(*angles)


def _assigned(node: Declare | Assign, scope: Scope) -> Value:
    value = evaluate(node.value, scope)
    if isinstance(node, Declare):
        return converted(value, node.kind)
    before = scope.variables[node.name]
    return converted(binary(node.sign, before, value) if node.sign else value, before.kind)


def _chosen(node: Switch, scope: Scope) -> Sequence[Statement]:
    number = evaluate(node.target, scope).number
    chosen = [body for labels, body in node.cases if number in [evaluate(one, scope).number for one in labels]]
    return chosen[0] if chosen else node.default


def _turned(state: Any, matrix: Any, qubit: int) -> Any:
    return np.moveaxis(np.tensordot(matrix, state, ([1], [qubit])), 0, qubit)


def _rotation(angle: float) -> Any:
    """Source: OpenQASM 3, `rx` of stdgates.inc."""
    cosine, sine = math.cos(angle / 2), -1j * math.sin(angle / 2)
    return np.array([[cosine, sine], [sine, cosine]])


_MATRICES: Mapping[str, Any] = {
    "x": np.array([[0, 1], [1, 0]]),
    "h": np.array([[1, 1], [1, -1]]) / math.sqrt(2),
}


def _measured(branch: _Branch, qubit: int, register: str, place: int) -> list[_Branch]:
    found = []
    for outcome in (0, 1):
        chosen: list[Any] = [slice(None)] * branch.state.ndim
        chosen[qubit] = 1 - outcome
        one = branch.copy()
        one.state[tuple(chosen)] = 0
        share = float(np.vdot(one.state, one.state).real)
        if share < _NOTHING:
            continue
        one.state /= math.sqrt(share)
        one.probability *= share
        bits = one.scope.registers
        bits[register] = bits[register] & ~(1 << place) | outcome << place
        found.append(one)
    return found


def _held(value: Value, kind: Kind) -> Value:
    """A loop's value in its variable, which must be able to hold it."""
    held = converted(value, kind)
    if held.number != value.number:
        raise Undefined
    return held


def _type_of(value: int | float | bool) -> Kind:
    return Kind("bool") if isinstance(value, bool) else Kind("float" if isinstance(value, float) else "int")
