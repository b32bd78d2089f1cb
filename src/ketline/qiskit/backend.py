"""The provider and the backend: run Qiskit circuits on a service with `backend.run`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2, JobStatus

from ketline.client import Client, ClientError
from ketline.qiskit.job import KetlineJob, KetlinePrimitiveJob, stored_job
from ketline.qiskit.options import default_run_options, known_options, require_supported, run_options
from ketline.qiskit.requests import bound_circuits, run_of
from ketline.qiskit.resolve_client import Service, service_of
from ketline.qiskit.target import target_of
from ketline.qiskit.task_group import job_ids, submitted

Job = KetlineJob | KetlinePrimitiveJob


class KetlineProvider:
    """The backends of the service at `url`, or at `KETLINE_URL` without one."""

    def __init__(self, url: str | None = None, *, api_key: str | None = None, client: Client | None = None) -> None:
        self.client = client or Client(url, api_key=api_key)
        self.service = Service(self.client)

    def __repr__(self) -> str:
        return f"<KetlineProvider of {self.client!r}>"

    def backends(self, name: str | None = None) -> list["KetlineBackend"]:
        """All backends, or the one of this name."""
        backend = KetlineBackend(self)
        return [backend] if name in (None, backend.name) else []

    def get_backend(self, name: str | None = None) -> "KetlineBackend":
        """The backend of this name; without a name, the only one.

        Raises:
            QiskitError: no backend has this name.
        """
        found = self.backends(name)
        if not found:
            raise QiskitError(f"There is no backend {name!r}; this service has {KetlineBackend(self).name!r}.")
        return found[0]

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


def _jobs(backend: "KetlineBackend", ids: Iterable[str], statuses: Collection[JobStatus] | None) -> Iterator[Job]:
    """The jobs with these ids that are complete and have one of these statuses."""
    for job_id in ids:
        try:
            job = stored_job(backend, job_id)
        except QiskitError:
            continue
        if statuses is None or job.status() in statuses:
            yield job


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """Whether the service responds and has workers, and how many tasks wait."""

    backend_name: str
    backend_version: str | None
    operational: bool
    pending_jobs: int
    status_msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfiguration:
    """What the backend is, in the words of Qiskit's earlier backends."""

    backend_name: str
    backend_version: str | None
    description: str
    n_qubits: int
    basis_gates: Sequence[str]
    max_shots: int | None = None
    max_experiments: int | None = None
    coupling_map: Sequence[Sequence[int]] | None = None
    simulator: bool = True
    local: bool = False
    conditional: bool = True
    memory: bool = True
    open_pulse: bool = False
    supported_instructions: Sequence[str] = field(default_factory=tuple)

    @property
    def num_qubits(self) -> int:
        return self.n_qubits

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class KetlineBackend(BackendV2):  # type: ignore[misc]
    """Ideal simulation by a service. It has no coupling map: transpilation only changes unsupported operations.

    `service` is a provider, a client or the URL of a service. A copy shares the client, so closing that of one closes
    it for all.
    """

    def __init__(self, service: Any = None, **options: Any) -> None:
        self.service: Service = service_of(service)
        self.client: Client = self.service.client
        described = self.service.description
        require_supported(options)
        super().__init__(
            provider=service if isinstance(service, KetlineProvider) else None,
            name=described["name"],
            description=described["description"],
            backend_version=described["versions"].get("ketline"),
            **options,
        )
        run_options(dict(self.options))
        self._target = target_of(described)

    @property
    def target(self) -> Any:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return None

    @classmethod
    def _default_options(cls) -> Any:
        return default_run_options()

    def set_options(self, **fields: Any) -> None:
        """Set options of all further runs.

        Raises:
            AttributeError: an option does not exist.
            QiskitError: the value of an option is not possible, or it is one of AerSimulator that a service has not.
        """
        require_supported(fields)
        known = dict(self.options)
        if fields.keys() <= known.keys():
            run_options({**known, **fields})
        super().set_options(**fields)

    def run(
        self, run_input: Any, *, parameter_binds: Sequence[Mapping[Any, Any]] | None = None, **options: Any
    ) -> KetlineJob:
        """Submit circuits; the options are those of `backend.options`.

        With `noise_model`, a `NoiseModel` of qiskit_aer, gates and measurements have its errors. What `save_*`
        instructions of qiskit_aer save is in the result under their labels, as AerSimulator returns it.

        Each circuit is a task, except that small ones which differ in angles only share tasks, and that one with more
        shots than the service allows is several. `seed_simulator` is the seed of the first task; all other seeds are
        derived from it. A list has a seed for each circuit. The result has the seed of each circuit.

        `parameter_binds` has for each circuit the values of its parameters: numbers, or lists of them. The circuit is
        run once for each value, as on Aer's simulator.

        Raises:
            QiskitError: a circuit has parameters without values, or saves what is not supported; an option does not
                exist, or its value is not possible.
            ClientError: the service rejected the circuits, or it is unknown whether it stored them.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        circuits = bound_circuits(circuits, parameter_binds)
        chosen = run_options(known_options(dict(self.options), options))
        run, requests = run_of(circuits, chosen, self.service.limits)
        group = submitted(self.client, requests, run, chosen.for_tasks["tags"] or ())
        return KetlineJob(self, group, run)

    def status(self) -> BackendStatus:
        """Whether the service responds and has workers, and how many of its tasks wait."""
        try:
            operational = bool(self.client.workers())
            pending = self.client.statistics().counts.get("pending", 0)
            message = "active" if operational else "no worker is running"
        except ClientError as error:
            operational, pending, message = False, 0, str(error)
        return BackendStatus(
            backend_name=self.name,
            backend_version=self.backend_version,
            operational=operational,
            pending_jobs=pending,
            status_msg=message,
        )

    def properties(self) -> None:
        """None, as of each ideal simulator: there are no errors and no calibration."""

    def configuration(self) -> BackendConfiguration:
        """What the backend is, for programs that read it here; others read `target`."""
        return BackendConfiguration(
            backend_name=self.name,
            backend_version=self.backend_version,
            description=self.description,
            n_qubits=self.num_qubits,
            basis_gates=[name for name in self.operation_names if name in self.service.description["gates"]],
            supported_instructions=self.operation_names,
        )
