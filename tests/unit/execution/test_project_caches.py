"""What a simulator caches of the programs of a project makes no program of another project faster."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import pytest

import ketline.execution
from ketline.domain.access.principals import ProjectName
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from tests.circuits import as_qpy

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
# Statements, operands, constants, names and a barrier that no library nor warm-up has read.
UNUSUAL = f"{HEAD} qubit[3] zq; bit[3] zc; rx( pi/17 ) zq[0]; cx zq[ 0 ],zq[ 2 ]; barrier zq; zc = measure zq;"

# A product of two controls in an ancilla, which is left out: gates under two and three controls remain.
GATES = f"{HEAD} qubit[5] q; bit[3] c; h q[0:3]; ccx q[0], q[1], q[4]; cp(0.3) q[4], q[2]; ccx q[4], q[2], q[3];"
GATES += " ccx q[0], q[1], q[4]; c = measure q[0:2];"


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


def cached_functions() -> Mapping[str, Any]:
    """The functions of the simulators' modules that cache their results for all programs, by their full names."""
    names = [module.name for module in pkgutil.walk_packages(ketline.execution.__path__, "ketline.execution.")]
    return {
        f"{value.__module__}.{value.__name__}": value
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if hasattr(value, "cache_info")
    }


# Of shapes of messages, of what is installed, and of circuits, which are compared by identity.
OF_NO_PROGRAM = {
    "ketline.execution.protocol.fields._field_names",
    "ketline.execution.simulators.states.lightning_state.load_lightning",
    "ketline.execution.simulators.branches.branching.branching_circuit",
    "ketline.execution.simulators.ensembles.methods.require_flow",
}


def test_every_cache_is_cleared_between_projects_or_tells_nothing_of_programs() -> None:
    executor = Executor(ExecutionLimits())
    executor.respond(run(UNUSUAL, OURS))
    executor.respond(run(GATES, OURS))
    found = cached_functions()
    filled = {name for name, one in found.items() if one.cache_info().currsize}
    executor.respond(Request(TaskSpec(circuit="", shots=1), project=THEIRS))
    kept = {name for name, one in found.items() if one.cache_info().currsize}
    assert kept <= OF_NO_PROGRAM
    assert set(found) - OF_NO_PROGRAM <= filled, "the programs of this test fill every cache"


def hits() -> Mapping[str, int]:
    """How often each cache of a function was hit since it was cleared."""
    return {name: one.cache_info().hits for name, one in cached_functions().items() if name not in OF_NO_PROGRAM}


@pytest.mark.parametrize(
    ("program", "command"),
    [(UNUSUAL, Command.RUN), (UNUSUAL, Command.INSPECT), (UNUSUAL, Command.DRAW), (GATES, Command.RUN)],
)
def test_first_reading_is_as_that_of_a_new_simulator(program: str, command: Command) -> None:
    executor = Executor(ExecutionLimits())

    def read(project: ProjectName, comment: str = "") -> Mapping[str, int]:
        executor.respond(run(program + comment, project, command=command))
        return hits()

    first = read(OURS)
    assert read(THEIRS) == first
    again = read(THEIRS, "// another program with the same statements")
    assert sum(again.values()) > 2 * sum(first.values())
