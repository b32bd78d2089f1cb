"""PUBs become one task, or as few as possible."""

from typing import Any

import httpx
import numpy as np
import pytest
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from ketline.client import Client
from ketline.client.task_limits import TaskLimits
from ketline.domain.tasks.seeds import derived_seed
from ketline.qiskit.estimator import KetlineEstimator, _parts_of, _slices, terms_of
from ketline.qiskit.requests import seed_of
from ketline.qiskit.sampler import _options_of, _tasks_of
from ketline.qiskit.sampler import _parts_of as _sampler_parts

AMPLE = TaskLimits(input_characters=1 << 19, result_characters=8 << 20, shots=100_000)
OPTIONS: dict[str, Any] = {"seed": 100, "method": None}


def sampled(points: int, shots: int = 10) -> Any:
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("a"), 0)
    circuit.ry(Parameter("b"), 1)
    circuit.measure_all()
    return SamplerPub.coerce((circuit, np.arange(2.0 * points).reshape(points, 2)), shots)


@pytest.mark.parametrize(
    ("room", "points", "tasks"),
    [
        (AMPLE, 1000, [1000]),
        (AMPLE, 25_000, [10_000, 10_000, 5000]),
        (TaskLimits(input_characters=24 * 2 * 4, result_characters=1 << 20, shots=100_000), 10, [4, 4, 2]),
        (TaskLimits(input_characters=1, result_characters=1, shots=100_000), 3, [1, 1, 1]),
    ],
)
def test_points_are_split_into_tasks_that_fit(room: TaskLimits, points: int, tasks: list[int]) -> None:
    asked = [options for _, options in _tasks_of(sampled(points), room, OPTIONS)]
    assert [len(options["inputs"]["p0"]) for options in asked] == tasks
    together = [value for options in asked for value in options["inputs"]["p1"]]
    assert together == [2.0 * point + 1 for point in range(points)]
    firsts = [sum(tasks[:number]) for number in range(len(tasks))]
    assert [options["seed"] for options in asked] == [derived_seed(100, "task", first) for first in firsts]


def test_points_are_split_by_the_size_of_results_too() -> None:
    few, many = (
        _tasks_of(
            sampled(100, shots), TaskLimits(input_characters=1 << 20, result_characters=600, shots=100_000), OPTIONS
        )
        for shots in (1, 1000)
    )
    assert (len(few), len(many)) == (3, 25)


def test_circuits_of_very_many_parameters_are_bound_first() -> None:
    circuit = QuantumCircuit(1)
    for parameter in ParameterVector("v", 1001):
        circuit.rx(parameter, 0)
    circuit.measure_all()
    pub = SamplerPub.coerce((circuit, np.zeros((3, 1001))), 5)
    asked = _tasks_of(pub, AMPLE, OPTIONS)
    assert [(sent.program_format, "inputs" in options, options["seed"]) for sent, options in asked] == [
        ("openqasm3", False, derived_seed(100, "task", number)) for number in range(3)
    ]


def observed(observables: Any, points: Any) -> Any:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    return EstimatorPub.coerce((circuit, observables, points), 0.0)


def test_observables_shared_by_all_points_are_sent_once() -> None:
    pub = observed([["Z"], ["X"]], [[0.1], [0.2], [0.3]])
    (part,) = _parts_of([pub], AMPLE, {})
    assert part.request[1] == {"inputs": {"p0": [0.1, 0.2, 0.3]}, "observables": [{"Z": 1.0}, {"X": 1.0}]}
    assert part.positions == [[[0], [3]], [[1], [4]], [[2], [5]]]


def testterms_of_observables_are_those_of_qiskit() -> None:
    """Terms of one label are added up; a sum that is zero keeps an identity, since no observable may be empty."""
    projectors = SparseObservable.from_list([("0Z", 2.0), ("IZ", 0.5), ("+l", -1.0)])
    nothing = SparseObservable.from_list([("0I", 1.0), ("II", -0.5), ("ZI", -0.5)])
    expected = SparsePauliOp.from_sparse_observable(projectors.as_paulis()).simplify(atol=0).to_list()
    (first,), (second,) = (
        terms_of(EstimatorPub.coerce((QuantumCircuit(2), one), 0.0).observables) for one in (projectors, nothing)
    )
    assert first == {label: factor.real for label, factor in expected}
    assert second == {"II": 0.0}


def test_points_have_only_their_own_observables() -> None:
    pub = observed(["Z", "X", "Y"], [[0.1], [0.2], [0.3]])
    (part,) = _parts_of([pub], AMPLE, {})
    assert part.request[1]["observables"] == [[{"Z": 1.0}], [{"X": 1.0}], [{"Y": 1.0}]]
    assert part.positions == [[[0]], [[1]], [[2]]]


