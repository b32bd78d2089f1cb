"""Programs run in the test process: reading and simulating, without a child."""

from collections.abc import Callable, Mapping

import pytest

from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

Run = Callable[..., Mapping[str, int]]


@pytest.fixture(scope="session")
def simulator() -> Simulator:
    return Simulator(ExecutionLimits())


@pytest.fixture
def run(simulator: Simulator) -> Run:
    """Counts of a program, given without its header."""

    def run(body: str, shots: int = 100) -> Mapping[str, int]:
        text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\n{body}'
        return simulator.run(load_program(text, ExecutionLimits()), shots)[0]

    return run
