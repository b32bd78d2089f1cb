"""The provider: the backends of a service, and its jobs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from qiskit.exceptions import QiskitError
from qiskit.providers import JobStatus

from ketline.client import Client, RequestRefused
from ketline.qiskit.backend import KetlineBackend, KetlineDevice
from ketline.qiskit.job import KetlineJob, KetlinePrimitiveJob, stored_job
from ketline.qiskit.resolve_client import Service
from ketline.qiskit.task_group import job_ids

Job = KetlineJob | KetlinePrimitiveJob


class KetlineProvider:
    """The backends of the service at `url`, or at `KETLINE_URL` without one."""

    def __init__(self, url: str | None = None, *, api_key: str | None = None, client: Client | None = None) -> None:
        self.client = client or Client(url, api_key=api_key)
        self.service = Service(self.client)

    def __repr__(self) -> str:
        return f"<KetlineProvider of {self.client!r}>"

    def backends(self, name: str | None = None) -> list[KetlineBackend]:
        """All backends, or the one of this name: that of the simulators, and a `KetlineDevice` for each device."""
        simulators = KetlineBackend(self)
        if name == simulators.name:
            return [simulators]
        devices = [KetlineDevice(self, entry=entry) for entry in self._devices() if name in (None, entry["name"])]
        return devices if name is not None else [simulators, *devices]

    def get_backend(self, name: str | None = None) -> KetlineBackend:
        """The backend of this name; without a name, that of the simulators.

        Raises:
            QiskitError: no backend has this name.
        """
        if name is None:
            return KetlineBackend(self)
        found = self.backends(name)
        if not found:
            names = ", ".join(repr(each.name) for each in self.backends())
            raise QiskitError(f"There is no backend {name!r}; this service has {names}.")
        return found[0]

    def _devices(self) -> Sequence[Mapping[str, Any]]:
        """The list of devices; older services have none."""
        try:
            return self.client.devices()
        except RequestRefused as error:
            if error.code != "path_not_found":
                raise
            return ()

    def retrieve_job(self, job_id: str) -> Job:
        """The job of the backend or of a primitive with this id, also one that another process submitted.

        Raises:
            QiskitError: there is no such job, tasks of it were deleted, or they do not store what is needed.
            ClientError: the service cannot be reached.
        """
        return stored_job(self.get_backend(), job_id)

    def jobs(
        self,
        limit: int | None = 10,
        *,
        status: JobStatus | Iterable[JobStatus] | None = None,
        tags: Sequence[str] = (),
        name: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        newest_first: bool = True,
    ) -> list[Job]:
        """Up to `limit` stored jobs of the backend and of primitives.

        They have all these tags, this name and one of these statuses, for which the tasks of each job are read. Jobs of
        which tasks were deleted are left out.

        Raises:
            ClientError: the service cannot be reached.
        """
        wanted = None if status is None else {status} if isinstance(status, JobStatus) else set(status)
        listed = job_ids(
            self.client,
            tags,
            name=name,
            submitted_after=created_after,
            submitted_before=created_before,
            order="-submitted_at" if newest_first else "submitted_at",
        )
        backend = self.get_backend()
        return list(islice(_jobs(backend, listed, wanted), limit))


def _jobs(backend: KetlineBackend, ids: Iterable[str], statuses: Collection[JobStatus] | None) -> Iterator[Job]:
    """The jobs with these ids that are complete and have one of these statuses."""
    for job_id in ids:
        try:
            job = stored_job(backend, job_id)
        except QiskitError:
            continue
        if statuses is None or job.status() in statuses:
            yield job
