"""A Qiskit provider that keeps its jobs, as a vendor's does: another process reads them by `retrieve_job`."""

import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

from qiskit.providers import JobStatus, JobV1
from qiskit.providers.fake_provider import GenericBackendV2


class KeptJob(JobV1):  # type: ignore[misc]
    """A job whose result is a file; the first of a backend is queued when its status is read first."""

    def __init__(self, backend: Any, job_id: str, file: Path) -> None:
        super().__init__(backend, job_id)
        self._file = file

    def submit(self) -> None:
        """Do nothing: it is submitted when it is made."""

    def status(self) -> JobStatus:
        read = self._file.with_name("read")
        if not read.exists():
            read.touch()
            return JobStatus.QUEUED
        return JobStatus.DONE

    def result(self) -> Any:
        return pickle.loads(self._file.read_bytes())

    def cancel(self) -> bool:
        return False


class KeepingBackend(GenericBackendV2):  # type: ignore[misc]
    """A backend whose jobs are in `directory`."""

    def __init__(self, directory: str, num_qubits: int) -> None:
        super().__init__(num_qubits, noise_info=False, seed=1)
        self._directory = Path(directory)

    def run(self, run_input: Any, **options: Any) -> KeptJob:
        job_id = uuid4().hex
        file = self._directory / job_id
        file.write_bytes(pickle.dumps(super().run(run_input, **options).result()))
        return KeptJob(self, job_id, file)

    def retrieve_job(self, job_id: str) -> KeptJob:
        file = self._directory / job_id
        if not file.exists():
            raise KeyError(job_id)
        return KeptJob(self, job_id, file)
