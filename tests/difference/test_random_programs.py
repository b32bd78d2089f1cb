"""Random programs, the same in every run: the front ends, the simulators and the evaluator agree on each.

`python -m tests.difference` checks more of them, others each day.
"""

import pytest

from tests.blocks import long_after, numbers
from tests.difference.volume import judge

BLOCK = 250
MIXED_BLOCK = 100
OPENQASM2_BLOCK = 100


@pytest.mark.parametrize("block", long_after(1, range(16)))
def test_front_ends_agree_with_the_reference(block: int) -> None:
    verdicts = [judge("ci", number) for number in numbers(block, BLOCK)]
    assert [verdict.complaint for verdict in verdicts if verdict.complaint] == []


@pytest.mark.parametrize("block", long_after(1, range(4)))
def test_front_ends_give_what_the_evaluator_says(block: int) -> None:
    verdicts = [judge("ci", number, "mixed") for number in numbers(block, MIXED_BLOCK)]
    assert [verdict.complaint for verdict in verdicts if verdict.complaint] == []
    taken = {name for verdict in verdicts for name in verdict.outcome.split("+")}
    assert taken >= {"scanner", "importer", "unroller", "qpy"}


@pytest.mark.parametrize("block", long_after(1, range(10)))
def test_openqasm2_means_what_qiskit_and_numpy_say(block: int) -> None:
    verdicts = [judge("ci", number, "openqasm2") for number in numbers(block, OPENQASM2_BLOCK)]
    assert [verdict.complaint for verdict in verdicts if verdict.complaint] == []
    assert {verdict.outcome for verdict in verdicts} == {"as Qiskit", "own meanings"}
