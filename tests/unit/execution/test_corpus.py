"""The specification's own examples run, but for those that cannot have a meaning here."""

import pytest

from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.corpus import FAULTY, has_meaning, reading_of, specification_examples

EXAMPLES = specification_examples()


@pytest.mark.parametrize("name", [name for name, text in EXAMPLES.items() if has_meaning(text)])
def test_example_with_a_meaning_runs_unless_it_is_faulty(name: str) -> None:
    assert reading_of(name, EXAMPLES[name]).runs is (name not in FAULTY)


@pytest.mark.parametrize("name", [name for name, text in EXAMPLES.items() if not has_meaning(text)])
def test_example_without_a_meaning_is_rejected_by_name(name: str) -> None:
    assert "(unsupported)" in reading_of(name, EXAMPLES[name]).reason


def test_adder_adds(simulator: Simulator) -> None:
    assert simulator.run(load_program(EXAMPLES["adder.qasm"], ExecutionLimits()), 20)[0] == {"10000": 20}


def test_error_is_corrected(simulator: Simulator) -> None:
    assert simulator.run(load_program(EXAMPLES["qec.qasm"], ExecutionLimits()), 20)[0] == {"01 000": 20}


def test_inverse_transform_undoes_hadamards(simulator: Simulator) -> None:
    for name in ("inverseqft1.qasm", "inverseqft2.qasm"):
        assert set(simulator.run(load_program(EXAMPLES[name], ExecutionLimits()), 20)[0]) == {"0000"}
