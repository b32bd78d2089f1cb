"""The exact distribution of a circuit with control flow, by following every outcome of every measurement.

Plain numpy on the circuit's instructions: neither Aer nor any of Ketline's execution code is used.
"""

import operator
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from qiskit.circuit import Clbit, QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.controlflow import CASE_DEFAULT
from qiskit.quantum_info import Operator

# Branches less likely than this are dropped: a loop that ends with probability 1 may have any number of turns.
NEGLIGIBLE = 1e-10
_IGNORED = ("barrier", "delay", "id")
_BINARY = {
    "BIT_AND": operator.and_,
    "BIT_OR": operator.or_,
    "BIT_XOR": operator.xor,
    "LOGIC_AND": lambda left, right: bool(left) and bool(right),
    "LOGIC_OR": lambda left, right: bool(left) or bool(right),
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "SHIFT_LEFT": operator.lshift,
    "SHIFT_RIGHT": operator.rshift,
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
}


@dataclass(frozen=True)
class Branch:
    """An unnormalized state, one axis for each qubit, with the classical values that go with it."""

    state: np.ndarray[Any, np.dtype[np.complex128]]
    bits: tuple[bool, ...]
    variables: Mapping[Any, int] = field(default_factory=dict)
    leaving: str = ""

    @property
    def probability(self) -> float:
        return float(np.vdot(self.state, self.state).real)


def exact_distribution(circuit: QuantumCircuit) -> dict[str, float]:
    """The probability of each counts key, written as Qiskit writes it."""
    state = np.zeros((2,) * circuit.num_qubits, dtype=complex)
    state[(0,) * circuit.num_qubits] = 1
    start = Branch(state, (False,) * circuit.num_clbits, dict.fromkeys(circuit.iter_vars(), 0))
    return Walker(circuit).distribution_from(start)


