"""Check a program without running it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ketline.domain.errors import ExecutionFailed, MemoryLimitExceeded, TimeLimitExceeded
from ketline.domain.inspection import Diagnostic, Inspection, Severity
from ketline.domain.spec import TaskSpec
from ketline.domain.task import Failure
from ketline.ports.inspection import Inspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Whether a task of this program could be run, and why not; `inspection` where the program could be read."""

    diagnostics: Sequence[Diagnostic]
    inspection: Inspection | None = None

    @property
    def valid(self) -> bool:
        return all(diagnostic.severity is not Severity.ERROR for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class ValidateProgram:
    """Has programs inspected; `time_limit` is what a task gets that asks for none."""

    inspector: Inspector
    time_limit: timedelta

    async def __call__(self, spec: TaskSpec) -> Validation:
        """Return what can be said of a program in the time that inspecting may take.

        Raises:
            InspectorBusy: too many others ask.
            ServiceUnavailable: programs cannot be inspected now.
        """
        try:
            inspection = await self.inspector.inspect(spec)
        except ExecutionFailed as error:
            failures = [_undecided(error) or error.failure, *(other.failure for other in error.others)]
            return Validation(diagnostics=list(map(_error, failures)))
        looked_at = "observable" if spec.options.observables else "measurement"
        limit = spec.time_limit_seconds or self.time_limit.total_seconds()
        return Validation(diagnostics=list(_remarks(inspection, limit, looked_at)), inspection=inspection)


def _undecided(error: ExecutionFailed) -> Failure | None:
    """What is said where the program was stopped by limits that are those of inspecting, not of a task."""
    if not isinstance(error, (TimeLimitExceeded, MemoryLimitExceeded)):
        return None
    what = "time" if isinstance(error, TimeLimitExceeded) else "memory"
    message = (
        f"reading the program took more {what} than validation may; a task may take more, so submit it to find out"
    )
    return Failure(code=error.failure_code, message=message)


def _remarks(inspection: Inspection, limit_seconds: float, looked_at: str) -> Iterator[Diagnostic]:
    if inspection.refusal is not None:
        yield _error(inspection.refusal)
    for one in inspection.warnings:
        yield Diagnostic(
            severity=Severity.WARNING, code=one.code, message=one.message, line=one.line, column=one.column
        )
    if inspection.unused_qubits:
        message = f"no {looked_at} depends on {inspection.unused_qubits} of the qubits: they are not simulated"
        yield Diagnostic(severity=Severity.WARNING, code="unused_qubits", message=message)
    estimated = inspection.estimated_seconds
    if estimated is not None and estimated > limit_seconds:
        message = f"it will take about {estimated:g} s, by estimate, and be stopped after {limit_seconds:g} s"
        yield Diagnostic(severity=Severity.WARNING, code="may_time_out", message=message)


def _error(failure: Failure) -> Diagnostic:
    return Diagnostic(
        severity=Severity.ERROR,
        code=failure.code,
        message=failure.message,
        line=failure.line,
        column=failure.column,
    )
