"""Counts of an external backend are checked against the job before they are recorded."""

from collections.abc import Mapping

import pytest

from ketline.backends import BackendJob, BackendResultInvalid, ProgramFormat, Register, check_counts
from ketline.domain.backends.backend_jobs import is_backend_name

TWO_REGISTERS = (Register(bits=2, name="a"), Register(bits=1, name="b"))


def _job(registers: tuple[Register, ...] | None = TWO_REGISTERS) -> BackendJob:
    return BackendJob(program="", format=ProgramFormat.OPENQASM3, shots=10, registers=registers)


def test_counts_of_the_registers_pass() -> None:
    check_counts({"0 11": 4, "1 00": 6}, _job())


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"11 0": 10}, r"'11 0'.*\[1, 2\]"),
        ({"011": 10}, r"'011'.*\[1, 2\]"),
        ({"0x3": 10}, "not a bitstring"),
        ({"": 10}, "not a bitstring"),
        ({"0 11": 9}, "9, not to 10"),
        ({}, "0, not to 10"),
        ({"0 11": -1, "0 10": 11}, "natural number"),
        ({"0 11": 10.0}, "natural number"),
        ({"0 11": True}, "natural number"),
    ],
)
def test_other_counts_are_rejected(counts: Mapping[str, int], reason: str) -> None:
    with pytest.raises(BackendResultInvalid, match=reason):
        check_counts(counts, _job())


def test_without_registers_all_bitstrings_have_the_shape_of_the_first() -> None:
    check_counts({"0 11": 4, "1 00": 6}, _job(None))
    with pytest.raises(BackendResultInvalid, match="'1 0'"):
        check_counts({"0 11": 4, "1 0": 6}, _job(None))


@pytest.mark.parametrize("name", ["a", "7", "fake_manila", "lab-2", "a" * 63])
def test_names_of_backends(name: str) -> None:
    assert is_backend_name(name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a.b", "a b", "a\n", "ä", "a" * 64])
def test_other_names_are_not(name: str) -> None:
    assert not is_backend_name(name)
