"""Some real programs have the same distribution as QIR in qirrunner as here; `python -m tests.qir` runs all of them."""

from random import Random

import pytest

from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.qir.check import check, require_same
from tests.qir.programs import library

SHOTS = 200
PROGRAMS = 20


@pytest.mark.filterwarnings("ignore:Cannot synthesize a WeightedSumGate")  # which Qiskit does not export
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the classes of Qiskit's library that functions replace
def test_sample_of_qiskits_library_has_the_same_distributions_in_qirrunner() -> None:
    simulator = Simulator(ExecutionLimits())
    chosen = Random("qir").sample(library(), PROGRAMS)
    outcomes = [outcome for program in chosen for outcome in check(program, simulator, SHOTS)]
    assert [outcome for outcome in outcomes if outcome.result == "different"] == []
    assert sum(outcome.result == "same" for outcome in outcomes) > PROGRAMS


def test_other_distributions_and_registers_are_noticed() -> None:
    ours = {"00": 2000, "11": 2000}
    require_same(ours, {"00": 95, "11": 105})
    with pytest.raises(AssertionError):
        require_same(ours, {"00": 30, "11": 170})
    with pytest.raises(AssertionError, match="registers differ"):
        require_same(ours, {"0 0": 95, "1 1": 105})
