"""Random PUBs, and what their results must be."""

from collections.abc import Mapping
from math import inf, lgamma, log
from typing import Any

import numpy as np
from qiskit.circuit import ClassicalRegister, Parameter, ParameterVector, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary

# (shape of the parameter values, shape of the observables), as they broadcast.
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((3,), ()),
    ((3,), (3,)),
    ((), (2, 2)),
    ((2, 1), (3,)),
    ((2, 2), (2, 1)),
    ((1,), (1,)),
    ((2, 1, 2), (2, 1)),
]
_ZERO = 1e-12


def random_circuit(random: Any, *, parameters: bool) -> Any:
    """A circuit of one to four qubits without measurements; angles are numbers or expressions of parameters."""
    qubits = int(random.integers(1, 5))
    circuit = QuantumCircuit(QuantumRegister(qubits, "q"))
    free = [Parameter("a"), *ParameterVector("v", 2)]
    for _ in range(int(random.integers(3, 12))):
        wires = random.permutation(qubits).tolist()
        _append(circuit, int(random.integers(0, 9)), wires, _angle(random, free if parameters else []), random)
    if parameters and not circuit.parameters:
        circuit.rx(free[0], 0)
    return circuit


def _angle(random: Any, free: Any) -> Any:
    number = float(random.uniform(-np.pi, np.pi))
    if not free or random.random() < 0.4:
        return number
    first, second = (free[int(random.integers(0, len(free)))] for _ in range(2))
    return [first, 2 * first + number, first * second - 0.5, (first + second).sin()][int(random.integers(0, 4))]


def _append(circuit: Any, kind: int, wires: list[int], angle: Any, random: Any) -> None:
    if kind < 3:
        [circuit.rx, circuit.ry, circuit.rz][kind](angle, wires[0])
    elif kind == 3:
        [circuit.h, circuit.sx, circuit.t, circuit.sdg][int(random.integers(0, 4))](wires[0])
    elif kind == 4:
        circuit.unitary(random_unitary(2, seed=int(random.integers(0, 2**31))), wires[0])
    elif len(wires) == 1:
        circuit.p(angle, wires[0])
    elif kind == 5:
        circuit.cx(wires[0], wires[1])
    elif kind == 6:
        circuit.rzz(angle, wires[0], wires[1])
    elif kind == 7:
        circuit.append(_inner(angle), wires[:2])
    else:
        circuit.cswap(*wires[:3]) if len(wires) > 2 else circuit.iswap(wires[0], wires[1])


def _inner(angle: Any) -> Any:
    """A gate of the user's own, called like another."""
    inner = QuantumCircuit(2, name="swap")
    inner.ry(angle, 0)
    inner.cz(0, 1)
    return inner.to_gate()


def sampled(random: Any, number: int) -> Any:
    """A PUB for a sampler: measured into one register, or into parts of several."""
    circuit = random_circuit(random, parameters=number % 3 > 0)
    if number % 2:
        circuit.measure_all()
    else:
        registers = [ClassicalRegister(int(random.integers(1, 4)), name) for name in ("out", "b")]
        circuit.add_register(*registers)
        places = random.permutation(circuit.num_clbits)[: circuit.num_qubits].tolist()
        circuit.measure(random.permutation(circuit.num_qubits)[: len(places)].tolist(), places)
    shape = SHAPES[number % len(SHAPES)][0]
    return (circuit, _values(random, circuit, shape)) if circuit.parameters else (circuit,)


def observed(random: Any, number: int) -> Any:
    """A PUB for an estimator."""
    circuit = random_circuit(random, parameters=number % 4 > 0)
    points, observables = SHAPES[number % len(SHAPES)]
    made = np.empty(observables, dtype=object)
    for place in np.ndindex(*observables):
        made[place] = _observable(random, circuit.num_qubits)
    listed = made.tolist() if observables else made[()]
    return (circuit, listed, _values(random, circuit, points)) if circuit.parameters else (circuit, listed)


def _values(random: Any, circuit: Any, shape: tuple[int, ...]) -> Any:
    return random.uniform(-2, 2, (*shape, len(circuit.parameters)))


def _observable(random: Any, qubits: int) -> Any:
    labels = ["".join(random.choice(list("IXYZ"), qubits)) for _ in range(int(random.integers(1, 5)))]
    return SparsePauliOp(labels, random.uniform(-2, 2, len(labels))).simplify()


def exact_probabilities(circuit: Any) -> Mapping[str, float]:
    """The probabilities of the outcomes of a circuit that is measured at its end, by bits, the last bit leftmost."""
    state = Statevector(circuit.remove_final_measurements(inplace=False))
    wires = {
        circuit.find_bit(one.clbits[0]).index: circuit.find_bit(one.qubits[0]).index
        for one in circuit.data
        if one.operation.name == "measure"
    }
    found: dict[str, float] = {}
    for index, probability in enumerate(state.probabilities()):
        bits = (str(index >> wires[bit] & 1) if bit in wires else "0" for bit in reversed(range(circuit.num_clbits)))
        key = "".join(bits)
        found[key] = found.get(key, 0.0) + float(probability)
    return {key: probability for key, probability in found.items() if probability > _ZERO}


def divergence(counts: Mapping[str, int], probabilities: Mapping[str, float]) -> float:
    """The Kullback-Leibler divergence of frequencies from probabilities, in nats; infinite for what cannot be."""
    shots = sum(counts.values())
    if not counts.keys() <= probabilities.keys():
        return inf
    return sum(count / shots * log(count / shots / probabilities[key]) for key, count in counts.items())


def largest_divergence(shots: int, outcomes: int, chance: float) -> float:
    """What the divergence of so many shots exceeds with at most this chance, whatever the probabilities.

    Source: Cover and Thomas, Elements of Information Theory, theorem 11.2.1: a type of divergence D has probability at
    most exp(-shots D), and there are C(shots + outcomes - 1, outcomes - 1) types.
    """
    types = lgamma(shots + outcomes) - lgamma(outcomes) - lgamma(shots + 1)
    return (types - log(chance)) / shots
