"""Circuits of a job that differ in angles only become one program with inputs, which gives each circuit back."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from qiskit import qpy
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import UnitaryGate, XGate, real_amplitudes
from qiskit.quantum_info import Operator

from ketline.client.task_limits import TaskLimits
from ketline.qiskit.circuit_groups import CircuitGroup, groups_of

AMPLE = TaskLimits(input_characters=1 << 19, result_characters=8 << 20, shots=100_000)
CHARACTERS = 100


def grouped(circuits: Sequence[Any], limits: TaskLimits = AMPLE) -> list[CircuitGroup]:
    return groups_of(circuits, limits, CHARACTERS)


def members(circuits: Sequence[Any], limits: TaskLimits = AMPLE) -> list[Sequence[int]]:
    return [list(group.members) for group in grouped(circuits, limits)]


def turned(first: float, second: float = 0.5, *, qubits: int = 2) -> QuantumCircuit:
    """A circuit of two angles, whose registers have names of their own."""
    circuit = QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(qubits, "out"))
    circuit.ry(first, 0)
    circuit.barrier()
    circuit.cp(second, 0, 1)
    circuit.h(1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def circuits_in(group: CircuitGroup) -> list[Any]:
    """The circuits that a service makes of a group's program and its inputs."""
    assert group.circuit.program_format == "qpy"
    (template,) = qpy.load(io.BytesIO(base64.b64decode(group.circuit.program)))
    columns = {parameter: group.inputs[parameter.name] for parameter in template.parameters}
    assert {len(column) for column in columns.values()} == {len(group.members)}
    return [
        template.assign_parameters({parameter: column[point] for parameter, column in columns.items()})
        for point in range(len(group.members))
    ]


@pytest.mark.parametrize(
    "circuits",
    [
        [turned(angle) for angle in (0.1, 0.2, 0.1)],
        [turned(0.1 * number, -0.3 * number) for number in range(12)],
        [bell(), bell()],
        [
            real_amplitudes(3, reps=1).assign_parameters(angles).measure_all(inplace=False)
            for angles in np.random.default_rng(1).uniform(0, 6, (5, 6))
        ],
    ],
    ids=["one angle", "two angles", "no angle", "many angles"],
)
def test_group_is_its_circuits(circuits: Sequence[Any]) -> None:
    (group,) = grouped(circuits)
    assert list(group.members) == list(range(len(circuits)))
    for sent, circuit in zip(circuits_in(group), circuits, strict=True):
        assert [register.name for register in sent.cregs] == [register.name for register in circuit.cregs]
        assert [one.name for one in sent.data] == [one.name for one in circuit.data]
        found, expected = (Operator(one.remove_final_measurements(inplace=False)) for one in (sent, circuit))
        assert found.equiv(expected)


def test_circuits_of_other_structures_are_groups_of_their_own() -> None:
    circuits = [turned(0.1), bell(), turned(0.2), turned(0.2, qubits=3), bell()]
    assert members(circuits) == [[0, 2], [1, 4], [3]]


def test_single_circuit_is_sent_as_it_is() -> None:
    (group,) = grouped([bell()])
    assert (group.inputs, group.circuit.program_format) == ({}, "openqasm3")
    assert grouped([]) == []


def with_unitary() -> QuantumCircuit:
    circuit = bell()
    circuit.data.insert(0, circuit.data[0].replace(operation=UnitaryGate([[0, 1], [1, 0]])))
    return circuit


def with_branch() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(0)
    return circuit


def measured_in_between() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 1)
    return circuit


def with_open_control() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 1)
    circuit.append(XGate().control(1, ctrl_state=0), [0, 1])
    circuit.measure(1, 0)
    return circuit


def with_reset() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.reset(0)
    circuit.measure(0, 0)
    return circuit


def wide() -> QuantumCircuit:
    circuit = QuantumCircuit(30)
    circuit.h(range(30))
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    "make", [with_unitary, with_branch, measured_in_between, with_reset, wide, lambda: turned(float("nan"))]
)
def test_other_circuits_are_not_grouped(make: Callable[[], QuantumCircuit]) -> None:
    assert members([make(), make()]) == [[0], [1]]


def test_gates_with_other_control_states_are_told_apart() -> None:
    closed = QuantumCircuit(2, 1)
    closed.cx(0, 1)
    closed.measure(1, 0)
    assert members([closed, with_open_control()]) == [[0], [1]]


def test_circuit_with_parameters_is_no_member() -> None:
    """The caller rejects such circuits or sweeps them; here they must not be mixed up with others."""
    free = turned(0.1)
    free.data[0] = free.data[0].replace(operation=free.data[0].operation.to_mutable())
    free.rz(Parameter("a"), 0)
    assert members([turned(0.1), turned(0.2)]) == [[0, 1]]


def test_groups_are_small_enough_for_several_slots_and_for_the_limits_of_a_task() -> None:
    many = [turned(0.1 * number) for number in range(120)]
    assert [len(group) for group in members(many)] == [50, 50, 20]
    tight = TaskLimits(input_characters=24 * 7, result_characters=1 << 20, shots=100_000)
    assert [len(group) for group in members(many[:16], tight)] == [7, 7, 2]
    short = TaskLimits(input_characters=1 << 20, result_characters=3 * CHARACTERS, shots=100_000)
    assert [len(group) for group in members(many[:7], short)] == [3, 3, 1]


def test_large_circuits_are_grouped_only_as_far_as_they_take_little_time() -> None:
    large = [
        real_amplitudes(16, reps=1).assign_parameters(angles).measure_all(inplace=False)
        for angles in np.random.default_rng(2).uniform(0, 6, (6, 32))
    ]
    sizes = [len(group) for group in members(large)]
    assert sum(sizes) == 6
    assert max(sizes) == (1 << 24) // (len(large[0].data) << 16)
