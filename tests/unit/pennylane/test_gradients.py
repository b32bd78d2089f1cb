"""Which angles of a program are differentiated, and the form of derivatives."""

from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.exceptions import DeviceError
from pennylane.tape import QuantumScript

from ketline.client.task_limits import TaskLimits
from ketline.pennylane.gradients import differentiable, jacobian_of, trained_of
from ketline.pennylane.requests import Request, tasks_of

AMPLE = TaskLimits(input_characters=1 << 19, result_characters=8 << 20, shots=100_000)
OPERATIONS = [
    qml.RX(0.1, 0),
    qml.QubitUnitary(np.eye(2), 0),
    qml.Rot(0.2, 0.3, 0.4, 1),
    qml.ctrl(qml.GlobalPhase(0.5), 0),
    qml.ctrl(qml.RY(0.6, 2), [0, 1], control_values=[0, 1]),
]


def tape_of(*operations: Any, trained: Any = None) -> QuantumScript:
    return QuantumScript(operations, [qml.expval(2.0 * qml.Z(0))], trainable_params=trained)


def test_parameters_are_angles_by_their_places_in_the_program() -> None:
    tape = tape_of(*OPERATIONS, trained=[0, 3, 5, 6])
    assert trained_of(tape) == [(0, 1.0), (2, 1.0), (4, -1.0), (5, 1.0)]
    request = Request(tape=tape.copy(measurements=[]), wires=[0, 1, 2], characters=1, observables=[{"IIZ": 2.0}])
    trained = [place for place, _ in trained_of(tape)]
    (task,) = tasks_of([Request(**{**{name: getattr(request, name) for name in FIELDS}, "trained": trained})], AMPLE)
    assert task.options["inputs"] == {"a0": 0.1, "a2": 0.3, "a4": -0.5, "a5": 0.6}
    assert task.options["gradient"] == ["a0", "a2", "a4", "a5"]


FIELDS = ("tape", "wires", "characters", "observables")


def test_a_matrix_and_a_coefficient_are_no_angles() -> None:
    for number in (1, 7):
        with pytest.raises(DeviceError, match="no angle"):
            trained_of(tape_of(*OPERATIONS, trained=[number]))


@pytest.mark.parametrize(
    ("tape", "expected"),
    [
        (tape_of(*OPERATIONS), True),
        (tape_of(qml.QubitUnitary(qml.numpy.eye(2), 0)), False),
        (QuantumScript([qml.RX(0.1, 0)], [qml.expval(qml.Z(0))], shots=5), False),
        (QuantumScript([qml.RX(0.1, 0)], [qml.expval(qml.Z(0)), qml.probs(wires=0)]), False),
        (QuantumScript([], [qml.expval(qml.Hermitian(np.eye(32), range(5)))]), False),
        (QuantumScript([], [qml.expval(qml.numpy.array(2.0) * qml.Z(0))]), False),
    ],
)
def test_circuits_that_the_service_differentiates(tape: QuantumScript, expected: bool) -> None:
    assert differentiable(tape) is expected


def test_derivatives_have_the_form_of_pennylane() -> None:
    one, two = [(0, 1.0)], [(0, 1.0), (1, -1.0)]
    assert jacobian_of([[3.0]], one).shape == ()
    assert [float(each) for each in jacobian_of([[3.0, 4.0]], two)] == [3.0, -4.0]
    assert [float(each) for each in jacobian_of([[3.0], [5.0]], one)] == [3.0, 5.0]
    assert [[float(each) for each in row] for row in jacobian_of([[3.0, 4.0], [5.0, 6.0]], two)] == [
        [3.0, -4.0],
        [5.0, -6.0],
    ]
    assert jacobian_of([[]], []) == ()
