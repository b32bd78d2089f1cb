"""Devices as backends of Qiskit's, on a running service; AerSimulator with the noise of the same target agrees."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.providers import BackendV2, Options
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from ketline.client import Client
from ketline.qiskit import KetlineDevice, KetlineEstimator, KetlineProvider, KetlineSampler, device_target
from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer

SHOTS = 20_000
# Errors that counts of this many shots show, and a readout as a target has it: one number.
NOISY: dict[str, Any] = {
    "name": "noisy",
    "qubits": [{"t1_us": 30, "t2_us": 20 + number, "p01": 0.03, "p10": 0.03, "readout_ns": 900} for number in range(6)],
    "gates": [
        *({"name": "rz", "qubits": [qubit], "error": 0, "duration_ns": 0} for qubit in range(6)),
        *({"name": "sx", "qubits": [qubit], "error": 0.004, "duration_ns": 40} for qubit in range(6)),
        *({"name": "cz", "qubits": [low, low + 1], "error": 0.05, "duration_ns": 300} for low in range(5)),
    ],
}


class Lab(BackendV2):  # type: ignore[misc]
    """Nothing but the target of the device, of which Aer makes its noise."""

    def __init__(self) -> None:
        super().__init__(name="lab")
        self._target = device_target(NOISY)

    @property
    def target(self) -> Any:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Any:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[KetlineProvider]:
    with (
        running_service(tmp_path_factory.mktemp("device-backends"), fork_server) as url,
        Client(url) as client,
    ):
        client.put_device(NOISY)
        yield KetlineProvider(client=client)


@pytest.fixture
def device(provider: KetlineProvider) -> KetlineDevice:
    found = provider.get_backend("noisy")
    assert isinstance(found, KetlineDevice)
    return found


def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(4)
    circuit.h(0)
    for target in (1, 2, 3):
        circuit.cx(0, target)
    circuit.measure_all()
    return circuit


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The total variation distance of two counts of as many shots."""
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in {*one, *other}) / (2 * SHOTS)


def test_provider_lists_shipped_and_stored_devices(provider: KetlineProvider) -> None:
    names = [backend.name for backend in provider.backends()]
    assert names == ["ketline-aer", "line-27", "grid-25", "heavy-hex-57", "noisy"]
    assert provider.get_backend("grid-25").num_qubits == 25


@pytest.mark.parametrize("level", [0, 3])
def test_transpiled_circuit_runs_as_it_is_with_the_errors_of_the_device(device: KetlineDevice, level: int) -> None:
    circuit = transpile(ghz(), device, optimization_level=level, seed_transpiler=11)
    job = device.run(circuit, shots=SHOTS, seed_simulator=5)
    counts = job.result().get_counts()
    task = device.client.get(job.task_ids[0])
    assert task.profile is not None
    placement = task.data["profile"]["placement"]
    assert placement["two_qubit_gates"] == circuit.count_ops()["cz"]
    assert placement["layout"] == placement["final_layout"] == list(range(circuit.num_qubits))
    aer = AerSimulator(noise_model=NoiseModel.from_backend(Lab()), method="density_matrix", seed_simulator=6)
    assert distance(counts, aer.run(circuit, shots=SHOTS).result().get_counts()) < 0.025
    ideal = AerSimulator(seed_simulator=6).run(circuit, shots=SHOTS).result().get_counts()
    assert distance(counts, ideal) > 0.15


def test_circuit_that_is_not_transpiled_runs_on_its_first_qubits(device: KetlineDevice) -> None:
    job = device.run(ghz(), shots=100)
    assert sum(job.result().get_counts().values()) == 100
    assert device.client.get(job.task_ids[0]).data["profile"]["placement"]["layout"] == [0, 1, 2, 3]


def test_job_of_a_device_is_found_again(provider: KetlineProvider, device: KetlineDevice) -> None:
    job = device.run(transpile(ghz(), device, seed_transpiler=11), shots=100, name="on a device")
    found = provider.retrieve_job(job.job_id())
    assert isinstance(found.backend(), KetlineDevice)
    assert found.result().backend_name == "noisy"
    assert found.result().get_counts() == job.result().get_counts()
    assert [each.backend().name for each in provider.jobs(name="on a device")] == ["noisy"]


