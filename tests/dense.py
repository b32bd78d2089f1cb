"""Exact distributions and expectation values of small programs, by numpy alone: nothing of Ketline, Qiskit or Aer.

A program is a sequence of operations; `text_of` writes it as OpenQASM 3. A state is a vector of 2^n complex numbers,
bit k of an index for qubit k. A measurement or a reset makes two of each state; all that are possible are followed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import numpy as np

_NEGLIGIBLE = 1e-14


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of `stdgates.inc`, or `gphase`; `controls` are the states for its control qubits, its first operands."""

    name: str
    qubits: tuple[int, ...] = ()
    angles: tuple[float, ...] = ()
    controls: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    qubit: int
    bit: int


@dataclass(frozen=True, slots=True)
class Reset:
    qubit: int


@dataclass(frozen=True, slots=True)
class If:
    """Runs `body` where the bit, or without one the whole register, has this value, and `otherwise` elsewhere."""

    bit: int | None
    value: int
    body: tuple["Operation", ...]
    otherwise: tuple["Operation", ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    times: int
    body: tuple["Operation", ...]


Operation = Gate | Measure | Reset | If | Repeat


@dataclass(frozen=True, slots=True)
class Program:
    qubits: int
    bits: int
    operations: tuple[Operation, ...]


def text_of(program: Program) -> str:
    bits = f"bit[{program.bits}] c;" if program.bits else ""
    return "\n".join(
        [
            f'OPENQASM 3.0; include "stdgates.inc"; qubit[{program.qubits}] q; {bits}',
            *map(_statement, program.operations),
        ]
    )


def _statement(operation: Operation) -> str:
    match operation:
        case Gate():
            before = "".join("ctrl @ " if state else "negctrl @ " for state in operation.controls)
            angles = f"({', '.join(map(repr, operation.angles))})" if operation.angles else ""
            return f"{before}{operation.name}{angles} {', '.join(f'q[{qubit}]' for qubit in operation.qubits)};"
        case Measure():
            return f"c[{operation.bit}] = measure q[{operation.qubit}];"
        case Reset():
            return f"reset q[{operation.qubit}];"
        case If():
            what = "c" if operation.bit is None else f"c[{operation.bit}]"
            otherwise = f" else {{ {_statements(operation.otherwise)} }}" if operation.otherwise else ""
            return f"if ({what} == {operation.value}) {{ {_statements(operation.body)} }}{otherwise}"
        case Repeat():
            return f"for int i in [1:{operation.times}] {{ {_statements(operation.body)} }}"


def _statements(operations: Sequence[Operation]) -> str:
    return " ".join(map(_statement, operations))


def distribution_of(program: Program) -> dict[str, float]:
    """The probability of each outcome of the register, bit 0 rightmost."""
    state = np.zeros(1 << program.qubits, dtype=complex)
    state[0] = 1
    found: dict[str, float] = {}
    for bits, vector in _run(program.operations, [(0, state)], program.qubits):
        key = format(bits, f"0{program.bits}b")
        found[key] = found.get(key, 0.0) + float(np.vdot(vector, vector).real)
    return found


def state_of(program: Program) -> Any:
    """The final state of a program of gates only."""
    state = np.zeros(1 << program.qubits, dtype=complex)
    state[0] = 1
    ((_, vector),) = _run(program.operations, [(0, state)], program.qubits)
    return vector


def expectation_of(label: str, state: Any) -> float:
    """The expectation value of a product of Pauli operators, the rightmost letter that of qubit 0."""
    changed = state
    for qubit, letter in enumerate(reversed(label)):
        if letter != "I":
            changed = _applied(_PAULIS[letter], (qubit,), changed, len(label))
    return float(np.vdot(state, changed).real)


_States = list[tuple[int, Any]]


def _run(operations: Sequence[Operation], states: _States, qubits: int) -> _States:
    for operation in operations:
        states = [after for bits, state in states for after in _after(operation, bits, state, qubits)]
    return states


def _after(operation: Operation, bits: int, state: Any, qubits: int) -> Iterator[tuple[int, Any]]:
    match operation:
        case Gate():
            yield bits, _applied(_matrix(operation), operation.qubits, state, qubits)
        case Measure(qubit, bit):
            for value, part in _parts(qubit, state, qubits):
                yield bits & ~(1 << bit) | value << bit, part
        case Reset(qubit):
            for value, part in _parts(qubit, state, qubits):
                yield bits, _applied(_PAULIS["X"], (qubit,), part, qubits) if value else part
        case If(bit, value, body, otherwise):
            holds = (bits if bit is None else bits >> bit & 1) == value
            yield from _run(body if holds else otherwise, [(bits, state)], qubits)
        case Repeat(times, body):
            yield from _run(body * times, [(bits, state)], qubits)


def _parts(qubit: int, state: Any, qubits: int) -> Iterator[tuple[int, Any]]:
    """What is left of a state where a measurement gives 0, and where it gives 1; neither is normalised."""
    for value in (0, 1):
        part = state.reshape(1 << qubits - 1 - qubit, 2, 1 << qubit).copy()
        part[:, 1 - value, :] = 0
        part = part.reshape(-1)
        if np.vdot(part, part).real > _NEGLIGIBLE:
            yield value, part


def _applied(matrix: Any, operands: Sequence[int], state: Any, qubits: int) -> Any:
    """A state after a matrix, whose index has the first operand for its lowest bit."""
    count = len(operands)
    if not count:
        return matrix[0, 0] * state
    axes = [qubits - 1 - qubit for qubit in reversed(operands)]
    tensor = state.reshape((2,) * qubits)
    product = np.tensordot(matrix.reshape((2,) * 2 * count), tensor, axes=(range(count, 2 * count), axes))
    return np.moveaxis(product, range(count), axes).reshape(-1)


def _matrix(gate: Gate) -> Any:
    """The matrix of a gate under its controls; the first operand is the lowest bit of an index."""
    matrix = np.asarray(_NAMED[gate.name](*gate.angles), dtype=complex)
    for state in reversed(gate.controls):
        # Controls are the first operands; a gate is in the block where its control, now the lowest bit, is as it says.
        whole = np.eye(2 * len(matrix), dtype=complex)
        whole[state::2, state::2] = matrix
        matrix = whole
    return matrix


def _exp(angle: float) -> complex:
    return complex(cos(angle), sin(angle))


def _rx(angle: float) -> Any:
    return [[cos(angle / 2), -1j * sin(angle / 2)], [-1j * sin(angle / 2), cos(angle / 2)]]


def _ry(angle: float) -> Any:
    return [[cos(angle / 2), -sin(angle / 2)], [sin(angle / 2), cos(angle / 2)]]


def _rz(angle: float) -> Any:
    return [[_exp(-angle / 2), 0], [0, _exp(angle / 2)]]


def _p(angle: float) -> Any:
    return [[1, 0], [0, _exp(angle)]]


def _controlled(matrix: Any) -> Any:
    whole = np.eye(4, dtype=complex)
    whole[1::2, 1::2] = matrix
    return whole


_PAULIS: Mapping[str, Any] = {
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}
_H = np.array([[1, 1], [1, -1]], dtype=complex) / 2**0.5
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_SWAP = np.eye(4)[[0, 2, 1, 3]]
# Source: stdgates.inc of OpenQASM 3.0.
_NAMED: Mapping[str, Any] = {
    "gphase": lambda angle: [[_exp(angle)]],
    **{name.lower(): lambda name=name: _PAULIS[name] for name in _PAULIS},
    "h": lambda: _H,
    "s": lambda: _p(pi / 2),
    "sdg": lambda: _p(-pi / 2),
    "t": lambda: _p(pi / 4),
    "tdg": lambda: _p(-pi / 4),
    "sx": lambda: _SX,
    "p": _p,
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "cx": lambda: _controlled(_PAULIS["X"]),
    "cy": lambda: _controlled(_PAULIS["Y"]),
    "cz": lambda: _controlled(_PAULIS["Z"]),
    "ch": lambda: _controlled(_H),
    "cp": lambda angle: _controlled(_p(angle)),
    "crx": lambda angle: _controlled(_rx(angle)),
    "cry": lambda angle: _controlled(_ry(angle)),
    "crz": lambda angle: _controlled(_rz(angle)),
    "swap": lambda: _SWAP,
    "ccx": lambda: np.eye(8)[[0, 1, 2, 7, 4, 5, 6, 3]],
    "cswap": lambda: np.eye(8)[[0, 1, 2, 5, 4, 3, 6, 7]],
}
WIDTHS: Mapping[str, int] = {
    name: {"gphase": 0, "ccx": 3, "cswap": 3}.get(name, 2 if name[0] == "c" or name == "swap" else 1) for name in _NAMED
}
ANGLES: Mapping[str, int] = {
    name: 1 if name in ("gphase", "p", "rx", "ry", "rz", "cp", "crx", "cry", "crz") else 0 for name in _NAMED
}
