"""Validation of a program: whether it could run as a task, or why not, without running it.

The route `POST /validate` and the preview of the form call it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import ExecutionFailed, MemoryLimitExceeded, TimeLimitExceeded
from ketline.domain.failures import Failure
from ketline.domain.tasks.inspection import Diagnostic, Inspection, Severity
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.tasks.inspection import Inspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The result of a validation; `inspection` is set when the program could be read."""

    diagnostics: Sequence[Diagnostic]
    inspection: Inspection | None = None

    @property
    def valid(self) -> bool:
        return all(diagnostic.severity is not Severity.ERROR for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class ValidateProgram:
    """Validates programs of `project`; `time_limit` applies to tasks that set no limit."""

    inspector: Inspector
    time_limit: timedelta
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        """Return the service for the programs of another project."""
        return replace(self, project=project)

    async def __call__(self, spec: TaskSpec) -> Validation:
        """Return errors and warnings about a program, as far as they can be found within the inspector's limits.

        Raises:
            InspectorBusy: too many calls wait for the inspector.
            ServiceUnavailable: the inspector does not work now.
        """
        try:
            inspection = await self.inspector.inspect(spec, self.project)
        except ExecutionFailed as error:
            failures = [_inspector_limit(error) or error.failure, *(other.failure for other in error.others)]
            return Validation(diagnostics=list(map(_error, failures)))
        observed = "observable" if spec.options.observables else "measurement"
        limit = spec.time_limit_seconds or self.time_limit.total_seconds()
        return Validation(diagnostics=list(_diagnostics(inspection, limit, observed)), inspection=inspection)


def _inspector_limit(error: ExecutionFailed) -> Failure | None:
    """The error if the inspector reached its limits, which do not apply to tasks; otherwise None."""
    if not isinstance(error, (TimeLimitExceeded, MemoryLimitExceeded)):
        return None
    what = "time" if isinstance(error, TimeLimitExceeded) else "memory"
    message = (
        f"reading the program took more {what} than validation allows; a task may take more, so submit it to find out"
    )
    return Failure(code=error.failure_code, message=message)


def _diagnostics(inspection: Inspection, limit_seconds: float, observed: str) -> Iterator[Diagnostic]:
    if inspection.failure is not None:
        yield _error(inspection.failure)
    for warning in inspection.warnings:
        yield Diagnostic(
            severity=Severity.WARNING,
            code=warning.code,
            message=warning.message,
            line=warning.line,
            column=warning.column,
        )
    if inspection.unused_qubits:
        message = f"no {observed} depends on {inspection.unused_qubits} of the qubits: they are not simulated"
        yield Diagnostic(severity=Severity.WARNING, code="unused_qubits", message=message)
    estimated = inspection.estimated_seconds
    if estimated is not None and estimated > limit_seconds:
        message = f"the program is estimated to take {estimated:g} s, and is stopped after {limit_seconds:g} s"
        yield Diagnostic(severity=Severity.WARNING, code="may_time_out", message=message)


def _error(failure: Failure) -> Diagnostic:
    return Diagnostic(
        severity=Severity.ERROR,
        code=failure.code,
        message=failure.message,
        line=failure.line,
        column=failure.column,
    )
