"""A device as a target of Qiskit's, and circuits that are transpiled for it."""

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import Operator

from ketline.device_target import CONTROL_FLOW, target_of_device
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.generic_devices import generic_devices


@pytest.mark.parametrize("device", generic_devices().values(), ids=lambda device: device.name)
def test_target_has_what_the_device_has(device: Device) -> None:
    target = target_of_device(device)
    assert (target.num_qubits, target.dt) == (device.num_qubits, 4e-9)
    assert {tuple(pair) for pair in target.build_coupling_map().get_edges()} == set(device.coupling)
    assert set(target.operation_names) == {*device.gate_names, "measure", "delay", *CONTROL_FLOW}
    for gate in device.gates:
        found = target[gate.name][gate.qubits]
        expected = None if gate.duration_ns is None else pytest.approx(gate.duration_ns * 1e-9)
        assert (found.error, found.duration) == (gate.error, expected)
    for number, qubit in enumerate(device.qubits):
        readout = target["measure"][(number,)]
        assert readout.error == pytest.approx((qubit.p01 + qubit.p10) / 2)
        assert readout.duration == pytest.approx(1.2e-6)
        assert target.qubit_properties[number].t1 == pytest.approx((qubit.t1_us or 0) * 1e-6)
        assert target.qubit_properties[number].t2 == pytest.approx((qubit.t2_us or 0) * 1e-6)


def test_what_is_not_known_of_a_device_is_not_in_its_target() -> None:
    target = target_of_device(
        device_from_json({"name": "bare", "qubits": [{}, {}], "gates": [{"name": "cx", "qubits": [1, 0]}]})
    )
    assert (target.dt, target.qubit_properties[0].t1, target["cx"][1, 0].error) == (None, None, None)
    assert target["measure"][(1,)].error == 0
    assert target["measure"][(1,)].duration is None


def test_circuit_for_a_device_does_the_same_with_its_gates_and_couplings() -> None:
    device = device_from_json(
        {
            "name": "directed",
            "qubits": [{}, {}, {}],
            "gates": [
                *({"name": name, "qubits": [qubit]} for name in ("rz", "sx") for qubit in range(3)),
                {"name": "ecr", "qubits": [1, 0]},
                {"name": "ecr", "qubits": [1, 2]},
            ],
        }
    )
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.swap(0, 2)
    made = transpile(circuit, target=target_of_device(device), optimization_level=2, seed_transpiler=5)
    assert set(made.count_ops()) <= {"rz", "sx", "ecr"}
    pairs = {tuple(made.find_bit(qubit).index for qubit in one.qubits) for one in made.data if len(one.qubits) == 2}
    assert pairs <= set(device.coupling)
    assert Operator.from_circuit(made).equiv(Operator(circuit))


def test_circuits_with_branches_and_loops_are_transpiled_for_a_device() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.cx(0, 2)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h(1)
        circuit.measure(1, 0)
    made = transpile(circuit, target=target_of_device(generic_devices()["line-27"]), seed_transpiler=5)
    assert {"if_else", "while_loop"} <= set(made.count_ops())
