"""Methods, seeds, shots in order, and the state that a program needs."""

from collections import Counter
from itertools import pairwise
from math import cos, pi, sin
from random import Random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import (
    CXGate,
    CYGate,
    CZGate,
    HGate,
    SdgGate,
    SGate,
    SwapGate,
    SXdgGate,
    SXGate,
    XGate,
    YGate,
    ZGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.bitstrings import KeyFormat, counts_of
from ketline.execution.simulators.methods import CLIFFORD_GATES
from ketline.execution.simulators.methods.stim import stim_steps
from tests.reference import assert_counts_match, terminal_probabilities

# 13 qubits are too many to be drawn from exact probabilities.
WIDE = "qubit[13] q; bit[13] c; h q[0]; for int i in [0:11] { cx q[i], q[i + 1]; } "
MIXED = (
    "qubit[4] q; bit[2] a; bit[1] b; bit[1] d; ry(0.7) q[0]; cx q[0], q[1]; crz(0.4) q[1], q[2]; ccx q[0], q[1], q[3]; "
    "cswap q[0], q[2], q[3]; cu(0.1, 0.2, 0.3, 0.4) q[3], q[2]; "
    "a = measure q[1:2]; b[0] = measure q[3]; d[0] = measure q[0];"
)
BRANCHING = "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } c[1] = measure q[1];"
CLIFFORD = "qubit[3] q; bit[3] c; h q; s q[0]; cx q[0], q[1]; sx q[1]; cz q[0], q[2]; h q[2]; c = measure q;"


GATE_WIDTHS = dict.fromkeys(["h", "s", "sdg", "sx", "x", "y", "z"], 1) | dict.fromkeys(["cx", "cy", "cz", "swap"], 2)
STIM_GATES = {
    "CX": CXGate,
    "CY": CYGate,
    "CZ": CZGate,
    "H": HGate,
    "S": SGate,
    "SQRT_X": SXGate,
    "SQRT_X_DAG": SXdgGate,
    "SWAP": SwapGate,
    "S_DAG": SdgGate,
    "X": XGate,
    "Y": YGate,
    "Z": ZGate,
}


def text_of(body: str) -> str:
    return f'include "stdgates.inc"; {body}'


def load(body: str) -> Program:
    return load_program(text_of(body), ExecutionLimits())


@pytest.mark.parametrize(
    ("body", "method"),
    [
        ("qubit[2] q; bit[2] c; h q; cx q[0], q[1]; c = measure q;", "statevector"),
        ("qubit[2] q; bit[2] c; h q; t q[0]; c = measure q;", "statevector"),
        (BRANCHING, "statevector"),
        ("qubit[2] q; bit[2] c; c[0] = measure q[0]; if (c[0]) { t q[1]; } c = measure q;", "statevector"),
        (f"{WIDE} c = measure q;", "stim"),
        (f"{WIDE} id q; barrier q; reset q[3]; c = measure q; h q; c = measure q;", "stim"),
        (f"{WIDE} c[0] = measure q[0]; if (c[0]) {{ s q[1]; }} c = measure q;", "statevector"),
        (f"{WIDE} {20 * 'h q; c[0] = measure q[0]; if (c[0]) { s q[1]; }'} c = measure q;", "stabilizer"),
        (f"{WIDE} t q; c = measure q;", "statevector"),
    ],
)
def test_method_is_chosen_by_what_the_program_holds(simulator: Simulator, body: str, method: str) -> None:
    simulation = simulator.run(load(body), 10)
    assert simulation.method == method
    assert simulation.reason


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_distribution(simulator: Simulator, method: Method) -> None:
    counts = simulator.run(load(CLIFFORD), 4096, RunOptions(method=method, seed=5)).counts
    assert_counts_match(counts, terminal_probabilities(text_of(CLIFFORD)), 4096)


@pytest.mark.parametrize("method", [Method.STIM, Method.STABILIZER])
@pytest.mark.parametrize("seed", range(4))
def test_random_clifford_circuits_have_the_reference_distribution(
    simulator: Simulator, method: Method, seed: int
) -> None:
    source = Random(seed)
    calls = [
        f"{name} {', '.join(f'q[{qubit}]' for qubit in source.sample(range(4), GATE_WIDTHS[name]))};"
        for name in source.choices(list(GATE_WIDTHS), k=40)
    ]
    body = f"qubit[4] q; bit[4] c; h q; {' '.join(calls)} c = measure q;"
    counts = simulator.run(load(body), 4096, RunOptions(method=method)).counts
    assert_counts_match(counts, terminal_probabilities(text_of(body)), 4096)


def test_sampler_knows_every_clifford_gate() -> None:
    """Also those that no program's text names: ECR comes from circuits that were transpiled."""
    for name in CLIFFORD_GATES:
        gate = get_standard_gate_name_mapping()[name]
        circuit = QuantumCircuit(gate.num_qubits)
        for step, operands in stim_steps(name):
            circuit.append(STIM_GATES[step](), list(operands))
        assert Operator(circuit).equiv(Operator(gate)), name


def test_bits_keep_what_was_measured_last(simulator: Simulator) -> None:
    body = "qubit[2] q; bit[2] c; x q; c[0] = measure q[0]; reset q[0]; c[1] = measure q[0]; c[1] = measure q[1];"
    assert simulator.run(load(body), 20, RunOptions(method=Method.STIM)).counts == {"11": 20}


@pytest.mark.parametrize(
    "method", [Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX, Method.MATRIX_PRODUCT_STATE]
)
def test_gates_a_method_lacks_are_made_of_those_it_has(simulator: Simulator, method: Method) -> None:
    counts = simulator.run(load(MIXED), 4096, RunOptions(method=method, seed=5)).counts
    assert_counts_match(counts, {"0 0 00": cos(0.35) ** 2, "1 0 11": sin(0.35) ** 2}, 4096)


def test_a_withdrawn_method_is_rejected_with_those_that_are_offered(simulator: Simulator) -> None:
    """Also for a task of before that is run again."""
    body = "qubit[2] q; bit[2] c; h q[0]; t q[0]; h q[0]; cx q[0], q[1]; c = measure q;"
    with pytest.raises(ProgramUnsupported, match=r"no longer offered.*choose automatic, statevector, .*stim"):
        simulator.run(load(body), 10, RunOptions(method=Method.EXTENDED_STABILIZER))
    for method in METHODS:
        if method not in (Method.STABILIZER, Method.STIM):
            counts = simulator.run(load(body), 2000, RunOptions(method=method, seed=1)).counts
            assert_counts_match(counts, {"00": cos(pi / 8) ** 2, "11": sin(pi / 8) ** 2}, 2000)


@pytest.mark.parametrize(
    ("method", "body", "missing"),
    [
        (Method.STABILIZER, "qubit q; bit c; t q; c = measure q;", "'t'"),
        (Method.STIM, "qubit q; bit c; rx(0.1) q; c = measure q;", "'rx'"),
        (Method.STIM, BRANCHING, "'if_else'"),
    ],
)
def test_method_without_the_gate_says_so(simulator: Simulator, method: Method, body: str, missing: str) -> None:
    with pytest.raises(ProgramUnsupported, match=f"method '{method}' has no {missing}"):
        simulator.run(load(body), 10, RunOptions(method=method))


@pytest.mark.parametrize("body", [MIXED, BRANCHING, f"{WIDE} c = measure q;", f"{WIDE} t q; h q; c = measure q;"])
def test_same_seed_gives_the_same_shots(simulator: Simulator, body: str) -> None:
    options = RunOptions(seed=11, memory=True)
    first, second = (simulator.run(load(body), 200, options) for _ in range(2))
    assert (first.counts, first.memory) == (second.counts, second.memory)
    other = simulator.run(load(body), 200, RunOptions(seed=12, memory=True))
    assert other.memory != first.memory
    assert simulator.run(load(body), 200).memory is None


@pytest.mark.parametrize("body", [MIXED, BRANCHING, f"{WIDE} c = measure q;", f"{WIDE} t q; h q; c = measure q;"])
def test_memory_holds_the_shots_of_the_counts(simulator: Simulator, body: str) -> None:
    simulation = simulator.run(load(body), 300, RunOptions(memory=True))
    assert Counter(simulation.memory) == simulation.counts
    assert list(simulation.counts) == sorted(simulation.counts)


def test_shots_of_a_small_program_come_in_random_order(simulator: Simulator) -> None:
    body = "qubit q; bit c; h q; c = measure q;"
    shots = simulator.run(load(body), 1000, RunOptions(memory=True, seed=3)).memory or ()
    changes = sum(one != other for one, other in pairwise(shots))
    # 999 fair coins: off by more than 150 once in 10^21.
    assert abs(changes - 499.5) < 150


def test_programs_run_again_are_drawn_anew(simulator: Simulator) -> None:
    program = load("qubit[3] q; bit[3] c; ry(1) q; c = measure q;")
    draws = {tuple(simulator.run(program, 1000).counts.items()) for _ in range(5)}
    assert len(draws) > 1
    for counts in draws:
        assert_counts_match(
            dict(counts), terminal_probabilities(text_of("qubit[3] q; bit[3] c; ry(1) q; c = measure q;")), 1000
        )


def test_wide_clifford_circuit_runs() -> None:
    program = load("qubit[1000] q; bit[1000] c; h q[0]; for int i in [0:998] { cx q[i], q[i + 1]; } c = measure q;")
    counts = Simulator(ExecutionLimits(memory_bytes=1 << 20)).run(program, 200).counts
    assert set(counts) == {"0" * 1000, "1" * 1000}


def test_shallow_circuit_beyond_a_statevector_runs_as_a_matrix_product(simulator: Simulator) -> None:
    program = load("qubit[40] q; bit[40] c; h q[0]; t q; for int i in [0:38] { cx q[i], q[i + 1]; } c = measure q;")
    simulation = simulator.run(program, 100)
    assert simulation.method == "matrix_product_state"
    assert simulation.reason == (
        "a statevector takes 16 TiB; a matrix product state with bonds of at most 2 at most 5 KiB and about 0.0054 s"
    )
    assert set(simulation.counts) == {"0" * 40, "1" * 40}


def test_state_over_the_limit_is_rejected_with_the_estimate(simulator: Simulator) -> None:
    rounds = "for int r in [0:20] { for int i in [0:38] { cx q[i], q[i + 1]; } }"
    program = load(f"qubit[40] q; bit[40] c; h q; t q; {rounds} c = measure q;")
    with pytest.raises(ProgramTooLarge, match=r"40 qubits takes 16 TiB .* the limit is 1024 MiB"):
        simulator.run(program, 10)


@pytest.mark.parametrize(
    ("method", "qubits"), [(Method.STATEVECTOR, 17), (Method.DENSITY_MATRIX, 9), (Method.MATRIX_PRODUCT_STATE, 30)]
)
def test_requested_method_is_bounded_too(method: Method, qubits: int) -> None:
    chain = f"for int r in [0:20] {{ for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }} }}"
    program = load(f"qubit[{qubits}] q; bit[{qubits}] c; ry(0.3) q; {chain} c = measure q;")
    with pytest.raises(ProgramTooLarge, match=f"simulating {qubits} qubits .* the limit is 1 MiB"):
        Simulator(ExecutionLimits(memory_bytes=1 << 20)).run(program, 10, RunOptions(method=method))


def test_only_qubits_that_a_measurement_sees_are_simulated(simulator: Simulator) -> None:
    program = load("qubit[40] q; bit c; h q; t q; c = measure q[39];")
    assert program.lowered.circuit.num_qubits == 1
    assert program.lowered.operations == {"h": 1, "t": 1, "measure": 1}


def test_idle_qubits_do_not_count_beside_a_while_loop(simulator: Simulator) -> None:
    program = load("qubit[40] q; bit c; h q[7]; t q[7]; c = measure q[7]; while (c) { x q[7]; c = measure q[7]; }")
    assert simulator.run(program, 50).counts == {"0": 50}


@pytest.mark.parametrize(
    ("outcome", "groups", "key"),
    [(3, (2,), "11"), (1, (2,), "01"), (1, (2, 1), "0 01"), (4, (2, 1), "1 00"), (5, (1, 2, 1), "0 10 1")],
)
def test_key_has_the_groups_bits_together(outcome: int, groups: tuple[int, ...], key: str) -> None:
    assert KeyFormat(groups)(outcome) == key


@pytest.mark.parametrize("groups", [(9,), (1, 8), (3, 1, 5), (64,), (40, 24), (65,), (100, 30)])
@pytest.mark.parametrize("kind", [np.uint64, np.int64, object])
def test_keys_of_many_outcomes_are_those_of_each(groups: tuple[int, ...], kind: type) -> None:
    width = min(sum(groups), 63)
    outcomes: Any = np.array([0, 1, (1 << width) - 1, *range(100, 300)], dtype=kind)
    expected = [KeyFormat(groups)(outcome) for outcome in outcomes.tolist()]
    assert KeyFormat(groups).keys(outcomes) == expected
    assert expected[2].count("1") == width
    assert KeyFormat(groups, lambda outcome: outcome ^ 1).keys(outcomes)[:2] == [expected[1], expected[0]]


def test_outcomes_that_show_the_same_key_are_added_up() -> None:
    assert list(counts_of([("1", 2), ("0", 1), ("1", 3)]).items()) == [("0", 1), ("1", 5)]


@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.STATEVECTOR])
def test_several_registers_have_the_keys_qiskit_gives(simulator: Simulator, method: Method) -> None:
    program = load("qubit[3] q; bit[2] a; bit[1] b; x q[1]; a = measure q[0:1]; b[0] = measure q[2];")
    job = AerSimulator().run(program.lowered.circuit, shots=7)
    counts = simulator.run(program, 7, RunOptions(method=method)).counts
    assert counts == job.result().get_counts() == {"0 10": 7}
