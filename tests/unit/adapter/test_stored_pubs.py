"""Jobs of primitives are read from what their tasks store."""

from typing import Any

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.exceptions import QiskitError

from ketline.qiskit import KetlineEstimator, KetlineSampler
from ketline.qiskit.results.estimation import EstimatedPart, EstimatedPub, Estimation, read_estimation
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.results.sampling import read_sampling
from ketline.qiskit.results.stored_jobs import documents_of
from tests.unit.adapter.service import ScriptedService


def turned(*, measured: bool) -> QuantumCircuit:
    registers = [ClassicalRegister(0, "none"), ClassicalRegister(2, "c")] if measured else []
    circuit = QuantumCircuit(QuantumRegister(2, "q"), *registers, metadata={"kind": "turned"})
    circuit.rx(Parameter("a"), 0)
    if measured:
        circuit.measure([0, 1], [0, 1])
    return circuit


def bell(*, measured: bool) -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit.measure_all(inplace=False) if measured else circuit


def documents(service: ScriptedService) -> list[Any]:
    return documents_of("j", [task["metadata"] for task in service.tasks])[1]


def test_sampler_stores_pubs_and_cells() -> None:
    service = ScriptedService()
    angles = np.zeros((2, 3, 1))
    pubs: list[Any] = [bell(measured=True), (turned(measured=True), angles), bell(measured=True), QuantumCircuit(1, 1)]
    with service.client() as client:
        job = KetlineSampler(client, seed=3).run(pubs, shots=5000)
    assert len(service.tasks) == 6  # each of the two groups takes three tasks of at most 2,000 shots
    assert read_sampling(documents(service)) == job._plan


@pytest.mark.parametrize("seed", [3, [1, 2]])
def test_estimator_stores_pubs_and_points(seed: Any) -> None:
    service = ScriptedService()
    pubs: list[Any] = [
        (turned(measured=False), [["ZI"], ["IX"]], np.zeros((20, 1))),
        (turned(measured=False), ["ZI", "IX"], [[0.1], [0.2]], 0.1),
        bell_pub := (bell(measured=False), ["ZZ", "XX", "ZZ"]),
        bell_pub,
        (turned(measured=False), "ZZ", np.zeros((0, 1))),
    ]
    with service.client() as client:
        job = KetlineEstimator(client, seed=seed).run(pubs)
    assert read_estimation(documents(service)) == job._plan


def test_few_observables_of_a_point_are_stored_where_they_belong() -> None:
    """A point with too many terms for a task is in several, each with some of its observables."""
    pub = EstimatedPub(points=(), observables=(3,), precision=0.0, circuit=experiment_of(QuantumCircuit(1)))
    parts = [
        EstimatedPart(pubs=[0], positions=[[[0], [1]]], swept=False),
        EstimatedPart(pubs=[0], positions=[[[2]]], swept=False),
    ]
    estimation = Estimation(pubs=[pub], parts=parts, seed=1)
    assert read_estimation(documents_of("j", estimation.stored())[1]) == estimation


def test_job_of_a_point_with_very_many_observables_is_not_stored() -> None:
    service = ScriptedService()
    with service.client() as client:
        KetlineEstimator(client, seed=1).run([(QuantumCircuit(1), ["Z"] * 3000)])
    with pytest.raises(QiskitError, match="do not say what"):
        documents(service)


def test_seed_of_noise_is_drawn_for_all_processes_at_once() -> None:
    service = ScriptedService()
    with service.client() as client:
        job = KetlineEstimator(client, default_precision=0.1).run([(QuantumCircuit(1), "Z")])
        drawn = KetlineEstimator(client, seed=np.random.default_rng(1)).run([(QuantumCircuit(1), "Z")])
    first, second = (documents_of("j", [task["metadata"]])[1][0] for task in service.tasks)
    assert isinstance(job._plan, Estimation)
    assert isinstance(drawn._plan, Estimation)
    assert first["seed"] == job._plan.seed is not None
    assert second["seed"] is None is not drawn._plan.seed
