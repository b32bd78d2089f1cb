"""Prepared circuits have gates whose angles the program has, and the same unitary, or are rejected."""

from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.exceptions import DeviceError
from pennylane.tape import QuantumScript
from scipy.stats import unitary_group

from ketline.client.convert import from_pennylane
from ketline.client.task_limits import TaskLimits
from ketline.pennylane.preprocessing import accepted_operation, pipeline_of
from ketline.pennylane.requests import Request, tasks_of
from tests.unit.client.convert.comparison import unitary_of

WIRES = qml.wires.Wires(range(5))
OPERATIONS = [
    qml.SingleExcitation(0.3, [0, 1]),
    qml.DoubleExcitation(0.3, [0, 1, 2, 3]),
    qml.CRot(0.1, 0.2, 0.3, [1, 0]),
    qml.MultiRZ(0.3, [0, 2, 3]),
    qml.PauliRot(0.3, "XYZ", [0, 1, 2]),
    qml.U2(0.1, 0.2, 1),
    qml.QubitUnitary(unitary_group.rvs(8, random_state=1), [0, 1, 3]),
    qml.QubitUnitary(unitary_group.rvs(16, random_state=1), [0, 1, 3, 4]),
    qml.ControlledSequence(qml.RX(0.3, 4), control=[0, 1, 2]),
    qml.QuantumPhaseEstimation(qml.RX(0.3, 0), estimation_wires=[1, 2, 3]),
    qml.ctrl(qml.GlobalPhase(0.3), [1, 2]),
    qml.ctrl(qml.RX(0.3, 0), [1, 2], control_values=[0, 1]),
    qml.adjoint(qml.QFT([0, 1, 2, 3, 4])),
    qml.pow(qml.RX(0.3, 1), 0.5),
    qml.exp(qml.X(0) @ qml.Y(1), 0.3j),
    qml.StronglyEntanglingLayers(np.linspace(0, 1, 15).reshape(1, 5, 3), range(5)),
    qml.TrotterProduct(qml.X(0) + 0.3 * qml.Z(1), 0.3, n=2),
    qml.Toffoli([0, 1, 2]),
]


def prepared(tape: QuantumScript, mcm_method: str = "deferred") -> QuantumScript:
    (found,), _ = pipeline_of("ketline.simulator", WIRES, mcm_method)((tape,))
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_prepared_operation_has_its_unitary(operation: Any) -> None:
    tape = QuantumScript([*map(qml.Identity, WIRES), operation], [qml.expval(qml.Z(0))])
    found = prepared(tape)
    assert all(map(accepted_operation, found.operations))
    expected = qml.matrix(QuantumScript(tape.operations), wire_order=WIRES)
    assert np.allclose(unitary_of(from_pennylane(found.copy(measurements=[]))), expected, atol=1e-9)


@pytest.mark.parametrize("gate", [qml.SingleExcitation, qml.IsingXY, qml.CRX, qml.PSWAP, qml.U1])
def test_gates_with_other_angles_share_a_program(gate: Any) -> None:
    wires = range(gate.num_wires)
    tapes = [prepared(QuantumScript([gate(angle, wires=wires)], [qml.probs(wires=[0])])) for angle in (0.3, 0.9)]
    requests = [Request(tape=tape.copy(measurements=[]), wires=WIRES, characters=1) for tape in tapes]
    (task,) = tasks_of(requests, TaskLimits(input_characters=1000, result_characters=1000, shots=1))
    assert list(task.members) == [0, 1]


def test_states_are_prepared_by_gates() -> None:
    state = np.arange(1, 5) + 1j * np.arange(4)
    state = state / np.linalg.norm(state)
    found = prepared(QuantumScript([qml.StatePrep(state, [0, 1]), qml.X(0)], [qml.state()]))
    unitary = qml.matrix(QuantumScript(found.operations), wire_order=[0, 1])
    np.testing.assert_allclose(unitary[:, 0], np.roll(state, 2), atol=1e-12)


@pytest.mark.parametrize(
    ("tape", "error", "message"),
    [
        (QuantumScript([qml.AmplitudeDamping(0.1, 0)]), DeviceError, "AmplitudeDamping.* not supported"),
        (QuantumScript([], [qml.sample(wires=0)]), DeviceError, "not accepted for analytic simulation"),
        (QuantumScript([], [qml.purity(wires=0)], shots=5), DeviceError, "not accepted with finite shots"),
        (QuantumScript([], [qml.probs(wires=9)]), qml.exceptions.WireError, "not found on the device"),
        (
            QuantumScript([qml.ops.MidMeasure(qml.wires.Wires([0]), postselect=1)], [qml.probs(wires=0)]),
            ValueError,
            "[Pp]ostselection",
        ),
    ],
    ids=str,
)
def test_what_is_not_supported_is_rejected(tape: QuantumScript, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepared(tape)
