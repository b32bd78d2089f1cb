"""Results of circuits have the headers and numbers of Aer's, and are equal when they are read from stored tasks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from qiskit.circuit import ClassicalRegister, Clbit, QuantumCircuit, QuantumRegister
from qiskit.exceptions import QiskitError
from qiskit_aer import AerSimulator

from ketline.client.convert.qiskit import serialized
from ketline.client.models import Result, Task
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.limits import MAX_METADATA_BYTES
from ketline.domain.status import TaskStatus
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.results.runs import Part, Run, read_run
from ketline.qiskit.results.stored_jobs import documents_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def plain() -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(1, "z"), ClassicalRegister(2, "a"))
    circuit.metadata = {"kind": "plain"}
    return circuit


def shared() -> QuantumCircuit:
    register = ClassicalRegister(3, "c")
    return QuantumCircuit(
        QuantumRegister(3, "q"), register, ClassicalRegister(bits=[register[2], register[0]], name="d")
    )


def loose() -> QuantumCircuit:
    bits = [Clbit(), Clbit()]
    return QuantumCircuit(QuantumRegister(3, "q"), bits, ClassicalRegister(1, "z"))


def empty() -> QuantumCircuit:
    return QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(0, "none"), ClassicalRegister(3, "some"))


def loose_behind() -> QuantumCircuit:
    return QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(1, "z"), [Clbit(), Clbit()])


MAKERS = [plain, shared, loose, loose_behind, empty]


def measured(make: Callable[[], QuantumCircuit]) -> QuantumCircuit:
    circuit = make()
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [1, 2, 0])
    return circuit


def task_of(circuit: QuantumCircuit, shots: int = 5) -> Task:
    """The task of a circuit as a service completes it."""
    sent = serialized(circuit)
    program = load_program(sent.program, ExecutionLimits(), form=ProgramFormat(sent.program_format))
    counts = Simulator(ExecutionLimits()).run(program, shots).counts
    assert counts is not None
    (key,) = counts
    result = Result(task_id=UUID(int=1), points=(counts,), shots=shots, memories=([key] * shots,), seed=3)
    return Task(
        task_id=UUID(int=1),
        status=TaskStatus.COMPLETED,
        submitted_at=NOW,
        completed_at=NOW + timedelta(seconds=1),
        shots=shots,
        correlation_id="",
        result=result,
    )


@pytest.mark.parametrize("make", MAKERS)
def test_result_is_that_of_aer(make: Callable[[], QuantumCircuit]) -> None:
    circuit = measured(make)
    run = Run(shots=5, experiments=[experiment_of(circuit)], parts=[Part(members=[0], swept=False)])
    (ours,) = run.result([task_of(circuit)]).results
    (theirs,) = AerSimulator().run(circuit, shots=5, memory=True).result().results
    assert ours.data.to_dict() == theirs.data.to_dict()
    assert ours.header == {name: theirs.header[name] for name in ours.header}
    assert (ours.shots, ours.success, ours.status) == (theirs.shots, theirs.success, theirs.status)


def test_run_is_read_from_what_its_tasks_store() -> None:
    circuits = [measured(make) for make in MAKERS]
    silent = QuantumCircuit(2, 1, name="silent")
    run = Run(
        shots=10,
        experiments=list(map(experiment_of, [*circuits[:2], silent, *circuits[2:]])),
        parts=[Part(members=[0, 1], swept=True), *(Part(members=[one], swept=False) for one in (3, 4, 5))],
    )
    assert read_run(documents_of("j", replace(run, device="line-27").stored())[1]).device == "line-27"
    assert read_run(documents_of("j", run.stored())[1]) == run


def test_metadata_that_is_too_long_or_no_json_is_not_stored() -> None:
    circuits = [QuantumCircuit(1, 1, metadata={"long": "é" * MAX_METADATA_BYTES}), QuantumCircuit(1, 1)]
    circuits[1].metadata = {"object": object()}
    experiments = list(map(experiment_of, circuits))
    run = Run(shots=1, experiments=experiments, parts=[Part(members=[0, 1], swept=True)])
    read = read_run(documents_of("j", run.stored())[1])
    assert [one.name for one in read.experiments] == [one.name for one in experiments]
    assert [one.metadata for one in read.experiments] == [{}, {}]


def test_jobs_whose_tasks_are_missing_or_say_too_little_are_not_read() -> None:
    registers = [ClassicalRegister(1, f"a register with a long name {number}") for number in range(300)]
    wide = QuantumCircuit(QuantumRegister(1), *registers)
    runs = [
        Run(shots=1, experiments=[experiment_of(circuit)] * 2, parts=[Part(members=[n], swept=False) for n in range(2)])
        for circuit in (wide, plain())
    ]
    with pytest.raises(QiskitError, match="do not say what"):
        documents_of("j", runs[0].stored())
    with pytest.raises(QiskitError, match="Of the 2 tasks of job j only 1"):
        documents_of("j", runs[1].stored()[:1])
    with pytest.raises(QiskitError, match="do not say what"):
        documents_of("j", [{}])


def test_task_that_was_deleted_is_a_failure() -> None:
    run = Run(shots=5, experiments=[experiment_of(plain())], parts=[Part(members=[0], swept=False)])
    result: Any = run.result([None])
    assert not result.success
    with pytest.raises(QiskitError, match="was deleted"):
        result.get_counts()
