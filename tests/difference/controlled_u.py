"""Random circuits of Qiskit's with `U` under controls, inverses and powers, which it writes as text and as QPY."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import CUGate, U2Gate, U3Gate, UGate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator

from benchmarks.library import exported
from ketline.client.convert.qiskit import serialized
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from tests.circuits import as_qpy

LIMITS = ExecutionLimits()
_QUBITS = 3


def make_controlled_u(choices: Random) -> QuantumCircuit:
    """A circuit of gates of Qiskit's own meaning, under controls of any state, in definitions within definitions."""
    circuit = random_circuit(_QUBITS, 3, max_operands=3, seed=choices.getrandbits(32))
    for _ in range(choices.randint(2, 5)):
        gate = _gate(choices)
        circuit.append(gate, choices.sample(range(_QUBITS), gate.num_qubits))
    return circuit


def assert_means_the_same(circuit: QuantumCircuit) -> str:
    """Compare what the front ends read with Qiskit's unitary.

    Raises:
        AssertionError: one is another up to a global phase.
    """
    text = exported(circuit)
    assert "@" not in text
    expected = Operator(circuit).data
    sent = serialized(circuit)
    forms = [(text, ProgramFormat.OPENQASM3), (sent.program, ProgramFormat(sent.program_format))]
    if _can_be_read(written := as_qpy(circuit)):
        forms.append((written, ProgramFormat.QPY))
    for program, form in forms:
        found = Operator(read_program(program, LIMITS, form=form).circuit).data
        assert abs(abs(np.trace(found.conj().T @ expected)) - len(expected)) < 1e-7, f"{form}:\n{text}"
    return "as with Qiskit"


def _can_be_read(program: str) -> bool:
    """Not so where Qiskit's own reader fails: it makes no controlled `CUGate` anew."""
    try:
        read_program(program, LIMITS, form=ProgramFormat.QPY)
    except ProgramUnsupported:
        return False
    return True


def _gate(choices: Random) -> Any:
    gate = _bare(choices)
    for _ in range(choices.randrange(3)):
        gate = choices.choice(_CHANGES)(gate, choices)
    return gate


def _bare(choices: Random) -> Any:
    angles = [choices.choice([choices.uniform(-7, 7), np.pi, np.pi / 2, -np.pi]) for _ in range(4)]
    kind, count = choices.choice([(UGate, 3), (U3Gate, 3), (U2Gate, 2), (CUGate, 4)])
    return kind(*angles[:count])


def _controlled(gate: Any, choices: Random) -> Any:
    controls = choices.randint(0, _QUBITS - gate.num_qubits)
    if not controls:
        return gate
    return gate.control(controls, ctrl_state=choices.randrange(1 << controls), annotated=False)


def _inverse(gate: Any, _choices: Random) -> Any:
    return gate.inverse()


def _power(gate: Any, choices: Random) -> Any:
    return gate.power(choices.choice([2, 3, -1, 0.5]))


def _defined(gate: Any, choices: Random) -> Any:
    """The gate in a definition of its own, beside another turn."""
    inside = QuantumCircuit(gate.num_qubits, name=f"made{choices.getrandbits(24)}")
    inside.append(gate, range(gate.num_qubits))
    inside.u(choices.uniform(-4, 4), choices.uniform(-4, 4), choices.uniform(-4, 4), 0)
    return inside.to_gate()


_CHANGES: Sequence[Any] = (_controlled, _controlled, _inverse, _power, _defined)
