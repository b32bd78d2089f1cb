"""Tapes of PennyLane: the same unitary, and the same measurements as its default simulator."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript
from scipy.stats import unitary_group

from ketline.client import CircuitNotConvertible
from ketline.client.convert import from_pennylane
from ketline.client.convert.pennylane import _NAMES
from tests.unit.client.convert.comparison import (
    SHOTS,
    assert_sampled_alike,
    counts_of,
    key_of,
    unitary_of,
)

OPERATIONS = [
    qml.RX(0.3, 0),
    qml.RY(0.3, 0),
    qml.RZ(0.3, 0),
    qml.X(0),
    qml.Y(0),
    qml.Z(0),
    qml.H(0),
    qml.S(0),
    qml.T(0),
    qml.SX(0),
    qml.CNOT([0, 1]),
    qml.CZ([0, 1]),
    qml.CY([0, 1]),
    qml.CH([0, 1]),
    qml.SWAP([0, 1]),
    qml.ISWAP([0, 1]),
    qml.SISWAP([0, 1]),
    qml.ECR([0, 1]),
    qml.CSWAP([0, 1, 2]),
    qml.Toffoli([0, 1, 2]),
    qml.CCZ([0, 1, 2]),
    qml.PhaseShift(0.3, 0),
    qml.ControlledPhaseShift(0.3, [0, 1]),
    qml.CRX(0.3, [0, 1]),
    qml.CRY(0.3, [0, 1]),
    qml.CRZ(0.3, [0, 1]),
    qml.CRot(0.1, 0.2, 0.3, [0, 1]),
    qml.CPhaseShift00(0.3, [0, 1]),
    qml.CPhaseShift01(0.3, [0, 1]),
    qml.CPhaseShift10(0.3, [0, 1]),
    qml.IsingXX(0.3, [0, 1]),
    qml.IsingXY(0.3, [0, 1]),
    qml.IsingYY(0.3, [0, 1]),
    qml.IsingZZ(0.3, [0, 1]),
    qml.PSWAP(0.3, [0, 1]),
    qml.Rot(0.1, 0.2, 0.3, 0),
    qml.U1(0.3, 0),
    qml.U2(0.1, 0.2, 0),
    qml.U3(0.1, 0.2, 0.3, 0),
    qml.MultiControlledX([0, 1, 2, 3], [1, 0, 1]),
    qml.MultiRZ(0.3, [0, 1, 2, 3]),
    qml.PauliRot(0.3, "XYZ", [0, 1, 2]),
    qml.QubitUnitary(unitary_group.rvs(16, random_state=1), [0, 1, 2, 3]),
    qml.DiagonalQubitUnitary(np.exp(1j * np.arange(4)), [0, 1]),
    qml.ControlledQubitUnitary(unitary_group.rvs(2, random_state=1), [0, 1]),
    qml.SingleExcitation(0.3, [0, 1]),
    qml.SingleExcitationPlus(0.3, [0, 1]),
    qml.SingleExcitationMinus(0.3, [0, 1]),
    qml.DoubleExcitation(0.3, [0, 1, 2, 3]),
    qml.DoubleExcitationPlus(0.3, [0, 1, 2, 3]),
    qml.DoubleExcitationMinus(0.3, [0, 1, 2, 3]),
    qml.OrbitalRotation(0.3, [0, 1, 2, 3]),
    qml.FermionicSWAP(0.3, [0, 1]),
    qml.GlobalPhase(0.3),
    qml.QFT([0, 1, 2, 3]),
    qml.GroverOperator([0, 1, 2]),
    qml.adjoint(qml.S(0)),
    qml.adjoint(qml.QFT([0, 1, 2, 3])),
    qml.pow(qml.X(0), 0.3),
    qml.prod(qml.X(0), qml.RY(0.3, 1)),
    qml.ctrl(qml.GlobalPhase(0.3), 0),
    qml.ctrl(qml.Rot(0.1, 0.2, 0.3, 2), [0, 1], control_values=[0, 1]),
    qml.ctrl(qml.IsingXY(0.3, [0, 1]), [2, 3]),
    qml.ctrl(qml.adjoint(qml.T(0)), [2, 3]),
    qml.exp(qml.X(0) @ qml.Y(1), 0.3j),
    qml.QubitCarry([0, 1, 2, 3]),
    qml.QubitSum([0, 1, 2]),
    qml.Permute([1, 0, 3, 2], [0, 1, 2, 3]),
    qml.PCPhase(0.3, 2, [0, 1]),
    qml.SpecialUnitary(np.linspace(0, 1, 15), [0, 1]),
    qml.SelectPauliRot([0.1, 0.2, 0.3, 0.4], [0, 1], 2),
    qml.evolve(qml.X(0), 0.3),
    qml.TrotterProduct(qml.X(0) + 0.3 * qml.Z(1), 0.3, n=2),
    qml.AngleEmbedding([0.1, 0.2], [0, 1]),
    qml.IntegerComparator(2, wires=[0, 1, 2]),
    qml.Identity([0, 1]),
]
SIMPLE = [operation for operation in OPERATIONS if len(operation.wires) in (1, 2)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_has_its_unitary(operation: Any) -> None:
    wires = sorted(operation.wires) or [0]
    tape = QuantumScript([*map(qml.Identity, wires), operation])
    expected = qml.matrix(tape, wire_order=wires)
    assert np.allclose(unitary_of(from_pennylane(tape)), expected, atol=1e-9)


def test_each_operation_with_a_counterpart_is_tested() -> None:
    assert _NAMES.keys() <= {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("seed", range(10))
def test_random_tape_has_the_counts_of_the_default_simulator(seed: int) -> None:
    """With wires that are strings, and a measurement that decides on a gate; at a level of 1e-9 each."""
    wires = ["d", "a", 3, "b"]

    def body() -> Any:
        for wire in wires:
            qml.RY(float(random.uniform(0.3, 1.2)), wire)
        for at in random.integers(len(SIMPLE), size=10):
            operation = SIMPLE[at]
            names = [wires[place] for place in random.permutation(4)]
            qml.map_wires(operation, dict(zip(operation.wires, names, strict=False)))
        outcome = qml.measure("a", reset=bool(seed % 2))
        qml.cond(outcome, qml.RY, qml.RX)(0.8, "d")
        qml.cond(outcome == 0, qml.X)(3)
        return qml.counts(wires=[wires[at] for at in random.permutation(4)[:3]])

    # The default, "one-shot", runs the circuit anew for each shot: a hundred times as long.
    device = qml.device("default.qubit", wires=wires, seed=seed)
    circuit = qml.set_shots(qml.QNode(body, device, mcm_method="tree-traversal"), SHOTS)
    random = np.random.default_rng(seed)
    theirs = circuit()
    random = np.random.default_rng(seed)
    program = from_pennylane(circuit)
    ours: Counter[str] = Counter()
    for key, count in counts_of(program).items():
        ours[key.split()[0]] += count
    assert list(program.registers) == ["m0", "c"]
    assert_sampled_alike(ours, {str(key)[::-1]: int(count) for key, count in theirs.items()})


def test_bit_order_is_that_of_the_wires() -> None:
    tape = QuantumScript(
        [qml.X("a"), qml.I("b"), qml.I("c")], [qml.counts(wires=["c", "a", "b"]), qml.sample(wires="a")]
    )
    program = from_pennylane(tape)
    assert list(program.registers) == ["c", "c_1"]
    assert counts_of(program, 5) == {"1 010": 5}
    assert counts_of(from_pennylane(QuantumScript([qml.X("a"), qml.I("b")], [qml.probs()])), 5) == {"01": 5}


def test_wires_of_the_device_come_in_its_order() -> None:
    def body(angle: float, *, wire: str) -> Any:
        qml.RX(angle, wire)
        return qml.counts()

    circuit = qml.QNode(body, qml.device("default.qubit", wires=["z", "y", "x"]))
    assert counts_of(from_pennylane(circuit, np.pi, wire="y"), 5) == {"010": 5}


def test_conditions_on_several_measurements_hold_as_in_pennylane() -> None:
    def body() -> Sequence[Any]:
        for wire in (0, 1):
            qml.X(wire)
        qml.RX(0.0, 2)
        first, second = qml.measure(0), qml.measure(2)
        qml.cond(first & ~second, qml.X)(3)
        qml.cond(first + 2 * second == 3, qml.X)(1)
        return [qml.counts([first, second]), qml.counts(wires=[1, 3])]

    tape = qml.tape.make_qscript(body)()
    assert counts_of(from_pennylane(tape), 5) == {"11 0 1": 5}


def test_basis_state_at_the_beginning_is_prepared() -> None:
    tape = QuantumScript([qml.BasisState([1, 0, 1], [0, 1, 2])], [qml.counts(wires=[0, 1, 2])])
    assert counts_of(from_pennylane(tape), 5) == {key_of([[1, 0, 1]]): 5}


@pytest.mark.parametrize(
    ("operations", "measurements", "message"),
    [
        ([qml.BitFlip(0.1, 0)], [], "BitFlip is a channel"),
        ([qml.QubitChannel([np.eye(2)], 0)], [], "QubitChannel is a channel"),
        ([qml.X(0)], [qml.expval(qml.Z(0))], r"expval\(Z\(0\)\).*observables"),
        ([qml.X(0)], [qml.sample(qml.X(0))], r"sample\(X\(0\)\)"),
        ([qml.X(0)], [qml.state()], "state"),
        ([qml.RX([0.1, 0.2], 0)], [qml.counts(wires=[0])], "several values"),
        ([qml.ops.MidMeasure(qml.wires.Wires([0]), postselect=1)], [], "postselect"),
    ],
    ids=str,
)
def test_what_cannot_be_converted_is_rejected_by_name(operations: Any, measurements: Any, message: str) -> None:
    with pytest.raises(CircuitNotConvertible, match=message):
        from_pennylane(QuantumScript(operations, measurements))


def test_value_computed_from_measurements_is_rejected() -> None:
    def body() -> Any:
        return qml.counts(qml.measure(0) + qml.measure(1))

    with pytest.raises(CircuitNotConvertible, match="computes values"):
        from_pennylane(qml.tape.make_qscript(body)())
