"""Loops, branches, returns and ends that depend on measurements, against what their outcomes must be."""

from collections.abc import Mapping
from random import Random

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr

from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.difference.branching import check_branching
from tests.difference.controlled import assert_agrees, make_controlled
from tests.reference import assert_counts_match
from tests.unit.execution.conftest import Run

SHOTS = 1000
COIN = "h q; c = measure q; "

DISTRIBUTIONS: dict[str, tuple[str, Mapping[str, float]]] = {
    "the specification's example of 'while'": (
        "qubit q; bit result; int i = 0; while (i < 10) { h q; result = measure q; if (result) { i += 1; } } "
        "bit[4] d; d = bit[4](uint[4](i));",
        {"1010 1": 1},
    ),
    "loop that only a break leaves": (f"qubit q; bit c; while (true) {{ {COIN} if (c) break; }}", {"1": 1}),
    "break of a loop that is unrolled": (
        f"qubit q; bit c; int n = 0; for int i in [0:2] {{ {COIN} if (c) break; n += 1; }} bit[2] d; "
        "d = bit[2](uint[2](n));",
        {"00 1": 0.5, "01 1": 0.25, "10 1": 0.125, "11 0": 0.125},
    ),
    "continue": (
        f"qubit q; bit c; int n = 0; for int i in [0:1] {{ {COIN} if (c) continue; n += 1; }} bit[2] d; "
        "d = bit[2](uint[2](n));",
        {"00 1": 0.25, "01 0": 0.25, "01 1": 0.25, "10 0": 0.25},
    ),
    "continue in a loop that stays": (
        "qubit q; bit c; bit go = 1; uint[2] n = 0; while (go) { h q; c = measure q; if (c) continue; n += 1; "
        "if (n == 2) { go = 0; } }",
        {"0 0": 1},
    ),
    "return": (
        "def f(qubit a) -> bit { bit r = measure a; if (r) return r; x a; return r; } "
        "qubit q; bit[2] c; h q; c[0] = f(q); c[1] = measure q;",
        {"10": 0.5, "11": 0.5},
    ),
    "return out of a loop": (
        "def tries(qubit a) -> uint[3] { uint[3] n = 0; for int i in [1:3] { h a; bit r = measure a; n += 1; "
        "if (r) return n; } return 7; } qubit q; bit[3] c; c = bit[3](tries(q));",
        {"001": 0.5, "010": 0.25, "011": 0.125, "111": 0.125},
    ),
    "end": ("qubit q; bit[2] c; h q; c[0] = measure q; if (c[0]) end; x q; c[1] = measure q;", {"01": 0.5, "10": 0.5}),
    "what is declared after an end": (
        'qubit q; bit c; h q; c = measure q; if (c) end; bit d = 1; bit[2] e = "11";',
        {"00 01": 0.5, "11 10": 0.5},
    ),
    "end in a subroutine": (
        "def stop(qubit a) { bit r = measure a; if (r) end; } qubit q; qubit w; bit[2] c; h q; stop(q); x w; "
        "c[0] = measure q; c[1] = measure w;",
        {"00": 0.5, "10": 0.5},
    ),
    "condition that measures": (
        "def again(qubit a) -> bit { h a; return measure a; } qubit q; uint[2] n = 0; while (again(q)) { n += 1; "
        "if (n == 3) break; } bit[2] c; c = bit[2](n);",
        {"00": 0.5, "01": 0.25, "10": 0.125, "11": 0.125},
    ),
    "range that a measurement ends": (
        f"qubit q; bit c; int n = 0; {COIN} for int i in [0:2 * int(c)] {{ x q; n += 1; }} bit[2] d; "
        "d = bit[2](uint[2](n)); bit e; e = measure q;",
        {"1 01 0": 0.5, "0 11 1": 0.5},
    ),
    "counter that wraps": (
        "qubit q; bit c; uint[2] n; while (c == 0) { n += 1; h q; c = measure q; } bit[2] d; d = bit[2](n);",
        {"00 1": 1 / 15, "01 1": 8 / 15, "10 1": 4 / 15, "11 1": 2 / 15},
    ),
    "array in a loop that stays": (
        "qubit q; bit c; array[int, 3] a = {0, 0, 0}; int i = 0; while (i < 3) { h q; c = measure q; "
        "if (c) { a[i] = i + 1; i += 1; } } bit ok; ok = bit(a[0] == 1 && a[1] == 2 && a[2] == 3);",
        {"11": 1},
    ),
    "loop that touches no qubit": (
        "qubit q; bit r; int k = 0; h q; r = measure q; while (r) { k = k + 3; if (k > 4) break; } bit d; "
        "d = bit(k == 6);",
        {"0 0": 0.5, "1 1": 0.5},
    ),
    "division only where it is defined": (
        f"int n = 0; qubit q; bit c; {COIN} if (c) {{ n = 10; }} int m = 5; if (n != 0) {{ m = 10 / n; }} bit d; "
        "d = bit(m == 1); bit e; e = bit(n != 0 && 10 / n == 1);",
        {"0 0 0": 0.5, "1 1 1": 0.5},
    ),
}


@pytest.mark.parametrize(("body", "expected"), DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def test_distribution(run: Run, body: str, expected: Mapping[str, float]) -> None:
    keys = {key.replace(" ", ""): value for key, value in expected.items()}
    counts = {key.replace(" ", ""): count for key, count in run(body, SHOTS).items()}
    assert_counts_match(counts, keys, SHOTS)


def test_counter_may_depend_on_any_number_of_measurements(run: Run) -> None:
    body = f"qubit q; bit c; int n = 0; for int i in [1:20] {{ {COIN} if (c) n += 1; }} bit[2] d; d[0] = bit(n > 10); "
    counts = run(body + "d[1] = bit(n <= 20);", SHOTS)
    above = sum(count for key, count in counts.items() if key.startswith("11"))
    assert_counts_match({"1": above, "0": SHOTS - above}, {"1": 431910 / 2**20, "0": 1 - 431910 / 2**20}, SHOTS)


@pytest.mark.parametrize("seed", long_after(15, range(40)))
def test_random_program_has_the_outcomes_of_its_translation(simulator: Simulator, seed: int) -> None:
    assert_agrees(make_controlled(Random(f"control/{seed}")), simulator)


@pytest.mark.parametrize("seed", long_after(15, range(60)))
def test_random_program_with_branches_that_the_scanner_reads(simulator: Simulator, seed: int) -> None:
    assert check_branching(Random(f"branches/{seed}"), simulator) == "scanner"


@pytest.mark.parametrize("loop", [False, True])
def test_branch_without_qubits_obeys_its_condition(simulator: Simulator, loop: bool) -> None:
    """Aer alone runs it whatever the condition is."""
    circuit = QuantumCircuit(1, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    first, second = circuit.clbits
    condition = expr.logic_and(first, expr.logic_not(second))
    with circuit.while_loop(condition) if loop else circuit.if_test(condition):
        circuit.store(second, True)
    program = Program(lower(plain_of(circuit), 100), (2,), (None,), "importer", 1)
    assert_counts_match(simulator.run(program, SHOTS).counts, {"00": 0.5, "11": 0.5}, SHOTS)
