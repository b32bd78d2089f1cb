"""The choice of a method, and its estimate, follow the costs of the engine that would run it."""

from dataclasses import replace

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.durations import simulating_seconds
from ketline.execution.simulators.engines import Engines, expected_engines
from ketline.execution.simulators.methods import SIMULATION_METHODS, choose
from ketline.execution.simulators.quota import Quota

ALL = ExecutionLimits(memory_bytes=1 << 30)
AER_ONLY = replace(ALL, lightning=False)
HEADER = 'include "stdgates.inc";\n'
NARROW = (
    "qubit[18] q; bit[18] c; for int n in [0:2] "
    "{ ry(0.3) q; rz(0.2) q; for int i in [0:16] { cx q[i], q[i + 1]; } } c = measure q;"
)
CLIFFORD_THAT_BRANCHES = "qubit[5] q; bit[5] c; h q[0]; c[0] = measure q[0]; if (c[0]) x q[1]; c = measure q;"
BRANCHES = "qubit[3] q; bit[3] c; rx(0.1) q; c = measure q; if (c[0]) rx(0.2) q[1]; c = measure q;"


def lowered_of(body: str) -> Lowered:
    return load_program(HEADER + body, ALL).lowered


def layers(qubits: int) -> str:
    return f"qubit[{qubits}] q; bit[{qubits}] c; for int n in [0:4] {{ ry(0.3) q; }} c = measure q;"


def seconds(body: str, limits: ExecutionLimits, shots: int = 1000) -> float:
    lowered = lowered_of(body)
    found = simulating_seconds(lowered, choose(lowered, shots, Method.STATEVECTOR, limits), shots, limits)
    assert found is not None
    return found


def test_state_that_aer_builds_slowly_is_a_matrix_product_where_only_aer_is_allowed() -> None:
    lowered = lowered_of(NARROW)
    chosen = [choose(lowered, 1000, Method.AUTOMATIC, limits).method.name for limits in (ALL, AER_ONLY)]
    assert chosen == [Method.STATEVECTOR, Method.MATRIX_PRODUCT_STATE]


def test_clifford_branches_run_on_a_tableau_where_shared_histories_are_not_allowed() -> None:
    lowered = lowered_of(CLIFFORD_THAT_BRANCHES)
    chosen = [choose(lowered, 1000, Method.AUTOMATIC, limits) for limits in (ALL, AER_ONLY)]
    assert [choice.method.name for choice in chosen] == [Method.STATEVECTOR, Method.STABILIZER]
    assert "same outcomes at once" in chosen[0].reason
    assert "same outcomes at once" not in chosen[1].reason


@pytest.mark.parametrize("qubits", [2, 10, 16, 20])
def test_estimate_is_higher_where_only_aer_is_allowed(qubits: int) -> None:
    assert seconds(layers(qubits), AER_ONLY) > 1.3 * seconds(layers(qubits), ALL)


def test_only_aer_simulates_few_qubits_shot_by_shot() -> None:
    assert seconds(BRANCHES, ALL, 10_000) < 2 * seconds(BRANCHES, ALL, 1000)
    assert seconds(BRANCHES, AER_ONLY, 10_000) > 5 * seconds(BRANCHES, AER_ONLY, 1000)


@pytest.mark.parametrize(
    ("qubits", "limits"),
    [
        (21, ALL),
        (21, replace(ALL, threads=4, share_threads=4)),
        (22, replace(ALL, threads=2)),
        (22, replace(ALL, threads=4)),
        (20, replace(ALL, small_memory_bytes=16 << 20)),
        (20, replace(ALL, small_memory_bytes=32 << 20)),
        (12, AER_ONLY),
    ],
)
def test_costs_are_those_of_the_engine_that_runs(qubits: int, limits: ExecutionLimits) -> None:
    lowered = lowered_of(layers(qubits))
    quota = Quota(limits)
    quota.begin(lambda _needed: True)
    quota.require(lowered, choose(lowered, 10, Method.STATEVECTOR, limits), 10)
    engine = SIMULATION_METHODS[Method.STATEVECTOR].engine(lowered, 10, Engines(limits, quota))
    assert (engine is Engine.LIGHTNING) is expected_engines(qubits, limits).lightning_is_faster
