"""The named models of noise: errors by the number of qubits of a gate, and of readout."""

from collections.abc import Mapping
from itertools import product
from math import exp, sqrt
from typing import Any

import numpy as np

from ketline.execution.simulators.channels.channel import (
    LETTERS,
    Channel,
    ErrorOperation,
    Kind,
    Term,
    beside,
    kraus_channel,
    pauli_channel,
)
from ketline.execution.simulators.channels.layer import Layer, Misreading

_NS_PER_US = 1000.0


def depolarizing(one_qubit: float = 0.0, two_qubit: float = 0.0) -> Layer:
    """After a gate its qubits are maximally mixed with a probability.

    Source: `depolarizing_error` of qiskit-aer 0.18.
    """
    return Layer(by_width={width: _mixing(p, width) for width, p in ((1, one_qubit), (2, two_qubit)) if p > 0})


def readout(p01: float, p10: float) -> Layer:
    """A 0 reads 1 with probability `p01`, and a 1 reads 0 with `p10`."""
    return Layer(readout=Misreading(p01, p10))


def thermal_relaxation(t1_us: float, t2_us: float, one_qubit_ns: float = 0.0, two_qubit_ns: float = 0.0) -> Layer:
    """Each qubit of a gate relaxes to 0 and loses its phase for the time of the gate; T2 is at most 2 T1."""
    by_width = {}
    if one_qubit_ns > 0:
        by_width[1] = relaxation(t1_us, t2_us, one_qubit_ns / _NS_PER_US)
    if two_qubit_ns > 0:
        each = relaxation(t1_us, t2_us, two_qubit_ns / _NS_PER_US)
        by_width[2] = beside(each, each)
    return Layer(by_width=by_width)


def relaxation(t1: float, t2: float, time: float) -> Channel:
    """The relaxation of one qubit for a time, in the unit of T1 and T2.

    With T2 up to T1 it is a mixture of nothing, Z and a reset, which stabilizer states can follow; else it has Kraus
    operators.

    Source: D. Greenbaum, arXiv:1509.02921; `thermal_relaxation_error` of qiskit-aer 0.18 gives the same channel.
    """
    reset, coherence = 1 - exp(-time / t1), exp(-time / t2)
    if t2 <= t1:
        flip = max(0.0, 1 - reset - coherence) / 2
        nothing, z = (_pauli_term(1 - reset - flip, "I"), _pauli_term(flip, "Z"))
        return Channel(1, (nothing, z, Term(reset, (ErrorOperation(Kind.RESET, (0,)),))))
    kept = np.diag([1, coherence]).astype(np.complex128)
    decay = np.array([[0, sqrt(reset)], [0, 0]], dtype=np.complex128)
    dephased = np.diag([0, sqrt(max(0.0, 1 - reset - coherence**2))]).astype(np.complex128)
    return kraus_channel([kept, decay, dephased])


NAMED: Mapping[str, Any] = {
    "depolarizing": depolarizing,
    "readout": readout,
    "thermal_relaxation": thermal_relaxation,
}


def _mixing(probability: float, qubits: int) -> Channel:
    each = probability / 4**qubits
    probabilities = {"".join(letters): each for letters in product(LETTERS, repeat=qubits)}
    probabilities["I" * qubits] += 1 - probability
    return pauli_channel(probabilities)


def _pauli_term(probability: float, letter: str) -> Term:
    return Term(probability, (ErrorOperation(Kind.PAULI, (0,), letter),))
