"""The span of an attempt with those of its steps, all made when the attempt is over; `spans.py` begins it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from time import time_ns

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanContext, SpanKind, TraceFlags

from ketline.domain.attempts.claim import Claim
from ketline.domain.results.result import Profile
from ketline.domain.tasks.sweep import number_of_points
from ketline.ports.operations.tracing import Step
from ketline.tracing.contexts import attempt_span_id, parent_context, span_context
from ketline.tracing.recorder import Attributes, Recorder, fail, identity

_NANOSECONDS = 1_000_000_000
# Outcomes after which the task has ended or waits as intended; and a lease ends with a cancelled task.
_REGULAR = frozenset({"completed", "deferred", "returned", "handed_back", "lease_lost"})


class AttemptSpans:
    """The `AttemptTrace` of OpenTelemetry. Its wait is over when it begins; of the rest it only keeps times."""

    def __init__(self, recorder: Recorder, claim: Claim, started: int, message: str | None) -> None:
        self._recorder = recorder
        self._claim = claim
        self._message = message
        self._parent = span_context(claim.trace_context)
        self._claimed = time_ns()
        self._steps: list[tuple[str, int]] = [(Step.CLAIM, started)]
        self._profile: Profile | None = None
        self._ended = False
        if claim.lease.attempt == 1:
            self._record_wait()

    @property
    def log_fields(self) -> Mapping[str, str]:
        return {"trace_id": f"{self._trace_id:032x}"}

    @contextmanager
    def active(self) -> Iterator[None]:
        lease, flags = self._claim.lease, TraceFlags.SAMPLED if self._parent is None else self._parent.trace_flags
        own = SpanContext(
            self._trace_id,
            attempt_span_id(lease.task_id, lease.attempt),
            is_remote=False,
            trace_flags=TraceFlags(flags),
        )
        token = attach(parent_context(own))
        try:
            yield
        finally:
            detach(token)

    def step(self, step: Step) -> None:
        self._steps.append((step, time_ns()))

    def ran(self, profile: Profile) -> None:
        self._profile = profile

    def end(self, outcome: str, *, recorded: bool, code: str | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        end, attempt = time_ns(), self._start(recorded)
        # A trace that is not sampled needs nothing else.
        if not attempt.is_recording():
            return
        attempt.set_attribute("ketline.outcome", outcome)
        if outcome not in _REGULAR:
            fail(attempt, code or outcome)
        elif code is not None:
            attempt.set_attribute("ketline.cause", code)
        for (name, began), (_, ended) in pairwise([*self._steps, ("", end)]):
            self._record_step(attempt.get_span_context(), name, began, ended)
        attempt.end(end)

    @property
    def _trace_id(self) -> int:
        return self._claim.lease.task_id.int if self._parent is None else self._parent.trace_id

    def _start(self, recorded: bool) -> Span:
        lease = self._claim.lease
        spec = self._claim.spec
        points = number_of_points(spec.inputs)
        attributes: Attributes = {
            **self._identity,
            "ketline.attempt": lease.attempt,
            "ketline.worker_id": lease.worker_id,
            "ketline.kind": spec.kind.value,
            "ketline.shots": spec.shots,
            **({} if points is None else {"ketline.points": points}),
            **({} if spec.backend is None else {"ketline.backend": spec.backend}),
            "messaging.operation.type": "process",
        }
        return self._recorder.start(
            "process task",
            self._parent,
            attributes,
            self._steps[0][1],
            kind=SpanKind.CONSUMER,
            links=self._links(),
            # The reaper gives that id to its own span of an attempt whose outcome was not recorded.
            span_id=attempt_span_id(lease.task_id, lease.attempt) if recorded else None,
            trace_id=self._trace_id,
        )

    def _links(self) -> list[SpanContext]:
        """The attempt before this one, and the message that brought the task."""
        lease, links = self._claim.lease, []
        if lease.attempt > 1:
            before = attempt_span_id(lease.task_id, lease.attempt - 1)
            links.append(SpanContext(self._trace_id, before, is_remote=True))
        message = span_context(self._message)
        if message is not None and message != self._parent:
            links.append(message)
        return links

    def _record_wait(self) -> None:
        waited = int(self._claim.queued_seconds * _NANOSECONDS)
        times = (self._claimed - waited, self._claimed)
        self._recorder.record("wait for worker", self._parent, self._identity, times, trace_id=self._trace_id)

    def _record_step(self, attempt: SpanContext, name: str, began: int, ended: int) -> None:
        span = self._recorder.start(name, attempt, self._identity, began)
        if name == Step.RUN and self._profile is not None:
            self._record_program(span.get_span_context(), self._profile, began, ended)
        span.end(ended)

    def _record_program(self, run: SpanContext, profile: Profile, began: int, ended: int) -> None:
        """Records the steps of the simulator by its own times, which end when its response arrives."""
        split = max(began, ended - int(profile.simulating_seconds * _NANOSECONDS))
        read = max(began, split - int(profile.parsing_seconds * _NANOSECONDS))
        simulated: Attributes = {
            **self._identity,
            "ketline.method": profile.method,
            "ketline.qubits": profile.qubits,
            "ketline.depth": profile.depth,
            **({} if profile.engine is None else {"ketline.engine": profile.engine}),
        }
        self._recorder.record("read program", run, self._identity, (read, split))
        if profile.simulating_seconds:
            self._recorder.record("simulate circuit", run, simulated, (split, ended))

    @property
    def _identity(self) -> Attributes:
        return identity(self._claim.lease.task_id, self._claim.correlation_id)
