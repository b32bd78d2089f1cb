"""External backends: a device or a simulator that is not Ketline's, behind an adapter.

Workers call adapters; `ketline.backends` has those that Ketline ships, and exports this interface for others.
`ketline.testing.backends` tests that an adapter keeps these promises.
"""

from collections.abc import Mapping
from typing import Protocol

from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob, ClientToken, RemoteId, RemoteState


class BackendAdapter(Protocol):
    """One backend. Its calls do not block the event loop, run concurrently, and are bounded in time.

    Every call may raise BackendUnavailable (temporary, nothing was changed: try again) or BackendAccessDenied (the
    credentials are missing or rejected). No message, description or `repr` has a credential.
    """

    async def describe(self) -> BackendDescription:
        """Return what the backend runs, and its state; an offline backend is described, not an error if possible."""
        ...

    async def validate(self, job: BackendJob) -> None:
        """Return if the backend can run the job; costs nothing.

        Raises:
            BackendRefused: the backend cannot run it; the message says why, and what would be accepted.
        """
        ...

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        """Submit a job, and return its id at the backend.

        A backend that recognises tokens returns the same job for a repeated token. If the call is cancelled, the
        backend may have the job.

        Raises:
            BackendRefused: the backend rejected the job, and does not have it.
            BackendUnavailable: the request certainly did not reach the backend.
            BackendOutcomeUnknown: the request may have reached it; `reattach` may find the job.
        """
        ...

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        """Return the state of a job.

        Raises:
            BackendJobNotFound: the backend has no such job, or no longer.
        """
        ...

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        """Return the counts of a job that is done; can be repeated. `job` is what was submitted.

        Bitstrings are as in `RunResult`: bit 0 rightmost, a space between registers, the last declared one first.

        Raises:
            BackendJobNotFound: the backend has no such job, or no longer.
            BackendResultInvalid: the backend's result is not one of this job.
        """
        ...

    async def cancel(self, remote_id: RemoteId) -> None:
        """Request that a job be cancelled; does nothing if it has ended. Poll for the effect: it may still be done.

        Raises:
            BackendJobNotFound: the backend has no such job.
        """
        ...

    async def reattach(self, token: ClientToken) -> RemoteId | None:
        """Return the job that was submitted with a token, or None if submitting with this token is safe.

        It is safe if there is certainly no such job and never will be, if the backend recognises tokens, or if the job
        cost nothing and is gone.

        Raises:
            BackendOutcomeUnknown: the backend cannot tell; another submission could run a second time.
        """
        ...

    async def close(self) -> None:
        """Release connections and processes; local jobs end."""
        ...
