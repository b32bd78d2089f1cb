"""The family of Ketline's errors; every class has a stable code and says whether a retry can help.

KetlineError
├── TaskNotFound
├── TaskEnded
├── TaskNotPending
├── TaskNotHeld
├── TaskNotEnded
├── TaskWaits
├── TaskRunning
├── IdempotencyKeyReused
├── BacklogFull
├── QuotaExceeded
│   └── QuotaExhausted
├── CredentialsMissing
├── CredentialsInvalid
├── KeyUnknown
├── WorkerUnknown
├── VacuumRunning
├── ProjectUnknown
├── ProjectExists
├── DeviceInvalid
├── DeviceNotFound
├── DeviceReserved
├── TooManyDevices
├── DeliveryNotFound
├── BackupInvalid
├── BackupRefused
├── ConfigurationInvalid
├── QpyInvalid
├── QpyVersionUnsupported
├── MachineBusy
│   ├── NoFreeSlot
│   └── LongProgram
├── ServiceUnavailable
│   ├── InspectorBusy
│   ├── DatabaseUnavailable
│   │   ├── DatabaseAccessDenied
│   │   ├── DatabaseReadOnly
│   │   ├── DatabaseFull
│   │   ├── DatabaseFileLost
│   │   ├── DatabaseNotMigrated
│   │   ├── DatabaseConnectionsExhausted
│   │   └── DatabaseTlsFailed
│   ├── IssuerUnavailable
│   └── QueueUnavailable
│       ├── QueueTlsFailed
│       └── PublishFailed
│           └── QueueFull
├── BackendFailed
│   ├── BackendUnavailable
│   ├── BackendAccessDenied
│   ├── BackendRefused
│   ├── BackendOutcomeUnknown
│   ├── BackendJobNotFound
│   └── BackendResultInvalid
└── ExecutionFailed
    ├── ProgramInvalid
    ├── InputMissing
    ├── ProgramUnsupported
    ├── ProgramTooLarge
    ├── QubitQuotaExceeded
    ├── ObservablesInvalid
    ├── GradientInvalid
    ├── NoiseInvalid
    ├── OutputsInvalid
    ├── DeviceMismatch
    ├── TimeLimitExceeded
    ├── MemoryLimitExceeded
    └── SimulationFailed
        └── SimulatorDied
            └── SimulatorNotStarted
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from ketline.domain.failures import Failure, FailureCode
from ketline.domain.status import TaskStatus

# The most characters of a name from a request that a message repeats.
_MAX_PART_CHARACTERS = 64


class KetlineError(Exception):
    """Any request that Ketline rejects or cannot complete; the message says what happened and what to do."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False


class TaskNotFound(KetlineError):
    code = "task_not_found"


class TaskEnded(KetlineError):
    """The task has reached a terminal status, which never changes."""

    code = "task_ended"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class TaskNotPending(KetlineError):
    """The task has started or ended, so its schedule and priority can no longer change."""

    code = "task_not_pending"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class TaskNotHeld(KetlineError):
    """The task was not submitted to be held, so there is nothing to release."""

    code = "task_not_held"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class TaskNotEnded(KetlineError):
    """The task is pending or being processed, and cannot be deleted."""

    code = "task_not_ended"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class TaskWaits(KetlineError):
    """The task is held, or scheduled for later, so it is not to be queued now."""

    code = "task_waits"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class TaskRunning(KetlineError):
    """The task runs on a worker that is alive, which cannot lose it."""

    code = "task_running"

    def __init__(self, message: str, *, status: TaskStatus) -> None:
        super().__init__(message)
        self.status = status


class IdempotencyKeyReused(KetlineError):
    """The key names another submission."""

    code = "idempotency_key_reused"


class BacklogFull(KetlineError):
    """The number of pending tasks has reached the limit that the operator set."""

    code = "backlog_full"
    retryable = True


class QuotaExceeded(KetlineError):
    """A submission needs more than a quota permits at any time; the message says which, and what it permits.

    `quota` is the name of the quota, `scope` says whose it is, and `used` is what the submission needs.
    """

    code = "quota_exceeded"

    def __init__(self, message: str, *, quota: str, scope: str, used: float, limit: float) -> None:
        super().__init__(message)
        self.quota = quota
        self.scope = scope
        self.used = used
        self.limit = limit


class QuotaExhausted(QuotaExceeded):
    """A quota has no room for a submission now; `used` is what others use of it.

    It is free at `free_at`, which is `retry_after` from now. Both are None where it is free when tasks have ended.
    """

    code = "quota_exhausted"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        quota: str,
        scope: str,
        used: float,
        limit: float,
        free_at: datetime | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, quota=quota, scope=scope, used=used, limit=limit)
        self.free_at = free_at
        self.retry_after = retry_after


