"""Qiskit's interfaces on a real service: they agree with Qiskit's own reference, and survive a restart."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qiskit import transpile
from qiskit.circuit import ClassicalRegister, Gate, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import efficient_su2, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator, StatevectorSampler
from qiskit.providers import JobError, JobStatus
from qiskit.quantum_info import SparseObservable, SparsePauliOp, Statevector
from qiskit_aer import AerSimulator

from ketline.client import Client
from ketline.qiskit import KetlineBackend, KetlineEstimator, KetlineProvider, KetlineSampler
from tests.acceptance.conftest import Embedded
from tests.acceptance.processes import KetlineProcess, running_service
from tests.blocks import long_after, numbers
from tests.forking.client import ForkServer
from tests.pubs import divergence, exact_probabilities, largest_divergence, observed, sampled

PUBS = 65  # of a block
SHOTS = 1000
FALSE_ALARM = 1e-10  # of all PUBs of a block together
PATIENCE_SECONDS = 500.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share."""
    with running_service(tmp_path_factory.mktemp("qiskit"), fork_server) as url:
        yield url


@pytest.fixture(scope="module")
def backend(url: str) -> Iterator[KetlineBackend]:
    with Client(url) as client:
        yield KetlineProvider(client=client).get_backend()


@pytest.mark.parametrize("block", long_after(1, range(4)))
def test_sampler_agrees_with_the_reference(backend: KetlineBackend, block: int) -> None:
    random = np.random.default_rng([20260101, block])
    pubs = [sampled(random, number) for number in numbers(block, PUBS)]
    job = KetlineSampler(backend).run(pubs, shots=SHOTS)
    found = job.result(PATIENCE_SECONDS)
    assert len(job.task_ids) == PUBS
    expected = StatevectorSampler().run(pubs, shots=1).result()
    points = sum(result.data.size for result in expected)
    for pub, ours, theirs in zip(pubs, found, expected, strict=True):
        _assert_same_form(ours.data, theirs.data)
        for place in np.ndindex(*theirs.data.shape):
            circuit = pub[0].assign_parameters(pub[1][place]) if len(pub) > 1 else pub[0]
            probabilities = exact_probabilities(circuit)
            counts = _joint(ours, circuit, place)
            allowed = largest_divergence(SHOTS, len(probabilities), FALSE_ALARM / points)
            assert divergence(counts, probabilities) <= allowed


def _assert_same_form(ours: Any, theirs: Any) -> None:
    assert (list(ours), ours.shape) == (list(theirs), theirs.shape)
    for name in theirs:
        assert (ours[name].num_bits, ours[name].shape) == (theirs[name].num_bits, theirs[name].shape)
        assert ours[name].array.dtype == theirs[name].array.dtype
        assert ours[name].num_shots == SHOTS


def _joint(result: Any, circuit: Any, place: tuple[int, ...]) -> dict[str, int]:
    """Counts over all registers together: what belongs to one shot stands at one index in each."""
    strings = [result.data[register.name].get_bitstrings(place) for register in reversed(circuit.cregs)]
    counts: dict[str, int] = {}
    for parts in zip(*strings, strict=True):
        counts["".join(parts)] = counts.get("".join(parts), 0) + 1
    return counts


@pytest.mark.parametrize("block", long_after(1, range(4)))
def test_estimator_agrees_with_the_reference(backend: KetlineBackend, block: int) -> None:
    random = np.random.default_rng([20260102, block])
    pubs = [observed(random, number) for number in numbers(block, PUBS)]
    job = KetlineEstimator(backend).run(pubs)
    found = job.result(PATIENCE_SECONDS)
    assert len(job.task_ids) == PUBS
    for ours, theirs in zip(found, StatevectorEstimator().run(pubs).result(), strict=True):
        assert (ours.data.shape, ours.data.evs.shape) == (theirs.data.shape, theirs.data.evs.shape)
        np.testing.assert_allclose(ours.data.evs, theirs.data.evs, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(ours.data.stds, theirs.data.stds)
        assert ours.metadata == theirs.metadata


def test_noise_is_that_of_the_reference(backend: KetlineBackend) -> None:
    random = np.random.default_rng(3)
    pubs = [observed(random, number) for number in range(8)]
    ours = KetlineEstimator(backend, seed=11, default_precision=0.1).run(pubs).result(PATIENCE_SECONDS)
    theirs = StatevectorEstimator(seed=11, default_precision=0.1).run(pubs).result()
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.data.evs, other.data.evs, rtol=0, atol=1e-9)


