"""The errors of devices are those that they say, and those of Aer's `NoiseModel.from_backend`."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SuperOp
from qiskit_aer.noise import NoiseModel as AerModel

from ketline.domain.devices.device import Device, DeviceQubit, device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.execution.simulators.channels.channel import Channel
from ketline.execution.simulators.channels.device import DeviceErrors, gate_error
from tests.devices import LINE_EDGES, backend_of, device_of, piece_of

# Both compute in double precision.
AGREEMENT = 1e-9


def average_error(channel: Channel) -> float:
    """One minus the average fidelity with the identity, from the trace of the superoperator."""
    dimension = float(2**channel.qubits)
    process = float(np.real(np.trace(channel.superoperator))) / dimension**2
    return 1 - (dimension * process + 1) / (dimension + 1)


def random_qubit(choose: random.Random) -> DeviceQubit:
    t1 = choose.choice([None, choose.uniform(10, 200)])
    t2 = choose.choice([None, choose.uniform(5, 100 if t1 is None else 2 * t1)])
    return DeviceQubit(t1_us=t1, t2_us=t2)


@pytest.mark.parametrize("seed", range(60))
def test_average_error_is_that_of_the_device(seed: int) -> None:
    choose = random.Random(seed)
    qubits = [random_qubit(choose) for _ in range(choose.randint(1, 2))]
    time_us = choose.choice([0.0, choose.uniform(0, 1)])
    relaxation = gate_error(0.0, qubits, time_us)
    least = 0.0 if relaxation is None else average_error(relaxation)
    error = choose.uniform(least, 0.6)
    channel = gate_error(error, qubits, time_us)
    assert channel is not None
    assert average_error(channel) == pytest.approx(error, abs=AGREEMENT)
    assert sum(term.probability for term in channel.terms) == pytest.approx(1)
    assert min(term.probability for term in channel.terms) >= 0


def test_relaxation_that_is_worse_than_the_error_stays() -> None:
    qubit = DeviceQubit(t1_us=10.0, t2_us=10.0)
    alone, both = gate_error(0.0, [qubit], 1.0), gate_error(1e-4, [qubit], 1.0)
    assert alone is not None
    assert both is not None
    assert average_error(both) == pytest.approx(average_error(alone), abs=AGREEMENT)
    assert average_error(both) > 1e-4


@pytest.mark.parametrize("qubits", [1, 2])
@pytest.mark.parametrize("time_us", [1.5, 1.8, 1.85, 3.0, 1000.0])
@pytest.mark.parametrize("t2_us", [0.03, 0.05, 0.1])
def test_gates_far_longer_than_relaxation_end_in_0(qubits: int, time_us: float, t2_us: float) -> None:
    channel = gate_error(1.0, [DeviceQubit(t1_us=0.05, t2_us=t2_us)] * qubits, time_us)
    assert channel is not None
    assert min(term.probability for term in channel.terms) >= 0
    dimension = 2**qubits
    expected = np.outer(np.eye(dimension**2)[0], np.eye(dimension).reshape(-1))
    assert np.allclose(channel.superoperator, expected, atol=1e-6)


@pytest.mark.parametrize("qubits", [1, 2])
def test_largest_error_is_a_channel(qubits: int) -> None:
    """An average error of d / (d + 1) is the largest of any gate; larger ones are cut to it."""
    channel = gate_error(1.0, [DeviceQubit()] * qubits, 0.0)
    assert channel is not None
    assert average_error(channel) == pytest.approx(2**qubits / (2**qubits + 1), abs=AGREEMENT)
    assert min(term.probability for term in channel.terms) >= 0


def test_gate_without_error_has_no_channel() -> None:
    assert gate_error(0.0, [DeviceQubit(t1_us=5.0)], 0.0) is None
    assert gate_error(0.0, [DeviceQubit(), DeviceQubit()], 3.0) is None


def superoperator_of(channel: Channel) -> Any:
    """In Qiskit's convention: the columns of a density matrix one after another, qubit 0 the lowest bit."""
    size = 2**channel.qubits
    rows = channel.superoperator.reshape(size, size, size, size)
    return rows.transpose(1, 0, 3, 2).reshape(size**2, size**2)


def exported(backend: Any) -> Device:
    """A backend of Qiskit's as a device, by hand."""
    target = backend.target
    qubits = [
        {
            "t1_us": one.t1 * 1e6,
            "t2_us": min(one.t2, 2 * one.t1) * 1e6,
            "p01": target["measure"][(number,)].error,
            "p10": target["measure"][(number,)].error,
        }
        for number, one in enumerate(target.qubit_properties)
    ]
    gates = [
        {"name": name, "qubits": list(operands), "error": found.error, "duration_ns": found.duration * 1e9}
        for name in target.operation_names
        if name not in ("measure", "delay", "reset") and target[name] != {None: None}
        for operands, found in target[name].items()
    ]
    return device_from_json({"name": "generic", "qubits": qubits, "gates": gates})


DEVICES = [
    *(piece_of(device, range(5)) for device in generic_devices().values()),
    device_of(),
    device_of(of_qubit={"t1_us": 40.0, "t2_us": 75.0}),
    device_of(of_qubit={"t1_us": 40.0, "t2_us": None}),
    device_of(of_qubit={"t1_us": None, "t2_us": 30.0}),
    device_of(of_qubit={"t1_us": None, "t2_us": None}),
]


def assert_same_errors(device: Device, model: AerModel) -> None:
    errors = DeviceErrors(device)
    direct = model._local_quantum_errors
    compared = 0
    for gate in device.gates:
        theirs, ours = direct.get(gate.name, {}).get(gate.qubits), errors.channel(gate.name, gate.qubits)
        if gate.name == "reset":
            assert ours is None  # relaxation leaves the state after a reset as it is
            continue
        if theirs is None or theirs.ideal():
            assert ours is None or np.allclose(ours.superoperator, np.eye(4**ours.qubits), atol=AGREEMENT)
            continue
        assert ours is not None, gate
        assert np.allclose(superoperator_of(ours), SuperOp(theirs).data, atol=AGREEMENT), gate
        compared += 1
    assert compared
    for number, qubit in enumerate(device.qubits):
        reading = errors.misreading(number)
        readout = model._local_readout_errors.get((number,))
        expected = [[1, 0], [0, 1]] if readout is None else readout.probabilities
        assert reading is not None
        assert np.allclose([[1 - reading.p01, reading.p01], [reading.p10, 1 - reading.p10]], expected)
        assert (reading.p01, reading.p10) == (qubit.p01, qubit.p10)


def even(device: Device) -> Device:
    """The device with p01 and p10 alike, since a target has one number for both."""
    document: Any = device.as_json()
    for qubit in document["qubits"]:
        mean = (qubit["p01"] + qubit["p10"]) / 2
        qubit["p01"] = qubit["p10"] = mean
    return device_from_json(document)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES, ids=range(len(DEVICES)))
def test_errors_are_those_of_aer(device: Device) -> None:
    assert_same_errors(even(device), AerModel.from_backend(backend_of(even(device))))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_errors_of_a_generic_backend_are_those_of_aer(seed: int) -> None:
    backend = GenericBackendV2(5, coupling_map=[list(edge) for edge in LINE_EDGES], seed=seed, noise_info=True)
    assert_same_errors(exported(backend), AerModel.from_backend(backend))
