"""The suite has the circuits that it promises, and each does what its family is known for."""

from collections.abc import Mapping

import pytest

from benchmarks.execution import dynamic, families
from benchmarks.execution.circuits import suite
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

LIMITS = ExecutionLimits()


def counts(text: str, shots: int = 400) -> Mapping[str, int]:
    return Simulator(LIMITS).run(load_program(text, LIMITS), shots).counts


def test_suite_is_fifty_circuits_of_all_sizes() -> None:
    circuits = [read_program(circuit.text, LIMITS).circuit for circuit in suite()]
    gates = [circuit.size() - circuit.count_ops().get("measure", 0) for circuit in circuits]
    assert len(circuits) == 50
    assert {circuit.num_qubits for circuit in circuits} >= {2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20}
    assert max(circuit.num_qubits for circuit in circuits) == 20
    assert (min(gates), max(gates)) == (10, 10_000)


def test_suite_is_the_same_in_every_run() -> None:
    assert suite() == suite()


def test_no_two_circuits_are_the_same() -> None:
    assert len({circuit.text for circuit in suite()}) == 50


def test_w_state_has_one_excitation() -> None:
    found = counts(families.w_state(5), 2000)
    assert set(found) == {"00001", "00010", "00100", "01000", "10000"}
    assert all(300 < count < 500 for count in found.values())


def test_hidden_shift_is_found() -> None:
    assert len(counts(families.hidden_shift(8, 1))) == 1


def test_secret_of_bernstein_and_vazirani_is_found() -> None:
    assert len({key[1:] for key in counts(families.bernstein_vazirani(7, 3))}) == 1


def test_grover_finds_its_item() -> None:
    found = counts(families.grover(4, 2))
    assert max(found.values()) > 0.9 * 400
    assert all(key[:2] == "00" for key in found)


def test_adder_adds() -> None:
    bits = 3
    sums = {
        (_number(key, 1, bits), _number(key, 2 * bits + 1, 1) << bits | _number(key, bits + 1, bits))
        for key in counts(families.adder(bits, 4), 2000)
    }
    (added,) = {first for first, _ in sums}
    assert {total for _, total in sums} == {added + other for other in range(1 << bits)}


def _number(key: str, first: int, bits: int) -> int:
    return int(key, 2) >> first & (1 << bits) - 1


@pytest.mark.parametrize("hops", [1, 2])
def test_state_arrives_by_teleportation(hops: int) -> None:
    sent = sum(count for key, count in counts(dynamic.teleportation(0, 1), 2000).items() if key[0] == "1")
    arrived = sum(count for key, count in counts(dynamic.teleportation(hops, 1), 2000).items() if key[0] == "1")
    assert abs(sent - arrived) < 200  # standard deviations of at most 22 each
    assert 0 < sent < 2000


@pytest.mark.parametrize("counting", [3, 6])
def test_phase_estimation_comes_to_a_narrow_peak(counting: int) -> None:
    assert max(counts(families.phase_estimation(counting, 1), 1000).values()) > 350
