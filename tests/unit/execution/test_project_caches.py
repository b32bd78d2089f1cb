"""What a simulator caches of the programs of a project makes no program of another project faster."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from ketline.domain.access import ProjectName
from ketline.domain.spec import ProgramFormat, RunOptions, TaskSpec
from ketline.domain.task import RunResult
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import Command, Request
from tests.circuits import as_qpy

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
# Statements, operands, constants, names and a barrier that no library nor warm-up has read.
UNUSUAL = f"{HEAD} qubit[3] zq; bit[3] zc; rx( pi/17 ) zq[0]; cx zq[ 0 ],zq[ 2 ]; barrier zq; zc = measure zq;"


def run(circuit: str, project: ProjectName, options: RunOptions | None = None, **more: Any) -> Request:
    return Request(TaskSpec(circuit=circuit, shots=10, options=options or RunOptions()), project=project, **more)


class Reads:
    """An executor, and the programs that it has read and not found in its cache."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.executor = Executor(ExecutionLimits(), load=self._load)

    def _load(self, *arguments: Any, **options: Any) -> Program:
        self.programs.append(load_program(*arguments, **options))
        return self.programs[-1]

    def made_by(self, request: Request) -> int:
        before = len(self.programs)
        assert isinstance(self.executor.respond(request).outcome, RunResult)
        return len(self.programs) - before


def qpy() -> str:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    return as_qpy(circuit)


@pytest.mark.parametrize("form", [ProgramFormat.OPENQASM3, ProgramFormat.QPY])
def test_program_is_read_once_for_each_project(form: ProgramFormat) -> None:
    circuit = UNUSUAL if form is ProgramFormat.OPENQASM3 else qpy()
    reads = Reads()
    sent = [OURS, OURS, THEIRS, THEIRS, OURS]
    assert [reads.made_by(run(circuit, project, RunOptions(format=form))) for project in sent] == [1, 0, 1, 0, 0]
    # What the outcomes are drawn from is cached by program.
    assert reads.programs[0] != reads.programs[1]


def hits() -> Mapping[str, int]:
    """How often each cache of a function that reads programs was hit since it was cleared."""
    return {
        f"{name}.{attribute}": value.cache_info().hits
        for name, module in sys.modules.items()
        if name.startswith("ketline.execution.frontend.")
        for attribute, value in vars(module).items()
        if hasattr(value, "cache_info")
    }


@pytest.mark.parametrize("command", [Command.RUN, Command.INSPECT, Command.DRAW])
def test_first_reading_is_as_that_of_a_new_simulator(command: Command) -> None:
    executor = Executor(ExecutionLimits())

    def read(project: ProjectName, comment: str = "") -> Mapping[str, int]:
        executor.respond(run(UNUSUAL + comment, project, command=command))
        return hits()

    first = read(OURS)
    assert read(THEIRS) == first
    again = read(THEIRS, "// another program with the same statements")
    assert sum(again.values()) > 2 * sum(first.values())
