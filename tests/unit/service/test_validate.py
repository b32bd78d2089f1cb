"""The diagnostics of programs that could, or could not, be inspected."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ketline.domain.errors import (
    ExecutionFailed,
    InspectorBusy,
    MemoryLimitExceeded,
    ProgramInvalid,
    ProgramTooLarge,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.results.result import ProgramWarning, WarningCode
from ketline.domain.tasks.inspection import Severity
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.service.inspection.validation import ValidateProgram, Validation
from tests.inspectors import INSPECTION, FakeInspector

SPEC = TaskSpec(circuit="qubit q;", shots=10)


async def validated(inspector: FakeInspector, time_limit: timedelta | None = None) -> Validation:
    seconds = None if time_limit is None else time_limit.total_seconds()
    return await ValidateProgram(inspector, timedelta(seconds=90))(replace(SPEC, time_limit_seconds=seconds))


async def test_program_that_can_be_run_is_valid() -> None:
    validation = await validated(FakeInspector())
    assert (validation.valid, validation.diagnostics, validation.inspection) == (True, [], INSPECTION)


async def test_error_has_its_line_and_column() -> None:
    inspector = FakeInspector()
    inspector.error = ProgramInvalid("gate 'foo' is not defined", line=3, column=1)
    validation = await validated(inspector)
    (diagnostic,) = validation.diagnostics
    assert (validation.valid, validation.inspection) == (False, None)
    assert (diagnostic.severity, diagnostic.code) == (Severity.ERROR, "parse_error")
    assert (diagnostic.message, diagnostic.line, diagnostic.column) == ("gate 'foo' is not defined", 3, 1)


async def test_all_mistakes_of_a_program_are_errors() -> None:
    inspector = FakeInspector()
    inspector.error = ProgramInvalid("one", line=3, column=1)
    inspector.error.others = (ProgramTooLarge("another", line=4, column=2),)
    validation = await validated(inspector)
    assert not validation.valid
    assert [(one.code, one.message, one.line, one.column) for one in validation.diagnostics] == [
        ("parse_error", "one", 3, 1),
        ("too_large", "another", 4, 2),
    ]


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (TimeLimitExceeded("stopped after 10 s"), "timeout", "more time than validation allows"),
        (MemoryLimitExceeded("more than 999999 MiB"), "memory_limit", "more memory than validation allows"),
        (SimulationFailed("the importer failed"), "simulation_error", "importer"),
    ],
)
async def test_program_that_could_not_be_inspected_is_invalid(error: ExecutionFailed, code: str, word: str) -> None:
    inspector = FakeInspector()
    inspector.error = error
    validation = await validated(inspector)
    assert not validation.valid
    assert validation.diagnostics[0].code == code
    assert word in validation.diagnostics[0].message
    assert "999999" not in validation.diagnostics[0].message


async def test_program_that_cannot_be_simulated_is_an_error_with_its_inspection() -> None:
    inspector = FakeInspector()
    failure = ProgramTooLarge("simulating 40 qubits takes 16 TiB of memory; the limit is 1024 MiB").failure
    inspector.inspection = replace(INSPECTION, method=None, method_reason=None, failure=failure)
    validation = await validated(inspector)
    assert not validation.valid
    assert validation.diagnostics[0].code == "too_large"
    assert validation.inspection is inspector.inspection


async def test_warnings_about_the_program_leave_it_valid() -> None:
    inspector = FakeInspector()
    warning = ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message="ignored", line=3, column=1)
    inspector.inspection = replace(INSPECTION, warnings=(warning,))
    validation = await validated(inspector)
    (diagnostic,) = validation.diagnostics
    assert validation.valid
    assert (diagnostic.severity, diagnostic.code, diagnostic.message) == (Severity.WARNING, "pragma_ignored", "ignored")
    assert (diagnostic.line, diagnostic.column) == (3, 1)


async def test_unused_qubits_are_a_warning() -> None:
    inspector = FakeInspector()
    inspector.inspection = replace(INSPECTION, unused_qubits=3)
    validation = await validated(inspector)
    (diagnostic,) = validation.diagnostics
    assert validation.valid
    assert (diagnostic.severity, diagnostic.code) == (Severity.WARNING, "unused_qubits")
    assert "3 of the qubits" in diagnostic.message


async def test_qubits_that_no_observable_depends_on_are_a_warning() -> None:
    inspector = FakeInspector()
    inspector.inspection = replace(INSPECTION, unused_qubits=1)
    options = RunOptions(observables=({"ZI": 1.0},))
    validation = await ValidateProgram(inspector, timedelta(seconds=90))(replace(SPEC, options=options))
    assert validation.diagnostics[0].message.startswith("no observable depends on 1 of the qubits")


@pytest.mark.parametrize(("limit", "warned"), [(None, False), (timedelta(seconds=9), True), (timedelta(10), False)])
async def test_time_over_the_limit_of_the_task_is_a_warning(limit: timedelta | None, warned: bool) -> None:
    inspector = FakeInspector()
    inspector.inspection = replace(INSPECTION, estimated_seconds=20.0)
    validation = await validated(inspector, limit)
    assert validation.valid
    assert [diagnostic.code for diagnostic in validation.diagnostics] == ["may_time_out"] * warned


async def test_busy_inspector_raises() -> None:
    inspector = FakeInspector()
    inspector.error = InspectorBusy("8 calls wait")
    with pytest.raises(InspectorBusy):
        await validated(inspector)
