"""What Qiskit exports of its circuit library is read by the scanner, and as the importer reads it."""

import pytest

from benchmarks.library import NOT_CIRCUITS, library_names, library_program
from ketline.execution.frontend.scanner import scan
from ketline.execution.limits import ExecutionLimits
from tests.difference.compare import compare

NAMES = library_names()
# Qiskit writes no program, or one that is not valid: numbers with a 'j', a word for a parameter, a gate without qubits.
NOT_EXPORTED = {"WeightedSumGate"}
NOT_VALID = {"GlobalPhaseGate", "Initialize", "PauliGate", "StatePreparation"}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # classes that functions replace


def test_nothing_is_left_out() -> None:
    assert len(NAMES) > 240
    assert not NOT_CIRCUITS.keys() & set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_EXPORTED | NOT_VALID])
def test_exported_circuit_is_read_alike_by_both_tiers(name: str) -> None:
    assert compare(library_program(name)) == "both"


@pytest.mark.parametrize("name", sorted(NOT_VALID))
def test_what_is_not_valid_is_declined(name: str) -> None:
    assert scan(library_program(name), ExecutionLimits()) is None
