"""The protocols of devices: blocking calls, in a process that the adapter may kill at any time.

`host.py` calls a device; `LocalAdapter` and `RemoteAdapter` send it the calls.
"""

from collections.abc import Mapping
from typing import Protocol

from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob, RemoteState


class LocalDevice(Protocol):
    """A simulator that runs in this process; see `LocalAdapter`."""

    def describe(self) -> BackendDescription: ...

    def validate(self, job: BackendJob) -> None:
        """Return if the device can run the job.

        Raises:
            BackendRefused: it cannot; the message says why.
        """
        ...

    def run(self, job: BackendJob) -> Mapping[str, int]:
        """Run a job, and return its counts; bitstrings are as in `RunResult`.

        Raises:
            BackendFailed: the run failed; the message says why.
        """
        ...


class RemoteDevice(Protocol):
    """A client of a backend that keeps jobs itself; see `RemoteAdapter`.

    The calls promise what those of `BackendAdapter` of the same name do.
    """

    def describe(self) -> BackendDescription: ...

    def validate(self, job: BackendJob) -> None: ...

    def submit(self, job: BackendJob, token: str) -> str: ...

    def poll(self, remote_id: str) -> RemoteState: ...

    def result(self, remote_id: str, job: BackendJob) -> Mapping[str, int]: ...

    def cancel(self, remote_id: str) -> None: ...

    def reattach(self, token: str) -> str | None: ...
