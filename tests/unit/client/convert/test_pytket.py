"""Circuits of pytket: the same unitary, its own state's probabilities, and its conditions as it writes OpenQASM 2."""

from collections.abc import Iterator
from math import pi
from typing import Any

import numpy as np
import pytest
from pytket import Circuit, OpType
from pytket.circuit import (
    Bit,
    CircBox,
    ConjugationBox,
    CustomGateDef,
    DiagonalBox,
    ExpBox,
    MultiplexedRotationBox,
    MultiplexorBox,
    Op,
    PauliExpBox,
    PauliExpPairBox,
    QControlBox,
    Qubit,
    StatePreparationBox,
    TermSequenceBox,
    ToffoliBox,
    Unitary1qBox,
    Unitary2qBox,
    Unitary3qBox,
)
from pytket.circuit.logic_exp import reg_gt
from pytket.pauli import Pauli
from pytket.qasm import circuit_to_qasm_str
from scipy.stats import unitary_group
from sympy import Symbol, sin

from ketline.client import CircuitNotConvertible
from ketline.client.convert import ConvertedProgram, from_pytket
from tests.blocks import long_after
from tests.pubs import divergence, largest_divergence
from tests.unit.client.convert.comparison import (
    FALSE_ALARM,
    SHOTS,
    assert_sampled_alike,
    counts_of,
    key_of,
    unitary_of,
)

MAX_QUBITS = 4
MAX_PARAMETERS = 3


def _gates() -> Iterator[Any]:
    """A circuit for each gate of pytket and each number of qubits that it can have."""
    for name, kind in vars(OpType).items():
        if not isinstance(kind, OpType):
            continue
        for qubits in range(MAX_QUBITS + 1):
            for parameters in range(MAX_PARAMETERS + 1):
                circuit = Circuit(qubits, name)
                try:
                    circuit.add_gate(kind, [0.1 + 0.2 * at for at in range(parameters)], list(range(qubits)))
                    circuit.get_unitary()
                except (RuntimeError, TypeError, ValueError, IndexError, MemoryError):
                    continue  # it takes other numbers of parameters or qubits, or is no gate
                yield circuit
                break


GATES = list(_gates())
INSIDE = Circuit(3).H(0).CX(0, 1).Ry(0.3, 2).add_phase(0.3)
BOXES = [
    CircBox(INSIDE),
    Unitary1qBox(unitary_group.rvs(2, random_state=1)),
    Unitary2qBox(unitary_group.rvs(4, random_state=1)),
    Unitary3qBox(unitary_group.rvs(8, random_state=1)),
    PauliExpBox([Pauli.X, Pauli.Y, Pauli.Z], 0.3),
    PauliExpPairBox([Pauli.X, Pauli.Y], 0.3, [Pauli.Z, Pauli.Y], 0.2),
    TermSequenceBox([([Pauli.X, Pauli.Y], 0.3)]),
    QControlBox(Op.create(OpType.Ry, [0.3]), 2),
    QControlBox(CircBox(INSIDE), 1),
    ExpBox(np.diag([1, 2, 3, 4]).astype(complex), 0.3),
    DiagonalBox(np.exp(1j * np.arange(8))),
    ToffoliBox([([False, False], [True, True]), ([True, True], [False, False])]),
    ConjugationBox(CircBox(INSIDE), CircBox(Circuit(3).T(0))),
    MultiplexedRotationBox([([False], Op.create(OpType.Rz, [0.2])), ([True], Op.create(OpType.Rz, [0.4]))]),
    MultiplexorBox([([False], Op.create(OpType.H)), ([True], Op.create(OpType.Rz, [0.4]))]),
    StatePreparationBox(np.array([0.6, 0.8j, 0, 0])),
]


def test_gates_were_found() -> None:
    assert len({circuit.name for circuit in GATES}) > 60


@pytest.mark.parametrize("circuit", GATES, ids=lambda circuit: f"{circuit.name}-{circuit.n_qubits}")
def test_gate_has_its_unitary(circuit: Any) -> None:
    if circuit.n_qubits:
        assert np.allclose(unitary_of(from_pytket(circuit)), circuit.get_unitary(), atol=1e-9)


@pytest.mark.parametrize("box", BOXES, ids=lambda box: box.type.name)
def test_box_has_its_unitary(box: Any) -> None:
    circuit = Circuit(box.n_qubits).add_gate(box, list(range(box.n_qubits)))
    assert np.allclose(unitary_of(from_pytket(circuit)), circuit.get_unitary(), atol=1e-9)


