"""The backend: its options, its copies, and what its runs request of a service."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import HGate, XGate
from qiskit.exceptions import QiskitError
from qiskit.providers import JobError, JobStatus
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.result.models import MeasLevel
from qiskit_aer import AerSimulator
from qiskit_aer.noise import LocalNoisePass, NoiseModel, depolarizing_error

from ketline.client import Client
from ketline.domain.tasks.seeds import derived_seed
from ketline.qiskit import KetlineBackend, KetlineEstimator, KetlineProvider, KetlineSampler
from ketline.qiskit.aer_options import REJECTED
from tests.unit.adapter.service import ScriptedService

ONE = {"counts": {"1": 10}, "success": True}


def flipped(name: str = "flipped") -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1, name=name)
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


def measured_in_between() -> QuantumCircuit:
    """A circuit that shares no task with others."""
    circuit = flipped()
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def test_copies_share_the_client_and_nothing_else() -> None:
    with ScriptedService().client() as client:
        backend = KetlineProvider(client=client).get_backend()
        other = copy.deepcopy(backend)
        other.set_options(shots=7)
        assert other.client is backend.client is copy.copy(client)
        assert (other.options.shots, backend.options.shots) == (7, 1024)
        assert other.target.operation_names == backend.target.operation_names
        assert other.provider.client is client


def test_backend_is_described_once_for_all_runs_and_primitives() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        provider = KetlineProvider(client=client)
        for _ in range(2):
            backend = provider.get_backend()
            backend.run(flipped(), shots=10)
            KetlineSampler(backend).run([flipped()])
            KetlineEstimator(mode=backend).run([(QuantumCircuit(1), "Z")])
    assert service.requests.count("GET /backends") == 1


def test_options_of_a_run_are_those_of_its_tasks() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineBackend(client, shots=20)
        backend.set_options(priority=3, tags=["mine"])
        chosen: dict[str, Any] = {
            "name": "first",
            "time_limit_seconds": 5,
            "method": "stabilizer",
            "memory": True,
            "seed_simulator": 9,
        }
        job = backend.run(flipped(), meas_level=MeasLevel.CLASSIFIED, noise_model=None, **chosen)
    (task,) = service.tasks
    sent = {name: task[name] for name in ("shots", "priority", "name", "timeout_s", "method", "memory", "seed")}
    assert list(sent.values()) == [20, 3, "first", 5, "stabilizer", True, 9]
    assert task["tags"] == ["qiskit", f"job-{job.job_id()}", "qiskit-job", "mine"]
    assert (job.name, job.tags) == ("first", ["mine"])
    assert job.creation_date.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, "no option 'colour'"),
        ({"fusion_enable": False}, "Leave the option 'fusion_enable' of AerSimulator out: the service fuses"),
        ({"max_parallel_threads": 4}, "Leave the option 'max_parallel_threads' of AerSimulator out: .* cores"),
        ({"noise_model": object()}, "'noise_model' takes a NoiseModel of qiskit_aer"),
        ({"method": "extended_stabilizer"}, "'method' cannot be 'extended_stabilizer': this service has automatic"),
        ({"method": "unitary"}, "'unitary' is for circuits that save"),
        ({"meas_level": 1}, "'meas_level' cannot be 1"),
        ({"device": "GPU"}, "'device' cannot be 'GPU'"),
        ({"shots": 0}, "'shots' must be a positive integer, not 0"),
        ({"shots": 2.5}, "'shots' must be a positive integer, not 2.5"),
        ({"seed_simulator": "x"}, "'seed_simulator' must be an integer"),
        ({"seed_simulator": [1, 2]}, "2 seeds for 1 circuits"),
    ],
)
def test_impossible_options_are_rejected_by_name(options: dict[str, Any], message: str) -> None:
    service = ScriptedService(ONE)
    with service.client() as client, pytest.raises(QiskitError, match=message):
        KetlineBackend(client).run(flipped(), **options)
    assert service.tasks == []


def test_options_are_checked_when_they_are_set() -> None:
    with ScriptedService().client() as client:
        backend = KetlineBackend(client)
        with pytest.raises(AttributeError, match="colour"):
            backend.set_options(colour="red")
        with pytest.raises(QiskitError, match="Leave the option 'fusion_enable'"):
            backend.set_options(fusion_enable=True)
        with pytest.raises(QiskitError, match="Leave the option 'max_memory_mb'"):
            KetlineBackend(client, max_memory_mb=10)
        with pytest.raises(QiskitError, match="meas_level"):
            backend.set_options(meas_level=0)
        with pytest.raises(QiskitError, match="shots"):
            KetlineBackend(client, shots=-1)
        assert backend.options == KetlineBackend(client).options


def test_every_option_of_aer_is_known() -> None:
    with ScriptedService().client() as client:
        known = dict(KetlineBackend(client).options).keys()
    options = dict(AerSimulator().options).keys() - {"basis_gates", "coupling_map", "n_qubits"}
    assert options - known == REJECTED.keys() & options
    assert not known & REJECTED.keys()


def test_noise_of_a_run_is_that_of_its_tasks() -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), "x")
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineBackend(client, noise_model=model)
        backend.run([flipped(), measured_in_between()], shots=10)
        backend.run(flipped(), shots=10, noise_model={"name": "readout", "p01": 0.1, "p10": 0.2})
        backend.run(flipped(), shots=10, noise_model=NoiseModel())
        copy.deepcopy(backend).run(flipped(), shots=10)
    noise = [task.get("noise") for task in service.tasks]
    own = {"model": model.to_dict(serializable=True)}
    assert noise == [own, own, {"name": "readout", "p01": 0.1, "p10": 0.2}, None, own]


def test_labels_by_which_aer_finds_errors_are_rejected() -> None:
    """Aer attaches no error to the gate with the label, and the service would."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x", "mine"])
    outer, inner = QuantumCircuit(1, 1), QuantumCircuit(1, 1)
    inner.append(XGate(label="other"), [0])
    outer.measure(0, 0)
    outer.if_test((outer.clbits[0], 1), inner, [0], [0])
    plain = QuantumCircuit(1, 1)
    plain.append(HGate(label="free"), [0])
    plain.measure(0, 0)
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineBackend(client, noise_model=model)
        with pytest.raises(QiskitError, match="'x' has the label 'other'"):
            backend.run(outer)
        backend.run(plain, shots=10)
        backend.run(outer, noise_model=None, shots=10)
    assert len(service.tasks) == 2


