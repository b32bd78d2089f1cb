"""Random programs with branches, as the scanner reads them, with errors: against exact distributions by numpy."""

from random import Random

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.readers import read_with_scanner
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from tests.blocks import long_after
from tests.difference.branching import random_branching
from tests.noise import assert_drawn_from
from tests.noisy_branches import noisy_distribution

LIMITS = ExecutionLimits(memory_bytes=64 << 20)
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}
DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.05, "two_qubit": 0.1}
SHOTS = 1500
METHODS = [Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX]


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


@pytest.mark.parametrize("seed", long_after(12, range(100)))
@pytest.mark.parametrize("noise", [READOUT, DEPOLARIZING], ids=["misread", "depolarized"])
def test_counts_are_drawn_from_the_exact_distribution(executor: Executor, noise: dict[str, object], seed: int) -> None:
    text = random_branching(Random(f"noise/{seed}")).text
    parsed = read_with_scanner(text, LIMITS)
    assert parsed is not None
    options = RunOptions(seed=seed, method=METHODS[seed % len(METHODS)], noise=noise)
    counts = executor.run(Request(TaskSpec(circuit=text, shots=SHOTS, options=options))).counts
    misread = (0.1, 0.2) if noise is READOUT else (0.0, 0.0)
    depolarized = {1: 0.05, 2: 0.1} if noise is DEPOLARIZING else None
    assert_drawn_from(counts, noisy_distribution(parsed.plain.circuit, misread, depolarized))