def test_primitives_run_on_a_device(device: KetlineDevice) -> None:
    circuit = transpile(ghz(), device, optimization_level=1, seed_transpiler=11)
    sampled = [
        sampler.run([circuit], shots=SHOTS).result()[0].data.meas.get_counts()
        for sampler in (KetlineSampler(device, seed=1), BackendSamplerV2(backend=device))
    ]
    assert distance(*sampled) < 0.025
    pair = QuantumCircuit(2)
    pair.h(0)
    pair.cx(0, 1)
    bell = transpile(pair, device, initial_layout=[2, 3], seed_transpiler=11)
    observable = "IIZZII"[::-1]
    estimator = BackendEstimatorV2(backend=device, options={"default_precision": 0.02})
    value = float(estimator.run([(bell, observable)]).result()[0].data.evs)
    assert 0.7 < value < 0.95
    [exact, estimated] = (
        KetlineEstimator(device, seed=2).run([(bell, observable, [], 0.0), (bell, observable, [], 0.01)]).result()
    )
    aer = AerSimulator(noise_model=NoiseModel.from_backend(Lab()), method="density_matrix")
    saving = bell.copy()
    saving.save_expectation_value(SparsePauliOp(observable), range(6))
    assert exact.data.stds == 0
    assert float(exact.data.evs) == pytest.approx(aer.run(saving).result().data()["expectation_value"], abs=1e-9)
    # A readout of p01 = p10 = 0.03 leaves 0.94 of each Z.
    assert 0 < float(estimated.data.stds) < 0.011
    assert float(estimated.data.evs) == pytest.approx(0.94**2 * float(exact.data.evs), abs=0.05)


def test_estimator_of_a_layout_and_of_another_process(provider: KetlineProvider, device: KetlineDevice) -> None:
    """An observable of the program moved by Qiskit's layout has the value that a task with the program has."""
    circuit = QuantumCircuit(4)
    circuit.h(0)
    for target in (3, 1, 2):
        circuit.cx(0, target)
    circuit.ry(0.4, 2)
    operator = SparsePauliOp.from_list([("XZYX", 0.4), ("ZIZI", 1.0), ("IIIZ", 0.3)])
    transpiled = transpile(circuit, device, optimization_level=3, seed_transpiler=0)
    pub = (transpiled, operator.apply_layout(transpiled.layout))
    job = KetlineEstimator(device).run([pub])
    run = {"name": "noisy", "optimization_level": 3, "seed": 0}
    terms = {label: factor.real for label, factor in operator.to_list()}
    task = device.client.run(circuit, device=run, observables=[terms])
    assert [float(job.result()[0].data.evs)] == pytest.approx(task.expectation_values, abs=1e-9)
    sampled = KetlineEstimator(device, seed=1).run([pub], precision=0.05)
    again = provider.retrieve_job(sampled.job_id()).result()[0].data
    assert (float(again.evs), float(again.stds)) == (float(sampled.result()[0].data.evs), float(again.stds))
    assert float(again.stds) > 0


def test_qubits_relax_in_delays(provider: KetlineProvider) -> None:
    """A measurement of T1: what is left of a 1 after a time, in seconds or in the program's parameters."""
    backend = provider.get_backend("noisy")
    waits = []
    for time_us in (0.0, 15.0, 30.0):
        circuit = QuantumCircuit(1, 1)
        circuit.x(0)
        circuit.delay(time_us, 0, unit="us")
        circuit.measure(0, 0)
        waits.append(transpile(circuit, backend, optimization_level=1, seed_transpiler=1))
    result = backend.run(waits, shots=SHOTS, seed_simulator=5).result()
    left = [result.get_counts(number)["1"] / SHOTS for number in range(3)]
    # A readout of p01 = p10 = 0.03 takes 0.94 of the difference from a half.
    expected = [0.03 + 0.94 * float(np.exp(-time_us / 30)) for time_us in (0.0, 15.0, 30.0)]
    assert left == pytest.approx(expected, abs=0.03)