def test_projectors_are_observables_too(backend: KetlineBackend) -> None:
    circuit = efficient_su2(3, reps=1).assign_parameters(np.linspace(-1, 1, 12))
    operator = SparseObservable.from_list([("0+r", 1.5), ("1-l", -0.5), ("IZ1", 2)])
    expected = Statevector(circuit).expectation_value(SparsePauliOp.from_sparse_observable(operator.as_paulis()))
    found = KetlineEstimator(backend).run([(circuit, operator)]).result(PATIENCE_SECONDS)[0].data.evs
    assert found == pytest.approx(expected.real, abs=1e-9)


def test_large_pubs_are_one_task_or_few(backend: KetlineBackend) -> None:
    circuit = efficient_su2(2, reps=1)
    values = np.random.default_rng(5).uniform(-1, 1, (600, circuit.num_parameters))
    operators = [[SparsePauliOp("ZI")], [SparsePauliOp("XX")]]
    job = KetlineEstimator(backend).run([(circuit, operators, values)])
    evs = job.result(PATIENCE_SECONDS)[0].data.evs
    assert len(job.task_ids) == 1
    assert evs.shape == (2, 600)
    for point in (0, 599):
        state = Statevector(circuit.assign_parameters(values[point]))
        assert evs[1, point] == pytest.approx(state.expectation_value(SparsePauliOp("XX")).real, abs=1e-9)


