"""Circuits that differ in angles only are one sweep, whose points are those circuits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript
from qiskit.quantum_info import SparsePauliOp, Statevector

from ketline.client.task_limits import MAX_CIRCUITS, TaskLimits
from ketline.domain.limits import MAX_INPUTS
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.pennylane.requests import PlannedTask, Request, tasks_of

AMPLE = TaskLimits(input_characters=1 << 19, result_characters=8 << 20, shots=100_000)
LIMITS = ExecutionLimits()


def request(*operations: Any, observable: str = "ZZ", characters: float = 24, **options: Any) -> Request:
    tape = QuantumScript(operations)
    return Request(tape=tape, wires=[0, 1], characters=characters, observables=[{observable: 1.0}], options=options)


def shifted(angles: Sequence[float], **options: Any) -> Request:
    first, second = angles
    return request(qml.RX(first, 0), qml.CNOT([0, 1]), qml.GlobalPhase(0.4), qml.RY(second, 1), **options)


def values_of(task: PlannedTask) -> list[float]:
    """The expectation value at each point of a task, of the state that its program prepares."""
    inputs = task.options["inputs"]
    found: list[float] = []
    for number in range(len(task.members)):
        own = {name: column[number] for name, column in inputs.items()}
        circuit = read_program(task.program, LIMITS, own).circuit
        (observable,) = task.options["observables"]
        found.append(Statevector(circuit).expectation_value(SparsePauliOp.from_list(observable.items())).real)
    return found


def test_circuits_that_differ_in_angles_are_one_sweep() -> None:
    angles = [(0.1, 0.5), (0.1, -0.7), (0.1, 3.0)]
    (task,) = tasks_of([shifted(each) for each in angles], AMPLE)
    assert list(task.members) == [0, 1, 2]
    assert list(task.options["inputs"].values()) == [[0.5, -0.7, 3.0]]
    assert task.program.count("input float") == 1


def test_angles_of_phases_are_inputs_with_their_sign() -> None:
    def controlled(angle: float) -> Request:
        operations = [qml.H(0), qml.H(1), qml.ctrl(qml.GlobalPhase(angle), 0), qml.PhaseShift(0.3, 1)]
        return request(*operations, observable="IX")

    (task,) = tasks_of([controlled(0.3), controlled(0.9)], AMPLE)
    assert list(task.options["inputs"].values()) == [[-0.3, -0.9]]


def test_one_circuit_has_no_inputs() -> None:
    (task,) = tasks_of([shifted((0.1, 0.5))], AMPLE)
    assert "inputs" not in task.options
    assert task.options["observables"] == [{"ZZ": 1.0}]


def test_other_gates_options_and_kinds_are_other_tasks() -> None:
    counts = Request(tape=shifted((0.1, 0.2)).tape, wires=[0, 1], characters=24, options={"shots": 5})
    requests = [
        shifted((0.1, 0.5)),
        request(qml.RX(0.1, 0)),
        shifted((0.2, 0.5)),
        counts,
        shifted((0.1, 0.5), method="statevector"),
    ]
    assert [list(task.members) for task in tasks_of(requests, AMPLE)] == [[0, 2], [1], [3], [4]]


def test_equal_circuits_are_tasks_of_their_own() -> None:
    tasks = tasks_of([shifted((0.1, 0.5)), shifted((0.1, 0.5))], AMPLE)
    assert [list(task.members) for task in tasks] == [[0], [1]]


def test_points_have_observables_of_their_own() -> None:
    requests = [
        request(qml.RX(0.1, 0), observable="IZ"),
        request(qml.RX(0.2, 0), observable="IY"),
    ]
    (task,) = tasks_of(requests, AMPLE)
    assert task.options["observables"] == [[{"IZ": 1.0}], [{"IY": 1.0}]]


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (AMPLE, MAX_CIRCUITS),
        (TaskLimits(input_characters=24 * 2 * 7, result_characters=1 << 20, shots=1), 7),
        (TaskLimits(input_characters=1 << 20, result_characters=24 * 9, shots=1), 9),
    ],
)
def test_sweeps_fit_into_a_task(limits: TaskLimits, most: int) -> None:
    requests = [shifted((0.01 * number, 0.02 * number)) for number in range(70)]
    tasks = tasks_of(requests, limits)
    assert {len(task.members) for task in tasks[:-1]} == {most}
    assert [member for task in tasks for member in task.members] == list(range(70))


def test_circuits_with_more_varying_angles_than_inputs_are_tasks_of_their_own() -> None:
    def many(first: float) -> Request:
        return request(*(qml.RX(first + number, 0) for number in range(MAX_INPUTS + 1)))

    tasks = tasks_of([many(0.1), many(0.2)], AMPLE)
    assert [list(task.members) for task in tasks] == [[0], [1]]


def test_points_have_the_values_of_their_circuits() -> None:
    random = np.random.default_rng(8)
    angles = random.uniform(-3, 3, (6, 2)).tolist()
    (task,) = tasks_of([shifted(each) for each in angles], AMPLE)
    expected = [
        float(np.real(qml.matrix(QuantumScript(tape.operations), wire_order=[0, 1])[:, 0].conj() @ Z_Z @ state))
        for tape in (shifted(each).tape for each in angles)
        for state in [qml.matrix(QuantumScript(tape.operations), wire_order=[0, 1])[:, 0]]
    ]
    np.testing.assert_allclose(values_of(task), expected, atol=1e-12)


Z_Z = np.diag([1, -1, -1, 1])