def test_delays_of_which_aer_has_errors_are_rejected() -> None:
    """Aer adds them by a pass, which is no part of the model's errors: a measurement of T1 would find none."""
    model = NoiseModel.from_backend(GenericBackendV2(2, seed=1))
    waiting, inner = QuantumCircuit(1, 1), QuantumCircuit(1, 1)
    inner.delay(100, 0, "ns")
    waiting.measure(0, 0)
    waiting.if_test((waiting.clbits[0], 1), inner, [0], [0])
    other = NoiseModel()
    other._custom_noise_passes = [LocalNoisePass(lambda operation, qubits: None)]
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineBackend(client, noise_model=model)
        with pytest.raises(QiskitError, match=r"has a delay.*[Rr]eplace delays"):
            backend.run(waiting)
        with pytest.raises(QiskitError, match="LocalNoisePass"):
            backend.run(flipped(), noise_model=other)
        backend.run(flipped(), shots=10)
        backend.run(waiting, noise_model=None, shots=10)
    assert len(service.tasks) == 2


def test_what_circuits_save_is_requested_and_returned() -> None:
    state = {"type": "statevector", "qubits": [0], "values": [[0.6, 0.0], [0.0, 0.8]]}
    half = {"type": "probabilities", "qubits": [0], "values": [0.5, 0.5]}
    service = ScriptedService({"outputs": {"save0": state, "save1": half}, "success": True})
    circuit = QuantumCircuit(1)
    circuit.rx(1, 0)
    circuit.save_statevector()
    circuit.save_probabilities([0], label="p")
    with service.client() as client:
        result = KetlineBackend(client).run(circuit, memory=True, seed_simulator=3).result()
    (task,) = service.tasks
    assert task["outputs"] == [
        {"type": "statevector", "name": "save0"},
        {"type": "probabilities", "name": "save1", "qubits": [0]},
    ]
    assert not {"shots", "memory", "seed"} & task.keys()
    assert result.get_statevector() == Statevector([0.6, 0.8j])
    assert result.data(0)["p"].tolist() == [0.5, 0.5]


