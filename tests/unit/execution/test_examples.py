"""The shipped examples give what theory says, read and simulated in this process."""

import pytest

from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.reference import EXAMPLES, EXPECTED, assert_counts_match


@pytest.mark.parametrize("name", EXPECTED)
def test_example(simulator: Simulator, name: str) -> None:
    program = load_program((EXAMPLES / name).read_text(), ExecutionLimits())
    counts = simulator.run(program, 4096).counts
    assert_counts_match(counts, EXPECTED[name], 4096)