class Walker:
    """Runs blocks on branches; qubits and bits of a block are given by their places in the whole circuit."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self._circuit = circuit
        self._registers = {register.name: register for register in circuit.cregs}
        self._places = {bit: place for place, bit in enumerate(circuit.clbits)}

    def distribution_from(self, start: Branch) -> dict[str, float]:
        circuit = self._circuit
        found: dict[str, float] = defaultdict(float)
        for branch in self.run(circuit, [start], range(circuit.num_qubits), range(circuit.num_clbits)):
            found[_key(circuit, branch.bits)] += branch.probability
        total = sum(found.values())
        return {key: value / total for key, value in found.items()}

    def run(
        self, block: QuantumCircuit, branches: Sequence[Branch], qubits: Sequence[int], clbits: Sequence[int]
    ) -> list[Branch]:
        wires = dict(zip(block.qubits, qubits, strict=True))
        bits = dict(zip(block.clbits, clbits, strict=True))
        going, gone = list(branches), []
        for instruction in block.data:
            places = [wires[qubit] for qubit in instruction.qubits]
            cells = [bits[bit] for bit in instruction.clbits]
            done = [one for branch in going for one in self._step(instruction.operation, branch, places, cells)]
            gone += [branch for branch in done if branch.leaving]
            going = self.merged([branch for branch in done if not branch.leaving])
        return going + gone

    def _step(self, operation: Any, branch: Branch, qubits: list[int], cells: list[int]) -> list[Branch]:
        match operation.name:
            case name if name in _IGNORED:
                return [branch]
            case "measure":
                return list(self.measured(branch, qubits[0], cells[0]))
            case "reset":
                return list(self.reset(branch, qubits[0]))
            case "break_loop" | "continue_loop":
                return [replace(branch, leaving=operation.name)]
            case "store":
                return [self._stored(operation, branch)]
            case "if_else" | "switch_case" | "while_loop" | "for_loop" | "box":
                return self._controlled(operation, branch, qubits, cells)
        return [self.applied(branch, operation, qubits)]

    def measured(self, branch: Branch, qubit: int, cell: int) -> Iterator[Branch]:
        for outcome, state in _projected(branch.state, qubit):
            yield replace(branch, state=state, bits=with_bit(branch.bits, cell, bool(outcome)))

    def reset(self, branch: Branch, qubit: int) -> Iterator[Branch]:
        for outcome, state in _projected(branch.state, qubit):
            yield replace(branch, state=np.flip(state, qubit) if outcome else state)

    def applied(self, branch: Branch, gate: Any, qubits: Sequence[int]) -> Branch:
        return replace(branch, state=multiplied(branch.state, Operator(gate).data, qubits))

    def merged(self, branches: Sequence[Branch]) -> list[Branch]:
        return [branch for branch in branches if branch.probability > NEGLIGIBLE / 1e4]

    def _controlled(self, operation: Any, branch: Branch, qubits: list[int], cells: list[int]) -> list[Branch]:
        match operation.name:
            case "box":
                return self.run(operation.blocks[0], [branch], qubits, cells)
            case "if_else":
                chosen = 0 if self._holds(operation.condition, branch) else 1
                if chosen >= len(operation.blocks):
                    return [branch]
                return self.run(operation.blocks[chosen], [branch], qubits, cells)
            case "switch_case":
                value = self._value(operation.target, branch)
                for labels, block in operation.cases_specifier():
                    if CASE_DEFAULT in labels or value in labels:
                        return self.run(block, [branch], qubits, cells)
                return [branch]
            case "while_loop":
                return self._repeated(operation.blocks[0], branch, qubits, cells, operation.condition)
        values, variable, body = operation.params
        turns = [body if variable is None else body.assign_parameters({variable: value}) for value in values]
        going, done = [branch], []
        for turn in turns:
            going, left = _turn_ended(self.run(turn, going, qubits, cells))
            done += left
        return going + done

    def _repeated(
        self, body: QuantumCircuit, branch: Branch, qubits: list[int], cells: list[int], condition: Any
    ) -> list[Branch]:
        going, done = [branch], []
        while going:
            done += [one for one in going if not self._holds(condition, one)]
            going = [one for one in going if self._holds(condition, one) and one.probability > NEGLIGIBLE]
            going, left = _turn_ended(self.run(body, going, qubits, cells))
            done += left
        return done

    def _stored(self, operation: Any, branch: Branch) -> Branch:
        value = self._value(operation.rvalue, branch)
        target = operation.lvalue.var
        if isinstance(target, Clbit):
            return replace(branch, bits=with_bit(branch.bits, self._places[target], bool(value)))
        if target in self._registers.values():
            bits = branch.bits
            for place, bit in enumerate(target):
                bits = with_bit(bits, self._places[bit], bool(value >> place & 1))
            return replace(branch, bits=bits)
        return replace(branch, variables={**branch.variables, operation.lvalue: value})

    def _holds(self, condition: Any, branch: Branch) -> bool:
        if isinstance(condition, expr.Expr):
            return bool(self._value(condition, branch))
        target, value = condition
        return self._value(target, branch) == int(value)

    def _value(self, node: Any, branch: Branch) -> int:
        match node:
            case Clbit():
                return int(branch.bits[self._places[node]])
            case expr.Value():
                return int(node.value)
            case expr.Var():
                return branch.variables[node] if node.standalone else self._value(node.var, branch)
            case expr.Cast():
                value = self._value(node.operand, branch)
                if isinstance(node.type, types.Bool):
                    return int(value != 0)
                return value & _mask(node)
            case expr.Unary():
                operand = self._value(node.operand, branch)
                if node.op.name == "BIT_NOT" and isinstance(node.type, types.Uint):
                    return ~operand & _mask(node)
                return int(not operand)
            case expr.Index():
                return self._value(node.target, branch) >> self._value(node.index, branch) & 1
            case expr.Binary():
                value = int(_BINARY[node.op.name](self._value(node.left, branch), self._value(node.right, branch)))
                return value & _mask(node) if isinstance(node.type, types.Uint) else value
        return sum(self._value(bit, branch) << place for place, bit in enumerate(node))


def _mask(node: Any) -> int:
    return int((1 << node.type.width) - 1)


def _turn_ended(branches: Sequence[Branch]) -> tuple[list[Branch], list[Branch]]:
    """Those that begin the next turn of a loop, and those that have left it."""
    staying = [replace(branch, leaving="") for branch in branches if branch.leaving != "break_loop"]
    left = [replace(branch, leaving="") for branch in branches if branch.leaving == "break_loop"]
    return staying, left


def _projected(
    state: np.ndarray[Any, np.dtype[np.complex128]], qubit: int
) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.complex128]]]]:
    for outcome in (0, 1):
        kept = np.zeros_like(state)
        at = (slice(None),) * qubit + (outcome,)
        kept[at] = state[at]
        if np.vdot(kept, kept).real > NEGLIGIBLE / 1e4:
            yield outcome, kept


def multiplied(
    state: np.ndarray[Any, np.dtype[np.complex128]], matrix: Any, qubits: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.complex128]]:
    """A matrix on some axes of a state; its first qubit is the lowest bit of its indices, as in Qiskit."""
    count = len(qubits)
    axes = list(reversed(qubits))
    product = np.tensordot(matrix.reshape((2,) * 2 * count), state, axes=(range(count, 2 * count), axes))
    return np.moveaxis(product, range(count), axes)


def with_bit(bits: tuple[bool, ...], place: int, value: bool) -> tuple[bool, ...]:
    return (*bits[:place], value, *bits[place + 1 :])


def _key(circuit: QuantumCircuit, bits: Sequence[bool]) -> str:
    values = dict(zip(circuit.clbits, bits, strict=True))
    return " ".join(
        "".join("1" if values[bit] else "0" for bit in reversed(list(register))) for register in reversed(circuit.cregs)
    )