def test_custom_gate_has_its_unitary() -> None:
    definition = CustomGateDef.define("mine", Circuit(1).Rx(Symbol("t"), 0), [Symbol("t")])
    circuit = Circuit(1).add_custom_gate(definition, [0.3], [0])
    assert np.allclose(unitary_of(from_pytket(circuit)), circuit.get_unitary(), atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_random_circuit_has_the_probabilities_of_its_state(seed: int) -> None:
    """Registers of other names, measured in any order; at a level of 1e-9 for each circuit."""
    random = np.random.default_rng(seed)
    circuit = Circuit()
    qubits = [*circuit.add_q_register("b", 2), *circuit.add_q_register("a", 2)]
    for _ in range(20):
        made = GATES[random.integers(len(GATES))]
        (command,) = made.get_commands() or [None]
        if command is not None:
            circuit.add_gate(command.op, [qubits[at] for at in random.permutation(4)[: made.n_qubits]])
    state = np.abs(circuit.get_statevector()) ** 2
    order = sorted(qubits)  # the first is the most significant bit of an index
    bits = [*circuit.add_c_register("out", 3), *circuit.add_c_register("more", 1)]
    measured = [qubits[at] for at in random.permutation(4)]
    for qubit, bit in zip(measured, bits, strict=True):
        circuit.Measure(qubit, bit)
    probabilities: dict[str, float] = {}
    for index, probability in enumerate(state):
        values = [index >> 3 - order.index(qubit) & 1 for qubit in measured]
        key = key_of([values[3:], values[:3]])  # registers are declared in the order of their names
        probabilities[key] = probabilities.get(key, 0.0) + float(probability)
    likely = {key: probability for key, probability in probabilities.items() if probability > 1e-12}
    counts = counts_of(from_pytket(circuit))
    assert divergence(counts, likely) <= largest_divergence(SHOTS, len(likely), FALSE_ALARM)


@pytest.mark.parametrize("seed", long_after(3, range(8)))
def test_conditions_are_those_of_openqasm_2(seed: int) -> None:
    """What pytket writes itself is read by Qiskit's reader; both samples agree at a level of 1e-9."""
    random = np.random.default_rng(seed)
    circuit = Circuit(3, 3)
    for qubit in range(3):
        circuit.Ry(float(random.uniform(0.2, 0.8)), qubit)
        circuit.Measure(qubit, int((qubit + seed) % 3))
    circuit.Rx(0.3, 0, condition_bits=[0, 1, 2], condition_value=int(random.integers(8)))
    circuit.X(1, condition_bits=[0, 1, 2], condition_value=int(random.integers(8)))
    circuit.Measure(0, 2).Measure(1, 0)
    theirs = ConvertedProgram(text=circuit_to_qasm_str(circuit), format="openqasm2")
    assert_sampled_alike(counts_of(from_pytket(circuit)), counts_of(theirs))


def test_registers_keep_names_and_bits_their_indices() -> None:
    circuit = Circuit()
    circuit.add_q_register("data", 2)
    circuit.add_c_register("out", 3)
    circuit.add_c_register("if", 1)
    circuit.X(Qubit("data", 1)).Measure(Qubit("data", 1), Bit("out", 2)).Measure(Qubit("data", 0), Bit("if", 0))
    program = from_pytket(circuit)
    assert program.registers == {"if_1": "if", "out": "out"}
    assert "qubit[2] data;" in program.text
    assert counts_of(program, 5) == {"100 0": 5}


def test_bits_are_set_and_copied() -> None:
    circuit = Circuit(1, 2)
    circuit.add_c_setbits([True], [0])
    circuit.add_c_copybits([0], [1])
    circuit.X(0, condition_bits=[1], condition_value=1).Measure(0, 0).Reset(0).add_barrier([0])
    assert counts_of(from_pytket(circuit), 5) == {"11": 5}


def test_condition_on_a_part_of_the_bits_is_little_endian() -> None:
    circuit = Circuit(3, 3).X(1).Measure(1, 1).X(2, condition_bits=[0, 1], condition_value=2).Measure(2, 2)
    assert counts_of(from_pytket(circuit), 5) == {"110": 5}


def test_symbols_become_inputs_in_half_turns() -> None:
    a, b = Symbol("a"), Symbol("β")
    circuit = Circuit(2, 2).Rx(2 * a - 1, 0).TK1(b, sin(a), a**2, 1).CX(0, 1).add_phase(a).measure_all()
    program = from_pytket(circuit)
    assert set(program.inputs) == {"a", "β"}
    bound = Circuit(2, 2).Rx(2 * 0.3 - 1, 0).TK1(0.7, float(np.sin(0.3)), 0.09, 1).CX(0, 1).measure_all()
    assert_sampled_alike(counts_of(program, inputs={"a": 0.3, "β": 0.7}), counts_of(from_pytket(bound)))


def test_angles_are_exact() -> None:
    assert f"rx({pi / 2!r}) q[0];" in from_pytket(Circuit(1).Rx(0.5, 0)).text


def test_what_cannot_be_converted_is_rejected_by_name() -> None:
    circuit = Circuit(1)
    register = circuit.add_c_register("c", 2)
    circuit.X(0, condition=reg_gt(register, 1))
    with pytest.raises(CircuitNotConvertible, match=r"RangePredicate|ClExpr"):
        from_pytket(circuit)