class CredentialsMissing(KetlineError):
    """The request has no credentials, and the service serves only those whom it knows."""

    code = "credentials_missing"


class CredentialsInvalid(KetlineError):
    """The credentials are not valid, or no longer are."""

    code = "credentials_invalid"


class KeyUnknown(KetlineError):
    code = "key_unknown"


class WorkerUnknown(KetlineError):
    code = "worker_unknown"


class VacuumRunning(KetlineError):
    """The database is being vacuumed by this process already."""

    code = "vacuum_running"
    retryable = True


class ProjectUnknown(KetlineError):
    code = "project_unknown"


class ProjectExists(KetlineError):
    code = "project_exists"


class DeviceInvalid(KetlineError):
    """JSON does not describe a device: `path` leads to the wrong value, and `detail` says what it must be."""

    code = "device_invalid"

    def __init__(self, path: Sequence[str | int], detail: str) -> None:
        self.path = tuple(_short(part) if isinstance(part, str) else part for part in path)
        self.detail = detail
        super().__init__(f"{'/'.join(map(str, self.path)) or 'the device'} {detail}")


class DeviceNotFound(KetlineError):
    """The project has no device of this name, and none is shipped."""

    code = "device_not_found"


class DeviceReserved(KetlineError):
    """The name belongs to a device that is shipped, or to the simulators."""

    code = "device_reserved"


class TooManyDevices(KetlineError):
    """The project has as many devices as it can have."""

    code = "too_many_devices"


class DeliveryNotFound(KetlineError):
    """No message about this task is or was delivered: it has no callback, or it has not ended."""

    code = "delivery_not_found"
    retryable = False


class BackupInvalid(KetlineError):
    """A file that is to be restored, or was just written, is no whole database of Ketline that this version reads."""

    code = "backup_invalid"


class BackupRefused(KetlineError):
    """A backup or a restore would overwrite something, or has nothing to copy."""

    code = "backup_refused"


class ConfigurationInvalid(KetlineError):
    code = "configuration_invalid"


class QpyInvalid(KetlineError):
    """The `qpy` of a request is not a QPY file of one circuit; the message says what it must be."""

    code = "qpy_invalid"


class QpyVersionUnsupported(KetlineError):
    """The QPY file has a version that this service does not read."""

    code = "qpy_version_unsupported"


class MachineBusy(KetlineError):
    """A large program was not started because another one runs on this machine; retry after `delay`."""

    code = "machine_busy"
    retryable = True

    def __init__(self, message: str, *, delay: timedelta = timedelta()) -> None:
        super().__init__(message)
        self.delay = delay


class NoFreeSlot(MachineBusy):
    """A claimed task was not started because no simulator became free in time."""

    code = "no_free_slot"


class LongProgram(MachineBusy):
    """The short slot does not run a long program; the task waits for another slot."""

    code = "long_program"


class ServiceUnavailable(KetlineError):
    """Something that Ketline depends on does not respond now; the same call may succeed later."""

    code = "service_unavailable"
    retryable = True


class InspectorBusy(ServiceUnavailable):
    """The number of programs that wait for validation or drawing has reached its limit."""

    code = "inspector_busy"


class DatabaseUnavailable(ServiceUnavailable):
    """The database cannot be used now; if the cause is known, the error is a subclass."""

    code = "database_unavailable"


class DatabaseAccessDenied(DatabaseUnavailable):
    """The server rejects the login, has no database of this name, or denies a permission."""

    code = "database_access_denied"


class DatabaseReadOnly(DatabaseUnavailable):
    """The database responds but rejects writes: it is a standby, or set to read-only."""

    code = "database_read_only"


class DatabaseFull(DatabaseUnavailable):
    """The database's disk is full."""

    code = "database_full"


class DatabaseFileLost(DatabaseUnavailable):
    """The file of an embedded database was moved, deleted, replaced or damaged."""

    code = "database_file_lost"


class DatabaseNotMigrated(DatabaseUnavailable):
    """The database does not have the schema of this version."""

    code = "database_not_migrated"


class DatabaseConnectionsExhausted(DatabaseUnavailable):
    """The database's server accepts no more clients."""

    code = "database_connections_exhausted"


class DatabaseTlsFailed(DatabaseUnavailable):
    """The database's certificate is not valid or not trusted, or client and server agree on no TLS."""

    code = "database_tls_failed"


class IssuerUnavailable(ServiceUnavailable):
    """The issuer of tokens does not respond, so that they cannot be verified."""

    code = "issuer_unavailable"


class QueueUnavailable(ServiceUnavailable):
    code = "queue_unavailable"


class QueueTlsFailed(QueueUnavailable):
    """The broker's certificate is not valid or not trusted, or client and broker agree on no TLS."""

    code = "queue_tls_failed"


