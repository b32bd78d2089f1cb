"""The exceptions of the client.

ClientError
├── ServiceUnreachable
│   └── CertificateInvalid
├── UnexpectedAnswer
├── RequestInvalid
├── CircuitNotConvertible
├── LibraryMissing
├── RequestRefused
│   ├── TaskNotFound
│   ├── BacklogFull
│   └── NoResult
├── BatchIncomplete
├── TaskFailed
│   └── TaskCancelled
└── WaitTimeout
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID


class ClientError(Exception):
    """The root of the client's exceptions; `code` is stable, the message is for people.

    `line` and `column` count from 1 and point into the program, if the program is wrong and the position is known.
    `attempts` is how many times the request was sent.
    """

    code: str = "client_error"
    line: int | None = None
    column: int | None = None
    attempts: int = 1


class ServiceUnreachable(ClientError):
    """No response arrived while the client retried; the service may still have processed the request."""

    code = "service_unreachable"


class CertificateInvalid(ServiceUnreachable):
    """Nothing was sent, because the certificate of the service has expired, is another host's, or is not trusted."""

    code = "certificate_invalid"


class UnexpectedAnswer(ClientError):
    """The response does not come from a Ketline service, or from one of an unknown version."""

    code = "unexpected_answer"


class RequestInvalid(ClientError, ValueError):
    """Nothing was sent, because an argument cannot be sent (an invalid key, for example) or the client is closed."""

    code = "request_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """An error in one field of a request: `pointer` into its JSON body, or the query `parameter`."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class RequestRefused(ClientError):
    """The service rejected the request with a problem document (RFC 9457); `status` is the HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        correlation_id: str | None = None,
        faults: Sequence[FieldFault] = (),
        task_status: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.correlation_id = correlation_id
        self.faults = tuple(faults)
        self.task_status = task_status
        self.line = line
        self.column = column


class TaskNotFound(RequestRefused):
    """No task has this id; it may have been deleted."""


class BacklogFull(RequestRefused):
    """The number of pending tasks was at the operator's limit for as long as the client retried."""


class NoResult(RequestRefused):
    """The task does not have the requested result: it has not completed, or was run without `memory`."""


class BatchIncomplete(ClientError):
    """A batch of several requests was stored only in part; `tasks` are the stored ones, `__cause__` is the error.

    Submitting the batch again with the same `idempotency_key` does not store them a second time.
    """

    code = "batch_incomplete"

    def __init__(self, message: str, *, tasks: Sequence[Any]) -> None:
        super().__init__(message)
        self.tasks = tuple(tasks)


class TaskFailed(ClientError):
    """The task ended without a result; `code`, `line` and `column` are those of its error."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        task_id: UUID,
        reason: str,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.task_id = task_id
        self.reason = reason
        self.line = line
        self.column = column


class TaskCancelled(TaskFailed):
    """The task was cancelled, so it has no result."""


class WaitTimeout(ClientError, TimeoutError):
    """The caller's timeout ended before the task did; the task continues."""

    code = "wait_timeout"


class CircuitNotConvertible(ClientError, ValueError):
    """A circuit of another library has a part that no program of the service describes; the message names it."""

    code = "circuit_not_convertible"


class LibraryMissing(ClientError, ImportError):
    """The library whose circuits are to be converted is not installed; the message says how to install it."""

    code = "library_missing"
