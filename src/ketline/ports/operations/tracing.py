"""Traces: what happened to requests and tasks, and when, as spans for the collector of the operator.

No call blocks or raises. Times are nanoseconds since 1970. `traceparent` is the header of W3C Trace Context.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

from ketline.domain.attempts.claim import Claim, Dispatch, Reaped
from ketline.domain.results.result import Profile
from ketline.domain.tasks.submission import Accepted, Submission


class Step(StrEnum):
    """A part of an attempt, which gets a separate span."""

    CLAIM = "claim task"
    RUN = "run program"
    SUBMIT_JOB = "submit job"
    FOLLOW_JOB = "follow job"
    RECORD = "record outcome"


class RequestTrace(Protocol):
    """The span of one HTTP request."""

    @property
    def traceparent(self) -> str | None:
        """The trace context to store with tasks of this request; None without tracing."""
        ...

    @property
    def log_fields(self) -> Mapping[str, str]:
        """What the log lines of the request get: the id of its trace, if it is recorded."""
        ...

    def about(self, task_id: str) -> None:
        """Record that the request is about this task."""
        ...

    def end(self, route: str | None, status: int | None, problem: str | None = None) -> None:
        """The response is complete, or the connection is lost; `route` is the template of the route, if one matched."""
        ...


class PublicationTrace(Protocol):
    """The span of one message on its way into a queue."""

    @property
    def dispatch(self) -> Dispatch:
        """The message to publish; its trace context is that of this span."""
        ...

    def end(self, error: str | None = None) -> None:
        """The queue has confirmed the message, or has not."""
        ...


class AttemptTrace(Protocol):
    """The span of one attempt of a task, from the claim to the recorded outcome."""

    @property
    def log_fields(self) -> Mapping[str, str]:
        """What the log lines of the attempt get: the id of its trace, if it is recorded."""
        ...

    def active(self) -> AbstractContextManager[None]:
        """Make the attempt the current span of OpenTelemetry, for libraries that propagate its context."""
        ...

    def step(self, step: Step) -> None:
        """End the current step of the attempt, and begin the next one."""
        ...

    def ran(self, profile: Profile) -> None:
        """The program has run; the times of its parts are in the profile."""
        ...

    def end(self, outcome: str, *, recorded: bool, code: str | None = None) -> None:
        """The attempt is over; calls after the first have no effect.

        `recorded` says whether the outcome is in the database. If it is not, the reaper ends the attempt there.
        """
        ...


class Tracing(Protocol):
    """Records requests, messages and attempts as spans."""

    def now(self) -> int:
        """The current time, to pass to a later call; 0 without tracing."""
        ...

    def request(self, method: str, headers: Mapping[str, str], correlation_id: str) -> RequestTrace:
        """A request has arrived; its `traceparent` and `tracestate` are ignored if they are malformed."""
        ...

    def stored(self, submissions: Sequence[Submission], accepted: Sequence[Accepted], started: int) -> None:
        """The tasks of one request were committed."""
        ...

    def publication(self, dispatch: Dispatch) -> PublicationTrace:
        """A message is about to be published."""
        ...

    def attempt(self, claim: Claim, started: int, message: str | None = None) -> AttemptTrace:
        """A task was claimed; `started` is the time before the claim, `message` the `traceparent` of its message."""
        ...

    def reaped(self, task: Reaped) -> None:
        """An attempt was ended because its worker was lost."""
        ...


class NoRequestTrace:
    traceparent: str | None = None
    log_fields: Mapping[str, str] = {}

    def about(self, task_id: str) -> None:
        pass

    def end(self, route: str | None, status: int | None, problem: str | None = None) -> None:
        pass


class NoPublicationTrace:
    __slots__ = ("dispatch",)

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch

    def end(self, error: str | None = None) -> None:
        pass


class NoAttemptTrace:
    log_fields: Mapping[str, str] = {}

    def active(self) -> AbstractContextManager[None]:
        return nullcontext()

    def step(self, step: Step) -> None:
        pass

    def ran(self, profile: Profile) -> None:
        pass

    def end(self, outcome: str, *, recorded: bool, code: str | None = None) -> None:
        pass


class NoTracing:
    """The `Tracing` of a service without a collector."""

    _request = NoRequestTrace()
    _attempt = NoAttemptTrace()

    def now(self) -> int:
        return 0

    def request(self, method: str, headers: Mapping[str, str], correlation_id: str) -> RequestTrace:
        return self._request

    def stored(self, submissions: Sequence[Submission], accepted: Sequence[Accepted], started: int) -> None:
        pass

    def publication(self, dispatch: Dispatch) -> PublicationTrace:
        return NoPublicationTrace(dispatch)

    def attempt(self, claim: Claim, started: int, message: str | None = None) -> AttemptTrace:
        return self._attempt

    def reaped(self, task: Reaped) -> None:
        pass


NO_TRACING = NoTracing()
NO_REQUEST, NO_ATTEMPT = NoRequestTrace(), NoAttemptTrace()