def test_many_observables_and_terms_are_split() -> None:
    operators = [SparsePauliOp("Z", factor) for factor in range(1, 2502)]
    (part,) = _parts_of([observed(operators, [0.5])], AMPLE, {})
    assert part.request[1]["inputs"] == {"p0": [0.5] * 3}
    assert list(map(len, part.request[1]["observables"])) == list(map(len, part.positions)) == [1000, 1000, 501]
    own = _parts_of(
        [observed(operators[:100], np.zeros((100, 1)))],
        TaskLimits(input_characters=330, result_characters=1 << 20, shots=100_000),
        {},
    )
    assert sum(len(part.positions) for part in own) == 100
    assert max(len(part.positions) for part in own) == 10


def description_of(request: httpx.Request) -> httpx.Response:
    limits = {"max_program_bytes": 1 << 20, "max_result_megabytes": 16, "max_shots": 100_000}
    return httpx.Response(200, json={"backends": [{"limits": limits}]})


@pytest.mark.parametrize("points", [np.zeros((0, 1)), np.zeros((0, 3, 1))])
def test_pub_without_points_has_no_task_and_no_values(points: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    with Client("http://ketline.test", transport=httpx.MockTransport(description_of)) as client:
        found = KetlineEstimator(client).run([(circuit, "Z", points)]).result()[0].data
    assert found.evs.shape == found.stds.shape == found.shape == points.shape[:-1]


def turned(angle: float) -> Any:
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    return circuit


def test_pubs_of_circuits_that_differ_in_angles_share_a_task() -> None:
    swept = observed(["Z"], [[0.1], [0.2]])
    pubs = [EstimatorPub.coerce((turned(0.1 * number), ["Z", "X"]), 0.0) for number in range(3)]
    first, second = _parts_of([pubs[0], swept, *pubs[1:]], AMPLE, {"method": None})
    assert first.pubs == [0, 2, 3]
    assert first.positions == [[[0], [1]]] * 3
    assert first.request[1]["observables"] == [{"Z": 1.0}, {"X": 1.0}]
    assert first.request[1]["inputs"] == {"p0": [0.0, 0.1, 0.2]}
    assert (second.pubs, second.positions) == ([1, 1], [[[0]], [[1]]])


def test_pubs_that_share_a_task_may_have_observables_of_their_own() -> None:
    pubs = [EstimatorPub.coerce((turned(number), ["Z", "X"][: number + 1]), 0.0) for number in range(2)]
    (part,) = _parts_of(pubs, AMPLE, {})
    assert part.request[1]["observables"] == [[{"Z": 1.0}], [{"Z": 1.0}, {"X": 1.0}]]
    tight = TaskLimits(input_characters=3 * 33, result_characters=1 << 20, shots=100_000)
    assert [part.pubs for part in _parts_of(pubs, tight, {})] == [[0], [1]]


@pytest.mark.long
def test_observables_of_a_point_are_split_by_their_total_of_terms() -> None:
    operators = [SparsePauliOp([f"{number:016b}".translate({48: "I", 49: "Z"}) for number in range(1, 60_001)])] * 2
    pub = EstimatorPub.coerce((QuantumCircuit(16), operators), 0.0)
    parts = _parts_of([pub], AMPLE, {})
    assert [[len(one) for one in part.request[1]["observables"]] for part in parts] == [[60_000], [60_000]]
    assert [part.positions for part in parts] == [[[[0]]], [[[1]]]]


@pytest.mark.parametrize(
    ("terms", "cut"),
    [
        ([], []),
        ([60_000, 40_000, 1], [2, 1]),
        ([1, 100_001, 1], [1, 1, 1]),
        ([1] * 1001, [1000, 1]),
        ([101] * 1000, [990, 10]),
    ],
)
def test_slices_are_as_large_as_the_limits_allow(terms: list[int], cut: list[int]) -> None:
    assert [len(terms[part]) for part in _slices(terms)] == cut


def test_pubs_and_circuits_have_their_own_seeds() -> None:
    seeds = [_options_of({"seed": 4}, number)["seed"] for number in range(3)]
    assert seeds == [derived_seed(4, "pub", number) for number in range(3)]
    assert len({*seeds, 4}) == 4
    assert _options_of({"seed": None}, 1)["seed"] is None
    assert [seed_of(7, number) for number in range(2)] == [7, derived_seed(7, "circuit", 1)]
    assert seed_of(None, 1) is None


def test_shots_beyond_the_limit_are_split_into_tasks_with_seeds_of_their_own() -> None:
    few = TaskLimits(input_characters=1 << 19, result_characters=8 << 20, shots=4)
    parts = _sampler_parts([sampled(2, shots=10)], few, OPTIONS)
    assert [part.request[1]["shots"] for part in parts] == [4, 4, 2]
    assert [part.cells for part in parts] == [[(0, 0), (0, 1)]] * 3
    first = parts[0].request[1]["seed"]
    assert [part.request[1]["seed"] for part in parts[1:]] == [
        derived_seed(first, "shots", 1),
        derived_seed(first, "shots", 2),
    ]
