"""Pieces of the benchmark that need no service."""

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.deployment import SERVICES
from benchmarks.figures import Figures
from benchmarks.memory import memory_megabytes
from benchmarks.options import PARTS, QUICK, parse
from benchmarks.processes import Account
from benchmarks.programs import layered_rotations
from benchmarks.submit_pause import PROGRAM_BYTES, long_program

STATUS = "Name:\tketline\nVmPeak:\t  300000 kB\nVmHWM:\t  100000 kB\nVmRSS:\t   50000 kB\nThreads:\t7\n"


def test_memory_is_told_in_millions_of_bytes() -> None:
    assert memory_megabytes(STATUS) == (102.4, 51.2)


def test_memory_of_this_process_can_be_read() -> None:
    peak, resident = memory_megabytes(Path("/proc/self/status").read_text())
    assert peak >= resident > 1


def test_account_knows_its_processes() -> None:
    assert Account(os.getpid(), "root").pids() == [os.getpid()]
    assert os.getpid() not in Account(os.getpid(), "below").pids()


def test_long_program_fills_what_it_may() -> None:
    program = long_program(PROGRAM_BYTES, seed=1)
    layer = len(layered_rotations(qubits=8, layers=2, seed=1)) - len(layered_rotations(qubits=8, layers=1, seed=1))
    assert PROGRAM_BYTES - layer < len(program) <= PROGRAM_BYTES


def test_parts_may_be_chosen() -> None:
    assert parse(["scaling", "memory", "--sleep", "0.5"], description=None).parts == ["scaling", "memory"]


def test_every_part_has_figures_and_is_described() -> None:
    figures = {field.name for field in fields(Figures)} - {"machine", "services", "submit_pauses"}
    assert figures == set(PARTS) - set(SERVICES)
    page = (Path(__file__).parents[3] / "docs" / "performance.md").read_text(encoding="utf-8")
    commands = "\n".join(line for line in page.splitlines() if line.startswith("    bash "))
    assert {part for part in PARTS if not re.search(rf"\b{part}\b", commands)} == set()


def test_all_parts_are_run_that_can_be() -> None:
    assert set(PARTS) - set(parse([], description=None).parts) <= {"naive"}


def test_unknown_part_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["scalign"], description=None)
    assert "scalign" in capsys.readouterr().err


def test_naive_part_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["naive"], description=None, naive=lambda: False)
    assert "--group benchmarks" in capsys.readouterr().err


def test_quick_run_is_shorter_in_everything() -> None:
    options, quick = vars(parse([], description=None)), vars(parse(["--quick"], description=None))
    assert all(quick[name] < options[name] for name in QUICK)
