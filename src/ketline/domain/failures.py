"""The reasons why tasks end without a result."""

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """The reason why a task ended without a result; the codes are stable and part of the API."""

    PARSE_ERROR = "parse_error"
    INPUT_MISSING = "input_missing"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    QUOTA_EXCEEDED = "quota_exceeded"
    OBSERVABLES_INVALID = "observables_invalid"
    GRADIENT_INVALID = "gradient_invalid"
    NOISE_INVALID = "noise_invalid"
    OUTPUTS_INVALID = "outputs_invalid"
    DEVICE_MISMATCH = "device_mismatch"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    SIMULATION_ERROR = "simulation_error"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    FAILED_BY_ADMINISTRATOR = "failed_by_administrator"
    BACKEND_REFUSED = "backend_refused"
    BACKEND_FAILED = "backend_failed"
    BACKEND_ACCESS_DENIED = "backend_access_denied"
    BACKEND_JOB_NOT_FOUND = "backend_job_not_found"
    BACKEND_RESULT_INVALID = "backend_result_invalid"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why an execution gave no result; line and column count from 1 in the submitted program."""

    code: FailureCode
    message: str
    line: int | None = None
    column: int | None = None
