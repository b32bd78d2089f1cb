"""Random programs in OpenQASM 2: what Ketline reads, what Qiskit reads, and what numpy says, are the same."""

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from qiskit import qasm2
from qiskit.quantum_info import Operator

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.openqasm2.checker import find_mistakes
from ketline.execution.frontend.openqasm2.source import without_comments
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.difference.openqasm2 import make_openqasm2
from tests.difference.openqasm2_meaning import Branch, distribution, measured, multiplied, reset

_LIMITS = ExecutionLimits()
_SHOTS = 30
_TOLERANCE = 1e-7
_LIKELY = 1e-9


def check_openqasm2(choices: Random, simulator: Simulator) -> str:
    """Make a program and compare; gives whether it has names of Qiskit's with other meanings.

    Raises:
        AssertionError: they differ.
    """
    program = make_openqasm2(choices)
    text = program.written(choices)
    expected = distribution(program)
    read = load_program(text, _LIMITS)
    assert not find_mistakes(without_comments(text)), f"the checker finds mistakes\n{text}"
    _require_same("the circuit", circuit_distribution(read.lowered.circuit), expected, text)
    counts = simulator.run(read, _SHOTS, RunOptions(seed=choices.getrandbits(32))).counts
    impossible = [key for key in counts if expected.get(int(key.replace(" ", ""), 2), 0.0) < _LIKELY]
    assert not impossible, f"impossible outcomes {impossible}\n{text}"
    if not program.is_plain:
        return "own meanings"
    theirs = qasm2.loads(program.written(choices, include=True), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    _require_same("Qiskit's reading", circuit_distribution(theirs), expected, text)
    return "as Qiskit"


def circuit_distribution(circuit: Any) -> dict[int, float]:
    """The probability of each outcome of a circuit's bits, bit k of place k."""
    start = np.zeros((2,) * circuit.num_qubits, dtype=complex)
    start[(0,) * circuit.num_qubits] = 1
    branches = [Branch(start, 0)]
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        bits = [circuit.find_bit(bit).index for bit in instruction.clbits]
        branches = [after for one in branches for after in _step(circuit, one, instruction.operation, qubits, bits)]
    found: dict[int, float] = {}
    for state, outcome in branches:
        found[outcome] = found.get(outcome, 0.0) + float(np.sum(np.abs(state) ** 2))
    return found


def _step(circuit: Any, branch: Branch, operation: Any, qubits: list[int], bits: list[int]) -> list[Branch]:
    match operation.name:
        case "barrier" | "delay":
            return [branch]
        case "measure":
            return measured(branch, qubits[0], bits[0])
        case "reset":
            return reset(branch, qubits[0])
        case "if_else" if hasattr(operation, "blocks"):
            return _branched(circuit, branch, operation, qubits, bits)
        case _:
            # Qiskit has the first qubit as the least significant.
            return [Branch(multiplied(branch.state, Operator(operation).data, qubits[::-1]), branch.bits)]


def _branched(circuit: Any, branch: Branch, operation: Any, qubits: list[int], bits: list[int]) -> list[Branch]:
    register, value = operation.condition
    places = [circuit.find_bit(bit).index for bit in register]
    if sum((branch.bits >> place & 1) << at for at, place in enumerate(places)) != value:
        return [branch]
    block = operation.blocks[0]
    branches = [branch]
    for inner in block.data:
        inner_qubits = [qubits[block.find_bit(qubit).index] for qubit in inner.qubits]
        inner_bits = [bits[block.find_bit(bit).index] for bit in inner.clbits]
        branches = [
            after for one in branches for after in _step(circuit, one, inner.operation, inner_qubits, inner_bits)
        ]
    return branches


def _require_same(what: str, found: Mapping[int, float], expected: Mapping[int, float], text: str) -> None:
    for outcome in found.keys() | expected.keys():
        difference = abs(found.get(outcome, 0.0) - expected.get(outcome, 0.0))
        assert difference < _TOLERANCE, f"{what} differs at {outcome:b} by {difference:.3g}\n{text}"