def test_more_observables_than_a_task_takes_are_split(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(1)
    circuit.ry(0.4, 0)
    job = KetlineEstimator(backend).run([(circuit, [SparsePauliOp("Z", factor) for factor in np.arange(1, 1502)])])
    np.testing.assert_allclose(job.result(PATIENCE_SECONDS)[0].data.evs, np.cos(0.4) * np.arange(1, 1502))
    assert len(job.task_ids) == 2


def test_seeded_samples_can_be_had_again(backend: KetlineBackend) -> None:
    pub = sampled(np.random.default_rng(1), 1)
    first, again, other = (
        KetlineSampler(backend, seed=seed).run([pub], shots=200).result(PATIENCE_SECONDS)[0].data.meas.array
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_equal_pubs_and_circuits_of_one_job_are_independent(backend: KetlineBackend) -> None:
    """All 64 shots of two fair bits equal would be an accident of 2^-64."""
    pubs = KetlineSampler(backend, seed=4).run([bell(), bell()], shots=64).result(PATIENCE_SECONDS)
    assert not np.array_equal(pubs[0].join_data().array, pubs[1].join_data().array)
    result = backend.run([bell(), bell()], shots=64, memory=True, seed_simulator=7).result(PATIENCE_SECONDS)
    assert result.get_memory(0) != result.get_memory(1)
    again = backend.run(bell(), shots=64, memory=True, seed_simulator=result.results[1].seed).result(PATIENCE_SECONDS)
    assert again.get_memory(0) == result.get_memory(1)


def test_circuits_that_share_a_task_keep_their_own_results(backend: KetlineBackend) -> None:
    """Each circuit has an outcome of its own, in a job with others in between."""
    circuits = []
    for number in range(70):
        circuit = QuantumCircuit(7, name=f"number {number}")
        for qubit in range(7):
            circuit.rx(np.pi * (number >> qubit & 1), qubit)
        circuit.measure_all()
        circuits += [circuit, bell()] if number % 10 == 0 else [circuit]
    job = backend.run(circuits, shots=20, memory=True)
    result = job.result(PATIENCE_SECONDS)
    assert len(job.task_ids) == 3
    sampling = KetlineSampler(backend).run(circuits, shots=20)
    sampled_counts = [one.join_data().get_counts() for one in sampling.result(PATIENCE_SECONDS)]
    assert len(sampling.task_ids) == 3
    for place, circuit in enumerate(circuits):
        if circuit.name == "bell":
            assert set(result.get_counts(place)) | set(sampled_counts[place]) <= {"00", "11"}
            continue
        key = f"{int(circuit.name.split()[1]):07b}"
        assert result.get_counts(place) == sampled_counts[place] == {key: 20}
        assert result.get_memory(place) == [key] * 20


def test_shots_are_in_random_order(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    bits = (
        KetlineSampler(backend, seed=2)
        .run([circuit], shots=1000)
        .result(PATIENCE_SECONDS)[0]
        .data.meas.get_bitstrings()
    )
    assert 100 < bits[:500].count("1") < 400


def test_branches_resets_and_what_is_not_measured(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(1, "first"), ClassicalRegister(9, "second"))
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.if_test((circuit.cregs[0], 1)):
        circuit.x(1)
    circuit.measure([0, 1], [1, 9])
    data = KetlineSampler(backend).run([circuit], shots=10).result(PATIENCE_SECONDS)[0].data
    assert (data.first.get_counts(), data.second.get_counts()) == ({"1": 10}, {"100000000": 10})
    silent = QuantumCircuit(1, 2)
    assert KetlineSampler(backend).run([silent], shots=3).result(PATIENCE_SECONDS)[0].data.c.get_counts() == {"00": 3}
    with pytest.warns(UserWarning, match="no classical registers"):
        assert list(KetlineSampler(backend).run([QuantumCircuit(1)]).result(PATIENCE_SECONDS)[0].data) == []


def bell() -> Any:
    circuit = QuantumCircuit(2, 2, name="bell", metadata={"kind": "pair"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_transpiling_changes_nothing_that_is_supported(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(4, 3)
    known = get_standard_gate_name_mapping()
    supported = [known[name] for name in backend.operation_names if name in known]
    gates = [gate for gate in supported if isinstance(gate, Gate)]
    assert len(gates) > 40
    for gate in gates:
        circuit.append(type(gate)(*np.linspace(0.2, 0.9, len(gate.params))), range(gate.num_qubits))
    with circuit.if_test((0, 1)):
        circuit.x(0)
    circuit.measure(range(3), range(3))
    assert transpile(circuit, backend, optimization_level=0) == circuit
    assert backend.run(transpile(circuit, backend), shots=5).result(PATIENCE_SECONDS).success
    assert transpile(bell(), backend) == bell()


def test_backend_runs_circuits(backend: KetlineBackend) -> None:
    one = QuantumCircuit(1, name="one")
    one.x(0)
    one.measure_all()
    job = backend.run([bell(), one], shots=100, memory=True, seed_simulator=7)
    result = job.result(PATIENCE_SECONDS)
    assert (job.status(), job.done(), result.job_id, len(job.task_ids)) == (JobStatus.DONE, True, job.job_id(), 2)
    assert result.get_counts(1) == {"1": 100}
    assert result.get_counts("one") == {"1": 100}
    assert sorted(result.get_counts(0)) == ["00", "11"]
    assert result.get_memory(0).count("11") == result.get_counts(0)["11"]
    assert result.results[0].header["metadata"] == {"kind": "pair"}
    assert backend.run(bell(), shots=100, seed_simulator=7).result(PATIENCE_SECONDS).get_counts() == result.get_counts(
        0
    )


def test_registers_stand_apart_in_counts(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(1, "z"), ClassicalRegister(2, "a"))
    circuit.x([0, 2])
    circuit.measure(range(3), range(3))
    assert backend.run(circuit, shots=4).result(PATIENCE_SECONDS).get_counts() == {"10 1": 4}


def test_qiskits_own_primitives_run_on_the_backend(backend: KetlineBackend) -> None:
    circuit = bell().remove_final_measurements(inplace=False)
    sampler = BackendSamplerV2(backend=backend).run([bell()], shots=50).result()
    assert sampler[0].data.c.num_shots == 50
    evs = BackendEstimatorV2(backend=backend).run([(circuit, SparsePauliOp("ZZ"))], precision=0.1).result()[0].data.evs
    assert evs == pytest.approx(1.0)


def script(backend: Any, sampler: Any, estimator: Any) -> list[Any]:
    """A script as users have it; which backend it is for is said elsewhere."""
    angle = Parameter("θ")
    ansatz = QuantumCircuit(2)
    ansatz.ry(angle, 0)
    ansatz.cx(0, 1)
    isa = transpile(ansatz, backend, optimization_level=1)
    operator = SparsePauliOp.from_list([("ZZ", 1.0), ("XX", 0.5)]).apply_layout(isa.layout)
    energies = estimator.run([(isa, operator, [[0.0], [0.5], [1.0]])]).result()[0].data.evs
    measured = transpile(ansatz.measure_all(inplace=False), backend)
    counts = sampler.run([(measured, [np.pi])], shots=64).result()[0].data.meas.get_counts()
    ran = backend.run(transpile(bell(), backend), shots=64).result().get_counts()
    return [*np.round(energies, 6).tolist(), counts, sorted(ran)]


def test_a_script_runs_when_its_backend_line_is_changed(backend: KetlineBackend) -> None:
    theirs = script(AerSimulator(), StatevectorSampler(), StatevectorEstimator())
    assert script(backend, KetlineSampler(backend), KetlineEstimator(backend)) == theirs


def test_failures_say_which_task_and_why(backend: KetlineBackend) -> None:
    # As many histories of outcomes as no computer holds.
    branching = QuantumCircuit(30, 30)
    for qubit in range(30):
        branching.h(qubit)
        branching.measure(qubit, qubit)
        branching.h(qubit)
        branching.cx(qubit, (qubit + 1) % 30)
    with pytest.raises(JobError, match=r"number 1 of job .*too_large"):
        KetlineEstimator(backend).run([(QuantumCircuit(1), "Z"), (branching, "X" * 30)]).result(PATIENCE_SECONDS)
    with pytest.raises(ValueError, match=r"Hermitian|complex|real"):
        KetlineEstimator(backend).run([(QuantumCircuit(1), SparsePauliOp("Z", 1j))])
    with pytest.raises(QiskitError, match="parameters without values"):
        backend.run(efficient_su2(1))
    with pytest.raises(QiskitError, match="no option 'shot'"):
        backend.run(bell(), shot=5)
    with pytest.raises(QiskitError, match="no backend 'other'"):
        KetlineProvider(client=backend.client).get_backend("other")
    with pytest.raises(TypeError, match="KetlineProvider"):
        KetlineSampler(5)


def test_jobs_can_be_cancelled(backend: KetlineBackend) -> None:
    endless = QuantumCircuit(1, 1)
    endless.x(0)
    endless.measure(0, 0)
    with endless.while_loop((endless.clbits[0], 1)):
        endless.measure(0, 0)
    job = KetlineSampler(backend).run([endless])
    assert not job.in_final_state()
    assert job.cancel()
    assert (job.status(), job.cancelled(), job.in_final_state()) == (JobStatus.CANCELLED, True, True)
    assert not job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(PATIENCE_SECONDS)


async def test_a_killed_service_loses_nothing_and_takes_nothing_twice(embedded: Embedded) -> None:
    """The service is killed with tasks of a job done, running and waiting, and while the client waits for it."""
    process = await embedded.up()
    with Client(f"http://127.0.0.1:{embedded.port}") as client:
        await _interrupted(embedded, process, client)


async def _interrupted(embedded: Embedded, process: KetlineProcess, client: Client) -> None:
    circuit = efficient_su2(10, reps=8)
    circuit.measure_all()
    values = np.random.default_rng(4).uniform(-1, 1, (12, 10, circuit.num_parameters))
    job = await asyncio.to_thread(KetlineSampler(client, seed=1).run, [(circuit, one) for one in values], shots=100)
    waiting = asyncio.create_task(asyncio.to_thread(job.result, PATIENCE_SECONDS))
    await asyncio.to_thread(_first_done, client, job)
    await process.kill()
    # What is requested while nobody answers is requested again, under the same name.
    more = asyncio.create_task(asyncio.to_thread(KetlineSampler(client).run, [bell()], shots=10))
    await embedded.up()
    result = await waiting
    assert [one.data.meas.num_shots for one in result] == [100] * 12
    assert (await asyncio.to_thread((await more).result, PATIENCE_SECONDS))[0].data.c.num_shots == 10
    stored = await asyncio.to_thread(lambda: list(client.tasks()))
    assert sorted(str(task.task_id) for task in stored) == sorted([*job.task_ids, *(await more).task_ids])
    assert {str(task.status) for task in stored} == {"completed"}


def _first_done(client: Client, job: Any) -> None:
    next(iter(client.as_completed([client.task(job.task_ids[0])], timeout_seconds=PATIENCE_SECONDS)))
