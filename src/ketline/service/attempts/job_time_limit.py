"""The time limit of a job at an external backend; `job_attempt.py` enforces it."""

from math import inf

from ketline.domain.backends.backend_jobs import RemoteId
from ketline.ports.clock import Clock


class JobTimeLimit:
    """How long the job of one attempt may still take; the time counts from the start of the job's submission.

    `seconds` is the limit, None for a job without one.
    """

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._ends_at = inf
        self.seconds = seconds

    def start(self, elapsed_seconds: float = 0.0) -> None:
        """Start the limit for a job whose submission began this many seconds ago."""
        if self.seconds is not None:
            self._ends_at = self._clock.monotonic() + self.seconds - elapsed_seconds

    @property
    def remaining_seconds(self) -> float:
        """The time until the limit, negative after it, and infinite without one."""
        return self._ends_at - self._clock.monotonic()

    @property
    def exceeded(self) -> bool:
        return self.remaining_seconds <= 0

    def exceeded_message(self, remote_id: RemoteId | None, backend: str) -> str:
        """The message of a task that fails at this limit; only for a job with a limit."""
        return (
            f"The job {remote_id} did not end within {self.seconds:.12g} s of its submission, the task's time limit, "
            f"and is cancelled on the backend {backend}. Look there for what became of it, and submit the task again "
            "with a larger timeout_s, or without one."
        )
