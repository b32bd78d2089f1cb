"""Random numbers of one part of a task have nothing to do with those of another.

All but one have fixed seeds, so they pass or fail for ever. An ideal generator breaks each bound with a probability of
about 1e-6 (tails of normal and chi-squared distributions), one of all with 2e-4.
"""

from collections.abc import Sequence
from math import cos, sqrt
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import METHODS
from ketline.domain.tasks.seeds import SEED_SCHEME, derived_seed, point_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from tests.blocks import long_after
from tests.circuits import as_qpy

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; '
TURN = "h q[0]; rz(theta) q[0]; h q[0];"  # Clifford at multiples of pi/2
POINTS, SHOTS = 40, 300
# Of a standard normal variable, to both sides, at 1e-6.
_DEVIATIONS = 4.9
PROBABILITY = (1 - cos(1.2)) / 2
_HALF_PI = 1.5707963267948966

# Programs whose bit c[0] is 1 with probability sin²(theta / 2), by what they make an engine do.
PROGRAMS = {
    "at the end": f"qubit[2] q; bit[2] c; {TURN} c[0] = measure q[0];",
    "wide": f"qubit[13] q; bit[13] c; {TURN} c = measure q;",
    "reset": f"qubit[2] q; bit[2] c; {TURN} c[1] = measure q[0]; reset q[0]; {TURN} c[0] = measure q[0];",
    "twice": f"qubit[2] q; bit[2] c; {TURN} c[0] = measure q[0]; c[1] = measure q[0];",
    "branch": f"qubit[2] q; bit[2] c; {TURN} c[0] = measure q[0]; if (c[0]) {{ x q[1]; }} c[1] = measure q[1];",
}
SAMPLING = {
    Method.AUTOMATIC: PROGRAMS,
    Method.STATEVECTOR: PROGRAMS,
    Method.DENSITY_MATRIX: {name: PROGRAMS[name] for name in ("at the end", "reset", "branch")},
    Method.MATRIX_PRODUCT_STATE: {name: PROGRAMS[name] for name in ("at the end", "reset", "branch")},
}
# The short tests try each program by the method that Ketline chooses, and one by each other.
CASES = [
    pytest.param(method, name, marks=[] if method is Method.AUTOMATIC or name == "branch" else [pytest.mark.long])
    for method, programs in SAMPLING.items()
    for name in programs
]


CLIFFORD_METHODS = (Method.STABILIZER, Method.STIM, Method.AUTOMATIC)


def test_every_method_is_tested() -> None:
    assert METHODS.keys() == {*SAMPLING, *CLIFFORD_METHODS}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def frequencies(executor: Executor, text: str, theta: float, method: Method, seed: int | None, memory: bool) -> Any:
    """How often c[0] was 1 at each of equal points."""
    options = RunOptions(seed=seed, method=method, memory=memory)
    result = executor.run(
        Request(TaskSpec(circuit=text, shots=SHOTS, options=options, inputs={"theta": [theta] * POINTS}), "")
    )
    return np.array([ones(point.counts) for point in result.points or ()])


def ones(counts: Any) -> float:
    return float(sum(count for key, count in counts.items() if key[-1] == "1") / SHOTS)


def assert_independent(found: Any, probability: float) -> None:
    """Binomial scatter, no correlation of neighbours, and a mean that is right."""
    points, variance = len(found), probability * (1 - probability) / SHOTS
    deviations = (found - probability) / sqrt(variance)
    assert abs(deviations.sum()) < _DEVIATIONS * sqrt(points), "the mean is off"
    # The sum of squares is chi-squared with `points` degrees of freedom. Source: Laurent and Massart, Ann. Statist. 28
    # (2000), Lemma 1, with x = 14.5 for 5e-7 to either side.
    squares, x = float((deviations**2).sum()), 14.5
    assert points - 2 * sqrt(points * x) < squares < points + 2 * sqrt(points * x) + 2 * x, (
        f"scatter {squares}/{points}"
    )
    assert len(set(found.tolist())) > points / 6, "points repeat each other"
    neighbours = float((deviations[1:] * deviations[:-1]).sum())
    assert abs(neighbours) < _DEVIATIONS * sqrt(points), f"neighbours are correlated: {neighbours}"