class PublishFailed(QueueUnavailable):
    """The broker did not confirm a message: unroutable, rejected or timed out. It may still be delivered."""

    code = "publish_failed"


class QueueFull(PublishFailed):
    """A queue has no room for another message now; the other queues may have."""


class BackendFailed(KetlineError):
    """An external backend did not do what was requested; the message comes from its adapter."""

    code = "backend_failed"


class BackendUnavailable(BackendFailed):
    """The backend cannot be reached, is offline or busy; nothing was changed. Retry after `delay`, if it is known."""

    code = "backend_unavailable"
    retryable = True

    def __init__(self, message: str, *, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class BackendAccessDenied(BackendFailed):
    """The credentials of the backend are missing, or it rejects them; an operator must correct them."""

    code = "backend_access_denied"


class BackendRefused(BackendFailed):
    """The backend cannot run the job, now or later."""

    code = "backend_refused"


class BackendOutcomeUnknown(BackendFailed):
    """A request may have reached the backend or not: a repetition could run, and cost, twice."""

    code = "outcome_unknown"


class BackendJobNotFound(BackendFailed):
    """The backend has no job of this id; it may have been deleted, or ended with its worker."""

    code = "backend_job_not_found"


class BackendResultInvalid(BackendFailed):
    """The result of a backend is not one of the job: wrong bitstrings, or not as many shots."""

    code = "backend_result_invalid"


class ExecutionFailed(KetlineError):
    """A program gave no result. `line` and `column` count from 1 where they are known.

    `others` are further mistakes of the same program, in the order of its text.
    """

    failure_code: ClassVar[FailureCode] = FailureCode.SIMULATION_ERROR

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.others: tuple[ExecutionFailed, ...] = ()

    @property
    def failure(self) -> Failure:
        """The error as it is stored with the task."""
        return Failure(code=self.failure_code, message=self.message, line=self.line, column=self.column)


class ProgramInvalid(ExecutionFailed):
    """The text is not a valid program of its language."""

    code = failure_code = FailureCode.PARSE_ERROR


class InputMissing(ExecutionFailed):
    """The task has no value for a declared `input`; the message has its name and type."""

    code = failure_code = FailureCode.INPUT_MISSING


class ProgramUnsupported(ExecutionFailed):
    """The program is valid, or may be, but uses a feature that Ketline cannot run."""

    code = failure_code = FailureCode.UNSUPPORTED


class ProgramTooLarge(ExecutionFailed):
    """Running the program would exceed the operator's limits; detected before memory is allocated."""

    code = failure_code = FailureCode.TOO_LARGE


class QubitQuotaExceeded(ExecutionFailed):
    """The program declares more qubits than a quota permits; detected when it was read, before it ran."""

    code = failure_code = FailureCode.QUOTA_EXCEEDED


class ObservablesInvalid(ExecutionFailed):
    """The observables do not fit the circuit."""

    code = failure_code = FailureCode.OBSERVABLES_INVALID


class GradientInvalid(ExecutionFailed):
    """The program has no such gradient: an input is none of real numbers, or decides what the program does."""

    code = failure_code = FailureCode.GRADIENT_INVALID


class NoiseInvalid(ExecutionFailed):
    """The noise is no physical model, or does not fit the gates that it names."""

    code = failure_code = FailureCode.NOISE_INVALID


class OutputsInvalid(ExecutionFailed):
    """The circuit has no such outputs: it has fewer qubits, no such place, or no single state."""

    code = failure_code = FailureCode.OUTPUTS_INVALID


class DeviceMismatch(ExecutionFailed):
    """The program does not fit the task's device: it has too many qubits, or an operation that the device lacks."""

    code = failure_code = FailureCode.DEVICE_MISMATCH


class TimeLimitExceeded(ExecutionFailed):
    code = failure_code = FailureCode.TIMEOUT


class MemoryLimitExceeded(ExecutionFailed):
    code = failure_code = FailureCode.MEMORY_LIMIT


class SimulationFailed(ExecutionFailed):
    """The simulator rejected the circuit or failed while running it."""

    code = failure_code = FailureCode.SIMULATION_ERROR


class SimulatorDied(SimulationFailed):
    """The simulator process ended in the middle of a program, because of the program or not."""

    retryable = True


class SimulatorNotStarted(SimulatorDied):
    """There is no simulator process, and none could be started; no program has begun.

    A task is handed back for that `cause`, and never fails.
    """

    cause: ClassVar[str] = "simulator_not_started"


def _short(name: str) -> str:
    """A name from a request as messages repeat it."""
    shown = name[:_MAX_PART_CHARACTERS]
    return shown if shown.isprintable() else ascii(shown)
