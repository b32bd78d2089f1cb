"""The ways into the service from Qiskit, beside Aer's backend and its primitives."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp, random_pauli_list
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

from benchmarks.doors.door import Door
from ketline.qiskit import KetlineEstimator, KetlineProvider, KetlineSampler

_CIRCUITS = 200
_SINGLE_CALLS = 20
_SEED = 7


def qiskit_doors(port: int) -> Iterator[Door]:
    """The ways; the work is that of issue reports: many small circuits, many points, many observables, one circuit."""
    backend = KetlineProvider(f"http://127.0.0.1:{port}").get_backend()
    aer = AerSimulator()
    yield from _circuits(backend, aer)
    yield from _points(backend)
    yield from _observables(backend)
    bell = _bell()
    sampler, of_aer = KetlineSampler(backend), SamplerV2()
    yield Door(
        name="`KetlineSampler`",
        work="one Bell circuit",
        alternative="`SamplerV2` of Aer",
        ketline=partial(_results, sampler, [bell]),
        other=partial(_results, of_aer, [bell]),
        calls=_SINGLE_CALLS,
    )


def _circuits(backend: Any, aer: Any) -> Iterator[Door]:
    sampler, of_aer = KetlineSampler(backend), SamplerV2()
    same, own = [_bell() for _ in range(_CIRCUITS)], _turned_circuits()
    for work, circuits in ((f"{_CIRCUITS} Bell circuits", same), (f"{_CIRCUITS} circuits of 4 qubits", own)):
        yield Door(
            name="`KetlineSampler`",
            work=work,
            alternative="`SamplerV2` of Aer",
            ketline=partial(_results, sampler, circuits),
            other=partial(_results, of_aer, circuits),
        )
        yield Door(
            name="`KetlineBackend.run`",
            work=work,
            alternative="`AerSimulator.run`",
            ketline=partial(_counts, backend, circuits),
            other=partial(_counts, aer, circuits),
        )


def _points(backend: Any) -> Iterator[Door]:
    sampler, of_aer = KetlineSampler(backend), SamplerV2()
    circuit = real_amplitudes(4, reps=2).measure_all(inplace=False)
    pub = (circuit, _angles(1000, circuit.num_parameters))
    yield Door(
        name="`KetlineSampler`",
        work="1,000 points of 4 qubits",
        alternative="`SamplerV2` of Aer",
        ketline=partial(_results, sampler, [pub]),
        other=partial(_results, of_aer, [pub]),
    )


def _observables(backend: Any) -> Iterator[Door]:
    estimator, of_aer = KetlineEstimator(backend), EstimatorV2()
    for qubits in (4, 10):
        circuit = real_amplitudes(qubits, reps=2)
        observables = [SparsePauliOp(random_pauli_list(qubits, 1, seed=seed, phase=False)) for seed in range(100)]
        pub = (circuit, observables, _angles(100, circuit.num_parameters)[:, None, :])
        yield _estimation(f"100 observables at 100 points of {qubits} qubits", estimator, of_aer, pub)
    circuit = real_amplitudes(18, reps=2)
    observable = SparsePauliOp(random_pauli_list(18, 5, seed=_SEED, phase=False))
    pub = (circuit, observable, _angles(20, circuit.num_parameters))
    yield _estimation("20 points of 18 qubits", estimator, of_aer, pub)


def _estimation(work: str, estimator: Any, of_aer: Any, pub: Sequence[Any]) -> Door:
    return Door(
        name="`KetlineEstimator`",
        work=work,
        alternative="`EstimatorV2` of Aer",
        ketline=partial(_results, estimator, [pub]),
        other=partial(_results, of_aer, [pub]),
    )


def _results(primitive: Any, pubs: Sequence[Any]) -> Any:
    return primitive.run(pubs).result()


def _counts(backend: Any, circuits: Sequence[QuantumCircuit]) -> Any:
    return backend.run(circuits).result().get_counts()


def _angles(points: int, parameters: int) -> Any:
    return np.random.default_rng(_SEED).uniform(0, 2 * np.pi, (points, parameters))


def _bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def _turned_circuits() -> Sequence[QuantumCircuit]:
    """Circuits of one shape whose angles differ, so that none is another's repetition."""
    ansatz = real_amplitudes(4, reps=2)
    return [
        ansatz.assign_parameters(angles).measure_all(inplace=False)
        for angles in _angles(_CIRCUITS, ansatz.num_parameters)
    ]
