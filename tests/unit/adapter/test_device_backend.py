"""A device as a backend: what it is for the transpiler, and what its runs request of a service."""

import copy

import httpx
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers.fake_provider import GenericBackendV2

from ketline.client import Client
from ketline.qiskit import (
    KetlineBackend,
    KetlineDevice,
    KetlineEstimator,
    KetlineEstimatorGradient,
    KetlineProvider,
    KetlineSampler,
)
from tests.unit.adapter.service import DESCRIPTION, ScriptedService

ONE = {"counts": {"1": 10}, "success": True}
ON_PAIR = {"name": "pair", "optimization_level": 0}


def flipped(qubits: int = 1) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


def test_provider_lists_devices_after_the_simulators() -> None:
    with ScriptedService().client() as client:
        provider = KetlineProvider(client=client)
        assert [backend.name for backend in provider.backends()] == ["ketline-aer", "pair"]
        assert type(provider.get_backend()) is KetlineBackend
        device = provider.get_backend("pair")
        assert isinstance(device, KetlineDevice)
        assert device.provider is provider
        assert device.description == "Two qubits"
        assert [backend.name for backend in provider.backends("pair")] == ["pair"]
        with pytest.raises(QiskitError, match="no backend 'none'; this service has 'ketline-aer', 'pair'"):
            provider.get_backend("none")


def test_target_is_read_when_it_is_needed_and_once() -> None:
    service = ScriptedService()
    with service.client() as client:
        backend = KetlineProvider(client=client).get_backend("pair")
        assert "GET /devices/pair" not in service.requests
        assert (backend.num_qubits, list(backend.coupling_map.get_edges())) == (2, [(0, 1)])
        assert backend.target["cz"][0, 1].error == 0.01
        assert backend.qubit_properties(1).t1 == pytest.approx(5e-5)
        configuration = backend.configuration()
        assert (configuration.backend_name, configuration.n_qubits) == ("pair", 2)
        assert (configuration.coupling_map, configuration.basis_gates) == ([[0, 1]], [])
    assert service.requests.count("GET /devices/pair") == 1


def test_circuits_run_on_the_qubits_of_the_device_by_number() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineDevice(client, "pair", shots=10)
        backend.run([flipped(), flipped(2)], seed_simulator=3)
    assert [task["device"] for task in service.tasks] == [
        {**ON_PAIR, "initial_layout": [0]},
        {**ON_PAIR, "initial_layout": [0, 1]},
    ]
    assert [task.get("noise") for task in service.tasks] == [None, None]


def test_sampler_on_a_device_runs_there() -> None:
    service = ScriptedService({"counts": [{"1": 10}] * 2, "success": True})
    swept = QuantumCircuit(2, 1)
    swept.ry(Parameter("x"), 0)
    swept.measure(0, 0)
    with service.client() as client:
        backend = KetlineProvider(client=client).get_backend("pair")
        KetlineSampler(mode=backend).run([(swept, [[0.1], [0.2]]), flipped()], shots=10)
        KetlineSampler(client).run([flipped()])
    assert [task.get("device") for task in service.tasks] == [
        {**ON_PAIR, "initial_layout": [0, 1]},
        {**ON_PAIR, "initial_layout": [0]},
        None,
    ]


def test_estimator_on_a_device_runs_there() -> None:
    """Exactly without a precision, and from shots with one; tasks have seeds of their own, and one precision each."""
    of_tasks = [
        {"expectation_values": [[0.1], [0.2]], "standard_errors": [[0.01], [0.02]], "success": True},
        {"expectation_values": [0.5], "success": True},
        {"expectation_values": [0.6], "standard_errors": [0.03], "success": True},
    ]
    service = ScriptedService(*of_tasks)
    swept, alone = QuantumCircuit(2), QuantumCircuit(2)
    swept.ry(Parameter("x"), 0)
    alone.x(1)
    with service.client() as client:
        backend = KetlineProvider(client=client).get_backend("pair")
        pubs = [(swept, "ZZ", [[0.1], [0.2]], 0.05), (alone, "ZI", [], 0.0), (alone, "XI", [], 0.1)]
        estimator = KetlineEstimator(mode=backend, seed=3)
        found = estimator.run(pubs).result()
        estimator.run(pubs)
    first, again = service.tasks[:3], service.tasks[3:]
    assert [task["device"] for task in first] == [{**ON_PAIR, "initial_layout": [0, 1]}] * 3
    assert [task.get("precision") for task in first] == [0.05, None, 0.1]
    assert [task.get("seed") for task in first] == [task.get("seed") for task in again]
    assert first[1].get("seed") is None
    assert first[0]["seed"] != first[2]["seed"]
    assert [pub.data.evs.tolist() for pub in found] == [[0.1, 0.2], 0.5, 0.6]
    assert [pub.data.stds.tolist() for pub in found] == [[0.01, 0.02], 0.0, 0.03]
    assert [pub.metadata["target_precision"] for pub in found] == [0.05, 0.0, 0.1]