@pytest.mark.parametrize(("method", "name"), CASES)
def test_points_of_a_sweep_are_independent(executor: Executor, method: Method, name: str) -> None:
    found = frequencies(executor, HEAD + SAMPLING[method][name], 1.2, method, 7, name == "twice")
    assert_independent(found, PROBABILITY)


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method in CLIFFORD_METHODS for name in PROGRAMS if (method, name) != (Method.STIM, "branch")],
)
def test_points_of_clifford_circuits_are_independent(executor: Executor, method: Method, name: str) -> None:
    text = HEAD + PROGRAMS[name].replace(TURN, "h q[0];")
    assert_independent(frequencies(executor, text, 0.0, method, 11, False), 0.5)


@pytest.mark.parametrize("method", long_after(1, [Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX]))
@pytest.mark.parametrize("name", ["at the end", "reset", "branch"])
def test_tasks_of_neighbouring_seeds_are_independent(executor: Executor, method: Method, name: str) -> None:
    text = HEAD + PROGRAMS[name]
    found = [
        ones(
            executor.run(
                Request(
                    TaskSpec(
                        circuit=text, shots=SHOTS, options=RunOptions(seed=seed, method=method), inputs={"theta": 1.2}
                    ),
                    "",
                )
            ).counts
        )
        for seed in range(1000, 1000 + POINTS)
    ]
    assert_independent(np.array(found), PROBABILITY)


def test_points_of_a_sweep_without_a_seed_are_independent(executor: Executor) -> None:
    """The only test here that draws anew each time: of a right service it fails once in 10^5 runs."""
    assert_independent(frequencies(executor, HEAD + PROGRAMS["reset"], 1.2, Method.AUTOMATIC, None, False), PROBABILITY)


def test_shots_of_a_task_are_independent(executor: Executor) -> None:
    """Aer's own consecutive seeds: 30,000 shots in their order, each bit with itself and the next."""
    options = RunOptions(seed=5, method=Method.STATEVECTOR, memory=True)
    text = HEAD + PROGRAMS["reset"]
    memory: Sequence[str] = (
        executor.run(
            Request(TaskSpec(circuit=text, shots=30_000, options=options, inputs={"theta": _HALF_PI}), "")
        ).memory
        or ()
    )
    bits = np.array([[key == "1" for key in shot] for shot in memory], dtype=float) * 2 - 1
    for one in range(2):
        assert abs(bits[:, one].sum()) < _DEVIATIONS * sqrt(len(bits))
        for other in range(2):
            assert abs((bits[1:, one] * bits[:-1, other]).sum()) < _DEVIATIONS * sqrt(len(bits))
    assert abs((bits[:, 0] * bits[:, 1]).sum()) < _DEVIATIONS * sqrt(len(bits))


def test_qpy_sweep_is_independent(executor: Executor) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.ry(Parameter("theta"), 0)
    circuit.measure(0, 0)
    circuit.measure(0, 0)
    options = RunOptions(seed=3, format=ProgramFormat.QPY)
    result = executor.run(
        Request(TaskSpec(circuit=as_qpy(circuit), shots=SHOTS, options=options, inputs={"theta": [1.2] * POINTS}), "")
    )
    assert_independent(np.array([ones(point.counts) for point in result.points or ()]), PROBABILITY)


@pytest.mark.parametrize(("method", "name"), [*CASES, (Method.STIM, "clifford"), (Method.STABILIZER, "clifford")])
def test_same_seed_gives_the_same_shots(executor: Executor, method: Method, name: str) -> None:
    text = HEAD + (PROGRAMS["reset"].replace(TURN, "h q[0];") if name == "clifford" else PROGRAMS[name])
    request = Request(
        TaskSpec(
            circuit=text, shots=50, options=RunOptions(seed=9, method=method, memory=True), inputs={"theta": [1.2, 1.2]}
        ),
        "",
    )
    first, again = executor.run(request), Executor(ExecutionLimits()).run(request)
    assert first.points == again.points
    assert first.profile.seed_scheme == SEED_SCHEME


def test_derived_seeds_are_those_of_the_decision() -> None:
    """Whoever has stored a seed relies on these numbers: other ones need another scheme."""
    assert [point_seed(7, number) for number in range(3)] == [4531671753783519, 5318026675433266, 3246106384311612]
    assert derived_seed(7, "aer", bits=62) == 2605125955075175843


@pytest.mark.parametrize(("purpose", "bits"), [("point", 53), ("aer", 62), ("numpy", 64), ("stim", 63)])
def test_derived_seeds_use_their_bits(purpose: str, bits: int) -> None:
    seeds = [derived_seed(seed, purpose, bits=bits) for seed in range(2000)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 1 << bits
    for bit in range(bits):
        assert abs(sum(seed >> bit & 1 for seed in seeds) - 1000) < _DEVIATIONS * sqrt(500)
