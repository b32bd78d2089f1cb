"""Jobs of the Qiskit backend on a service: read by another process, in part, split, with Qiskit's own tools."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import real_amplitudes
from qiskit.exceptions import QiskitError
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator
from qiskit.providers import JobError, JobStatus
from qiskit.quantum_info import DensityMatrix, SparsePauliOp
from qiskit_aer import AerSimulator

from ketline.client import Client
from ketline.qiskit import KetlineBackend, KetlineEstimator, KetlineProvider, KetlineSampler
from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer

PATIENCE_SECONDS = 100.0
MAX_SHOTS = 2000

# Prints what another process reads of a job.
READER = """
import sys
from ketline.qiskit import KetlineProvider

provider = KetlineProvider(sys.argv[1])
result = provider.retrieve_job(sys.argv[2]).result(100)
print([(one.header, one.data.to_dict(), getattr(one, "seed", None), one.shots) for one in result.results])
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share, with a low limit of shots."""
    with running_service(tmp_path_factory.mktemp("qiskit"), fork_server, KETLINE_MAX_SHOTS=str(MAX_SHOTS)) as url:
        yield url


@pytest.fixture(scope="module")
def backend(url: str) -> Iterator[KetlineBackend]:
    with Client(url) as client:
        yield KetlineProvider(client=client).get_backend()


def bell(name: str = "bell") -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name=name, metadata={"kind": "pair", "of": [1, 2]})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def turned(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(1, "z"), ClassicalRegister(2, "a"))
    circuit.ry(angle, 0)
    circuit.measure([0, 1], [0, 2])
    return circuit


def endless() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.measure(0, 0)
    return circuit


def test_another_process_reads_a_job_by_its_id(backend: KetlineBackend, url: str) -> None:
    circuits = [turned(0.3), bell(), QuantumCircuit(1, name="silent"), turned(0.7), bell("other")]
    job = backend.run(circuits, shots=MAX_SHOTS + 1, memory=True, seed_simulator=4)
    command = [sys.executable, "-c", READER, url, job.job_id()]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout
    result = job.result(PATIENCE_SECONDS)
    own = [(one.header, one.data.to_dict(), getattr(one, "seed", None), one.shots) for one in result.results]
    assert read.strip() == str(own)
    assert result.results[1].header["metadata"] == {"kind": "pair", "of": [1, 2]}


def test_jobs_of_primitives_are_read_by_their_ids(backend: KetlineBackend) -> None:
    provider = backend.provider
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.ry(theta, 0)
    circuit.cx(0, 1)
    angles = np.linspace(0, 1, 6).reshape(2, 3, 1)
    measured = circuit.measure_all(inplace=False)
    sampling = KetlineSampler(backend).run([(measured, angles), bell(), QuantumCircuit(1, 1)], shots=MAX_SHOTS + 5)
    for own, read in zip(sampling.result(), provider.retrieve_job(sampling.job_id()).result(), strict=True):
        assert (list(own.data), own.metadata) == (list(read.data), read.metadata)
        for name in own.data:
            np.testing.assert_array_equal(own.data[name].array, read.data[name].array)
    pubs = [(circuit, [["ZZ"], ["XX"]], angles[0]), (bell().remove_final_measurements(inplace=False), "ZZ")]
    estimation = KetlineEstimator(backend, default_precision=0.1, options={"tags": ["estimated"]}).run(pubs)
    (found,) = provider.jobs(tags=["estimated"])
    for own, read in zip(estimation.result(), found.result(), strict=True):
        np.testing.assert_array_equal(own.data.evs, read.data.evs)
        assert own.metadata == read.metadata


def test_jobs_are_listed_by_tag_name_time_and_status(backend: KetlineBackend) -> None:
    provider = backend.provider
    started = datetime.now(UTC)
    done = [backend.run(bell(), shots=1, tags=["listed"], name=f"run {number}") for number in range(3)]
    for job in done:
        job.result(PATIENCE_SECONDS)
    hanging = backend.run([endless(), bell()], tags=["listed", "hanging"])
    KetlineSampler(backend, options={"tags": ["not listed"]}).run([bell()]).result(PATIENCE_SECONDS)

    def ids(**filters: Any) -> list[str]:
        return [job.job_id() for job in provider.jobs(**{"tags": ["listed"], **filters})]

    own = [job.job_id() for job in (*done, hanging)]
    assert ids() == own[::-1]
    assert ids(limit=2, newest_first=False) == own[:2]
    assert ids(name="run 1") == [own[1]]
    assert ids(status=JobStatus.DONE) == own[2::-1]
    assert ids(status=[JobStatus.RUNNING, JobStatus.QUEUED]) == [own[3]]
    assert ids(created_before=started - timedelta(days=1)) == []
    (found,) = provider.jobs(tags=["hanging"])
    assert (found.tags, found.name, found.task_ids) == (["listed", "hanging"], None, hanging.task_ids)
    assert found.creation_date == hanging.creation_date
    assert found.cancel()
    assert provider.retrieve_job(own[3]).status() is JobStatus.CANCELLED


def test_jobs_that_are_not_stored_as_a_whole_are_rejected_by_name(backend: KetlineBackend) -> None:
    provider = backend.provider
    with pytest.raises(QiskitError, match="no job 'unknown'"):
        provider.retrieve_job("unknown")
    job = backend.run([bell(), turned(0.1)], shots=1, tags=["to delete"])
    job.result(PATIENCE_SECONDS)
    backend.client.delete(job.task_ids[1])
    with pytest.raises(QiskitError, match=f"Of the 2 tasks of job {job.job_id()} only 1"):
        provider.retrieve_job(job.job_id())
    assert provider.jobs(tags=["to delete"]) == []


def test_other_circuits_have_counts_when_one_fails(backend: KetlineBackend) -> None:
    job = backend.run([bell(), endless(), turned(np.pi)], shots=10, time_limit_seconds=1)
    result = job.result(PATIENCE_SECONDS, partial=True)
    assert [one.success for one in result.results] == [True, False, True]
    assert result.get_counts(2) == {"00 1": 10}
    with pytest.raises(QiskitError, match="timeout"):
        result.get_counts(1)
    assert job.status() is JobStatus.ERROR
    with pytest.raises(JobError, match="number 1 of job"):
        job.result()
    assert not backend.provider.retrieve_job(job.job_id()).result(partial=True).success


def test_shots_beyond_the_limit_have_their_own_random_numbers(backend: KetlineBackend) -> None:
    """All 2,000 shots of a pair equal would be an accident of 2^-2000."""
    result = backend.run(bell(), shots=2 * MAX_SHOTS, memory=True, seed_simulator=7).result(PATIENCE_SECONDS)
    memory = result.get_memory()
    assert len(memory) == sum(result.get_counts().values()) == 2 * MAX_SHOTS
    assert memory[:MAX_SHOTS] != memory[MAX_SHOTS:]
    seed = result.results[0].seed
    again = backend.run(bell(), shots=2 * MAX_SHOTS, memory=True, seed_simulator=seed).result(PATIENCE_SECONDS)
    assert again.get_memory() == memory
    sampled = KetlineSampler(backend, seed=1).run([bell(), turned(np.pi)], shots=3 * MAX_SHOTS - 1)
    pubs = sampled.result(PATIENCE_SECONDS)
    assert [pub.join_data().num_shots for pub in pubs] == [3 * MAX_SHOTS - 1] * 2
    assert pubs[1].data.z.get_counts() == {"1": 3 * MAX_SHOTS - 1}


def test_equal_circuits_of_a_run_have_their_own_random_numbers(backend: KetlineBackend) -> None:
    between = bell()
    between.reset(0)
    for circuit in (bell(), between):
        result = backend.run([circuit] * 3, shots=200, memory=True, seed_simulator=5).result(PATIENCE_SECONDS)
        memories = {tuple(result.get_memory(number)) for number in range(3)}
        assert len(memories) == 3


def test_binds_of_parameters_are_those_of_aer(backend: KetlineBackend) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(theta, 0)
    circuit.measure(0, 0)
    binds = [{theta: [0, np.pi]}, {theta: [np.pi]}]
    ours, theirs = (
        one.run([circuit, circuit], parameter_binds=binds, shots=9).result() for one in (backend, AerSimulator())
    )
    assert ours.get_counts() == theirs.get_counts() == [{"0": 9}, {"1": 9}, {"1": 9}]


def test_qiskits_own_primitives_run_on_a_copy_of_the_backend(backend: KetlineBackend) -> None:
    """Qiskit's local mode copies backends; more shots than the limit come from a small precision."""
    other = copy.deepcopy(backend)
    ansatz = real_amplitudes(2, reps=1)
    values = np.linspace(0, 1, ansatz.num_parameters)
    pub = (ansatz, SparsePauliOp(["ZZ", "XX"], [1.0, 0.5]), values)
    (found,) = BackendEstimatorV2(backend=other).run([pub], precision=0.02).result()
    (exact,) = StatevectorEstimator().run([pub]).result()
    # Five standard deviations of what a precision of 0.02 allows to both terms.
    assert found.data.evs == pytest.approx(exact.data.evs, abs=5 * 0.02 * 1.5)
    silent = QuantumCircuit(1)
    silent.add_register(ClassicalRegister(0, "none"), ClassicalRegister(2, "some"))
    sampler = BackendSamplerV2(backend=other, options={"run_options": {"meas_level": 2}})
    data = sampler.run([silent], shots=3).result()[0].data
    assert data.some.get_counts() == {"00": 3}
    assert data.none.array.shape == (3, 0)


def test_estimator_takes_circuits_with_resets(backend: KetlineBackend) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(3)
    circuit.ry(theta, 0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.reset(2)
    labels, angles = ["IZI", "IIX", "ZZI", "IZZ"], [0.3, 1.2]
    estimator = KetlineEstimator(backend)
    data = estimator.run([(circuit, [[label] for label in labels], angles)]).result(PATIENCE_SECONDS)[0].data
    for column, angle in enumerate(angles):
        state = DensityMatrix.from_instruction(circuit.assign_parameters([angle]))
        expected = [state.expectation_value(SparsePauliOp(label)) for label in labels]
        np.testing.assert_allclose(data.evs[:, column], expected, rtol=0, atol=1e-9)


def test_status_is_that_of_the_service(backend: KetlineBackend) -> None:
    status = backend.status()
    assert (status.operational, status.status_msg) == (True, "active")
    configuration = backend.configuration()
    assert configuration.backend_name == backend.name == status.backend_name
    assert {"h", "cx", "rzz"} <= set(configuration.basis_gates)