def test_what_is_saved_in_the_middle_is_at_a_place() -> None:
    """Only what is saved before the measurements at the end is of the final state."""
    service = ScriptedService()
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.save_statevector(label="a")
    circuit.save_expectation_value_variance(SparsePauliOp(["XZ", "ZI"], [2, 0.5]), [1, 0])
    circuit.cx(0, 1)
    circuit.save_density_matrix([1])
    circuit.measure(0, 0)
    circuit.save_probabilities([0, 1])
    with service.client() as client:
        KetlineBackend(client).run(circuit)
        circuit.data.pop()
        KetlineBackend(client).run(circuit)
    asked = [[(one["type"], one.get("at")) for one in task["outputs"]] for task in service.tasks]
    before = [("counts", None), ("statevector", "place1"), ("expectation_values", "place1")]
    assert asked == [
        [*before, ("density_matrix", "place4"), ("probabilities", "place6")],
        [*before, ("density_matrix", None)],
    ]
    values = service.tasks[0]["outputs"][2]
    assert (values["observables"], values["qubits"], values["variance"]) == ([{"XZ": 2.0, "ZI": 0.5}], [1, 0], True)


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda circuit: circuit.save_stabilizer(), "'save_stabilizer' is not supported; there are save_"),
        (lambda circuit: circuit.set_statevector([1, 0]), "'set_statevector' is not supported"),
        (lambda circuit: circuit.save_statevector(pershot=True), "without `pershot`"),
        (lambda circuit: circuit.save_probabilities(conditional=True), "without `pershot`, `conditional`"),
        (lambda circuit: circuit.save_density_matrix(unnormalized=True), "`unnormalized`"),
        (lambda circuit: [circuit.save_statevector() for _ in range(2)], "saves twice as 'statevector'"),
    ],
)
def test_what_cannot_be_saved_is_rejected_by_name(save: Callable[[QuantumCircuit], object], message: str) -> None:
    circuit = QuantumCircuit(1, 1)
    save(circuit)
    service = ScriptedService(ONE)
    with service.client() as client, pytest.raises(QiskitError, match=message):
        KetlineBackend(client).run(circuit)
    assert service.tasks == []


def test_state_with_noise_is_rejected_and_its_average_is_not() -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), "x")
    service = ScriptedService()
    with service.client() as client:
        backend = KetlineBackend(client, noise_model=model, method="density_matrix")
        for save in (QuantumCircuit.save_statevector, QuantumCircuit.save_unitary):
            circuit = QuantumCircuit(1)
            save(circuit)
            with pytest.raises(QiskitError, match="use save_density_matrix"):
                backend.run(circuit)
        circuit = QuantumCircuit(1)
        circuit.save_density_matrix()
        backend.run(circuit)
    (task,) = service.tasks
    assert (task["method"], task["outputs"][0]["type"]) == ("density_matrix", "density_matrix")
    assert task["noise"] == {"model": model.to_dict(serializable=True)}


def test_saving_in_a_block_is_rejected() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)), circuit.for_loop(range(2)):
        circuit.save_statevector()
    with ScriptedService().client() as client, pytest.raises(QiskitError, match="'save_statevector' is inside of"):
        KetlineBackend(client).run(circuit)


def test_options_of_primitives_are_those_of_their_tasks() -> None:
    service = ScriptedService({"expectation_values": [1.0], "success": True})
    with service.client() as client:
        sampler = KetlineSampler(backend=client, seed=3, options={"default_shots": 5, "tags": ["mine"]})
        sampler.options.priority = 2
        assert (sampler.seed, sampler.default_shots) == (3, 5)
        sampler.run([flipped()])
        estimator = KetlineEstimator(client, method="statevector", options={"time_limit_seconds": 3, "name": "vqe"})
        estimator.run([(QuantumCircuit(1), "Z")])
        with pytest.raises(TypeError, match="shots"):
            KetlineSampler(client, options={"shots": 1})
        with pytest.raises(AttributeError, match="shots"):
            sampler.options.shots = 5  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="one of `service`, `mode` and `backend`"):
            KetlineSampler(client, mode=client)
    sampled, estimated = service.tasks
    assert (sampled["shots"], sampled["priority"], sampled["tags"][-1]) == (5, 2, "mine")
    assert (estimated["method"], estimated["timeout_s"], estimated["name"]) == ("statevector", 3, "vqe")


def test_seeds_of_primitives_are_what_numpy_takes() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        given: list[Any] = [5, 5, [1, 2], [1, 2], np.int64(5)]
        for seed in given:
            KetlineSampler(client, seed=seed).run([flipped()])
        sampler = KetlineSampler(client, seed=np.random.default_rng(1))
        sampler.run([flipped()])
        sampler.run([flipped()])
    seeds = [task["seed"] for task in service.tasks]
    assert seeds[0] == seeds[1] == seeds[4]
    assert seeds[2] == seeds[3]
    assert len(set(seeds)) == 4  # the generator gives another one for each job


def test_each_circuit_has_its_seed() -> None:
    service = ScriptedService(ONE)
    with service.client() as client:
        backend = KetlineBackend(client)
        backend.run([measured_in_between()] * 3, seed_simulator=7)
        backend.run([flipped()] * 3, seed_simulator=np.array([4, 5, 6]))
    assert [task["seed"] for task in service.tasks] == [
        7,
        derived_seed(7, "circuit", 1),
        derived_seed(7, "circuit", 2),
        4,
        5,
        6,
    ]