def test_gradient_on_a_device_is_taken_there() -> None:
    service = ScriptedService(
        {"expectation_values": [[0.1]], "gradients": [[{"p0": 0.5}]], "success": True},
    )
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("x"), 1)
    with service.client() as client:
        backend = KetlineProvider(client=client).get_backend("pair")
        KetlineEstimatorGradient(backend).run([circuit], ["ZZ"], [[0.3]])
        KetlineEstimatorGradient(client).run([circuit], ["ZZ"], [[0.3]])
    on_device, simulated = service.tasks
    assert on_device["device"] == {**ON_PAIR, "initial_layout": [0, 1]}
    assert "device" not in simulated
    assert on_device["gradient"] == simulated["gradient"]


def test_estimator_leaves_resets_to_a_device() -> None:
    """Without a device a fresh qubit takes the place of one that is reset, which a device does not have."""
    service = ScriptedService({"expectation_values": [0.5], "success": True})
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.reset(0)
    circuit.delay(20, 0, unit="us")
    with service.client() as client:
        KetlineEstimator(KetlineProvider(client=client).get_backend("pair")).run([(circuit, "Z")])
    (task,) = service.tasks
    assert "reset" in task["qc"]
    assert "delay[20" in task["qc"]
    assert "qubit[1]" in task["qc"]


def test_delays_reach_a_device_and_no_simulator() -> None:
    """On a device qubits relax in them."""
    waiting = QuantumCircuit(1, 1)
    waiting.x(0)
    waiting.delay(17.5, 0, unit="us")
    waiting.measure(0, 0)
    swept = QuantumCircuit(1, 1)
    swept.ry(Parameter("x"), 0)
    swept.compose(waiting, inplace=True)
    service = ScriptedService({"counts": [{"1": 10}] * 2, "success": True})
    with service.client() as client:
        for backend in (KetlineProvider(client=client).get_backend("pair"), KetlineBackend(client)):
            backend.run(waiting, shots=10)
            KetlineSampler(mode=backend).run([waiting, (swept, [[0.1], [0.2]])], shots=10)
    assert ["delay[17.5us]" in task.get("qc", "") for task in service.tasks] == [True] * 3 + [False] * 3


def test_backend_of_the_simulators_names_no_device() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        provider = KetlineProvider(client=client)
        provider.get_backend("pair")
        provider.get_backend().run(flipped())
        KetlineSampler(provider).run([flipped()])
    assert [task.get("device") for task in service.tasks] == [None, None]


def test_what_a_device_cannot_do_is_rejected() -> None:
    with ScriptedService(ONE).client() as client:
        backend = KetlineDevice(client, "pair")
        with pytest.raises(QiskitError, match="'noise_model' cannot be given: circuits run with the errors"):
            backend.run(flipped(), noise_model={"name": "readout", "p01": 0.1, "p10": 0.1})
        with pytest.raises(QiskitError, match="This is the device 'pair'"):
            KetlineBackend(backend)
        with pytest.raises(QiskitError, match="There is no device 'none'"):
            KetlineDevice(client, "none")


def test_copies_are_of_the_same_device() -> None:
    with ScriptedService().client() as client:
        backend = KetlineProvider(client=client).get_backend("pair")
        other = copy.deepcopy(backend)
        other.set_options(shots=7)
        assert (other.name, other.options.shots, backend.options.shots) == ("pair", 7, 1024)
        assert (other.service.device, other.target.num_qubits) == ("pair", 2)


def test_provider_of_a_service_of_before_has_no_devices() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/backends":
            return httpx.Response(200, json={"backends": [DESCRIPTION]})
        problem = {"code": "path_not_found", "detail": "The path was not found.", "status": 404}
        return httpx.Response(404, json=problem)

    with Client("http://ketline.test", transport=httpx.MockTransport(respond)) as client:
        assert [backend.name for backend in KetlineProvider(client=client).backends()] == ["ketline-aer"]


def test_device_is_a_backend_as_qiskits_are() -> None:
    """Attributes that libraries read of every BackendV2."""
    with ScriptedService().client() as client:
        backend, other = KetlineDevice(client, "pair"), GenericBackendV2(2, seed=1)
        for name in ("name", "description", "backend_version", "num_qubits", "operation_names", "dt", "max_circuits"):
            getattr(other, name)
            getattr(backend, name)
        assert backend.max_circuits is None
