"""What can go wrong for a caller of a Ketline service.

ClientError
├── ServiceUnreachable
├── UnexpectedAnswer
├── RequestInvalid
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
    """Anything that keeps a client from its answer; `code` is stable, the message is for people.

    `line` and `column` count from 1 and point into the program, where it is the program's fault and the place is known.
    `attempts` is how often the service was asked.
    """

    code: str = "client_error"
    line: int | None = None
    column: int | None = None
    attempts: int = 1


class ServiceUnreachable(ClientError):
    """No answer came for as long as the client's patience lasts; what was asked for may have been done."""

    code = "service_unreachable"


class UnexpectedAnswer(ClientError):
    """Something answered that is not a Ketline service, or not one that this client knows."""

    code = "unexpected_answer"


class RequestInvalid(ClientError, ValueError):
    """Nothing was sent: what was asked for makes no request, as with a strange key, or the client is closed."""

    code = "request_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """One thing wrong with a request: `pointer` into its JSON body, or the `parameter` of its address."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class RequestRefused(ClientError):
    """The service answered with a problem document (RFC 9457); `status` is the HTTP status."""

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
    """No task has this id, or has it any more."""


class BacklogFull(RequestRefused):
    """As many tasks wait as the operator allows, and did so for as long as the client's patience lasted."""


class NoResult(RequestRefused):
    """The task has not the result that was asked for: it has not ended, or not well, or kept no shots."""


class BatchIncomplete(ClientError):
    """A batch too large for one request was taken in part; `tasks` are those that were, `__cause__` says why no more.

    Submitted again with the same `idempotency_key` those are not made a second time.
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
    """The task was cancelled before it had a result."""


class WaitTimeout(ClientError, TimeoutError):
    """What was waited for had not happened when the caller's time was up; it goes on all the same."""

    code = "wait_timeout"