def test_shots_beyond_the_limit_are_split_and_added_up() -> None:
    service = ScriptedService({"counts": {"1": 60, "0": 40}, "memory": ["1", "0"], "success": True})
    with service.client() as client:
        backend = KetlineBackend(client)
        result = backend.run([flipped(), flipped()], shots=5000, seed_simulator=3, memory=True).result()
        unseeded = backend.run(flipped(), shots=5000).result()
    assert [task["shots"] for task in service.tasks] == [2000, 2000, 1000] * 3
    seeds = [task["seed"] for task in service.tasks]
    assert seeds[:3] == [3, derived_seed(3, "shots", 1), derived_seed(3, "shots", 2)]
    assert len(set(seeds)) == 9
    assert result.get_counts(1) == {"1": 180, "0": 120}
    assert result.get_memory(1) == ["1", "0"] * 3
    assert [result.results[number].shots for number in range(2)] == [5000, 5000]
    # With its seed a circuit has the same counts again, so that of the first task is known.
    assert unseeded.results[0].seed == seeds[6]


def test_binds_of_parameters_give_a_circuit_for_each_value() -> None:
    service = ScriptedService({"counts": [{"0": 1}] * 3, "success": True})
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(a, 0)
    circuit.rx(2 * b, 0)
    circuit.measure(0, 0)
    with service.client() as client:
        backend = KetlineBackend(client)
        result = backend.run(circuit, parameter_binds=[{a: [0.1, 0.2, 0.3], b: [1, 2, 3]}]).result()
        assert len(result.results) == 3
        with pytest.raises(QiskitError, match="1 mappings for 2 circuits"):
            backend.run([circuit, circuit], parameter_binds=[{a: 0.1}])
        with pytest.raises(QiskitError, match="parameters without values"):
            backend.run(circuit, parameter_binds=[{a: 0.1}])
        with pytest.raises(QiskitError, match="different numbers of values"):
            backend.run(circuit, parameter_binds=[{a: [0.1, 0.2], b: [1]}])
    (task,) = service.tasks
    assert sorted(task["inputs"].values()) == [[0.1, 0.2, 0.3], [2.0, 4.0, 6.0]]


def test_circuits_that_measure_nothing_have_no_counts_and_no_task() -> None:
    service = ScriptedService(ONE)
    branching = QuantumCircuit(1, 1)
    with branching.if_test((0, 1)):
        branching.x(0)
    with service.client() as client:
        result = KetlineBackend(client).run([QuantumCircuit(2), flipped(), QuantumCircuit(1, 1), branching]).result()
    assert len(service.tasks) == 1
    assert result.success
    assert result.get_counts(1) == {"1": 10}
    for silent in (0, 2, 3):
        assert result.results[silent].shots == 1024
        with pytest.raises(QiskitError, match="No counts"):
            result.get_counts(silent)


class FailingForOne(ScriptedService):
    """The task of one name in its metadata fails."""

    def _ended(self, task_id: str) -> dict[str, Any]:
        ended = super()._ended(task_id)
        if "unlucky" in str(self.tasks[int(task_id[-4:], 16) - 1]["metadata"]):
            del ended["result"]
            ended |= {"status": "failed", "error": {"code": "timeout", "message": "too slow"}}
        return ended


def test_other_circuits_have_results_when_one_fails() -> None:
    service = FailingForOne(ONE)
    circuits = [measured_in_between(), measured_in_between(), flipped()]
    circuits[1].name = "unlucky"
    with service.client() as client:
        job = KetlineBackend(client).run(circuits, shots=10)
        with pytest.raises(JobError, match=r"number 1 of job .*timeout: too slow.*result\(partial=True\)"):
            job.result()
        result = job.result(partial=True)
        assert job.status() is JobStatus.ERROR
    assert (result.success, result.status) == (False, "PARTIAL COMPLETED")
    assert [one.success for one in result.results] == [True, False, True]
    assert result.get_counts(0) == result.get_counts(2) == {"1": 10}
    with pytest.raises(QiskitError, match="timeout: too slow"):
        result.get_counts(1)
    assert result.time_taken == result.results[0].time_taken == 2.0
    assert result.date == "2026-01-02T03:04:07+00:00"


def test_jobs_are_pickled_with_a_client_of_their_service() -> None:
    """Another process waits for a job that it got from this one."""
    with Client("http://ketline.test") as client, ScriptedService(ONE).client() as scripted:
        job = KetlineSampler(scripted).run([flipped()])
        job._group._client = client
        for handle in job._group.handles:
            handle._client = client
        assert pickle.loads(pickle.dumps(job)).task_ids == job.task_ids


def test_status_properties_and_configuration_are_those_of_a_simulator() -> None:
    with ScriptedService().client() as client:
        backend = KetlineBackend(client)
        status, configuration = backend.status(), backend.configuration()
    assert (status.operational, status.pending_jobs, status.status_msg) == (False, 3, "no worker is running")
    properties: Any = backend.properties
    assert properties() is None
    assert (configuration.backend_name, configuration.n_qubits, configuration.simulator) == ("ketline-aer", 5, True)
    assert configuration.to_dict()["basis_gates"] == ["cx", "h", "rx", "x"]
