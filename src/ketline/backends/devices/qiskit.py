"""A Qiskit `BackendV2` as a device, for the adapter `qiskit`: transpiles circuits to its target and runs them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2, JobStatus
from qiskit.transpiler import generate_preset_pass_manager

from ketline.backends.devices.circuits import FORMATS, circuit_of, counts_of, outcome_of, shortened
from ketline.backends.loading import load
from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob, RemoteState, RemoteStatus
from ketline.domain.errors import (
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
)

_STATUSES: Mapping[JobStatus, RemoteStatus] = {
    JobStatus.INITIALIZING: RemoteStatus.QUEUED,
    JobStatus.QUEUED: RemoteStatus.QUEUED,
    JobStatus.VALIDATING: RemoteStatus.QUEUED,
    JobStatus.RUNNING: RemoteStatus.RUNNING,
    JobStatus.CANCELLED: RemoteStatus.CANCELLED,
    JobStatus.DONE: RemoteStatus.DONE,
    JobStatus.ERROR: RemoteStatus.FAILED,
}
# Names of a target's instructions that are not gates.
_OTHERS = frozenset(["measure", "reset", "delay", "barrier", "store", "box"]) | CONTROL_FLOW_OP_NAMES
_PAUSE_SECONDS = 2.0
# A circuit is transpiled by `validate` and again by `run`: with this seed the same way.
_TRANSPILER_SEED = 0


class QiskitDevice:
    """The backend that `path`, a `module:name`, is or returns when it is called with `arguments`.

    It is a local device, and a remote one if jobs of earlier processes can be read: by `backend.retrieve_job(id)`, or
    by `retrieve_job` or `job` of its provider.
    """

    def __init__(self, path: str, arguments: Mapping[str, Any], optimization_level: int = 1) -> None:
        found = load(path)
        self._backend = found if isinstance(found, BackendV2) else found(**arguments)
        if not isinstance(self._backend, BackendV2):
            raise BackendUnavailable(f"{path} is not a BackendV2 of Qiskit's, and returns none.")
        self._passes = generate_preset_pass_manager(
            optimization_level=optimization_level, backend=self._backend, seed_transpiler=_TRANSPILER_SEED
        )
        self._jobs: dict[str, Any] = {}

    def describe(self) -> BackendDescription:
        target = self._backend.target
        names = set(target.operation_names)
        return BackendDescription(
            name=self._backend.name or type(self._backend).__name__,
            description=self._backend.description or "",
            num_qubits=target.num_qubits,
            gates=tuple(sorted(names - _OTHERS)),
            coupling=_coupling(target),
            formats=FORMATS,
            dynamic="if_else" in names,
            max_shots=self._max_shots(),
            takes_seed=self._takes_seed(),
            noisy=_has_errors(target),
        )

    def validate(self, job: BackendJob) -> None:
        most = self._max_shots()
        if most is not None and job.shots > most:
            raise BackendRefused(f"{job.shots} shots are more than this backend's {most}.")
        self._transpiled(job)

    def run(self, job: BackendJob) -> dict[str, int]:
        circuit = self._transpiled(job)
        try:
            result = self._start(circuit, job).result()
        except QiskitError as error:
            raise BackendFailed(f"The backend failed: {shortened(error)}") from error
        return self._counts(result, circuit, job)

    def submit(self, job: BackendJob, token: str) -> str:
        circuit = self._transpiled(job)
        try:
            submitted = self._start(circuit, job)
        except Exception as error:  # `run` does not tell whether its request was sent
            raise BackendOutcomeUnknown(f"Submitting failed with {type(error).__name__}.") from error
        remote_id = str(submitted.job_id())
        self._jobs[remote_id] = submitted
        return remote_id

    def poll(self, remote_id: str) -> RemoteState:
        status = self._job(remote_id).status()
        known = status if isinstance(status, JobStatus) else JobStatus[str(status)]
        return RemoteState(status=_STATUSES[known], pause_seconds=_PAUSE_SECONDS)

    def result(self, remote_id: str, job: BackendJob) -> dict[str, int]:
        try:
            result = self._job(remote_id).result()
        except QiskitError as error:
            raise BackendFailed(f"The backend failed: {shortened(error)}") from error
        return self._counts(result, circuit_of(job), job)

    def cancel(self, remote_id: str) -> None:
        self._job(remote_id).cancel()

    def reattach(self, token: str) -> str | None:
        raise BackendOutcomeUnknown("Qiskit's backends do not tell which jobs were submitted.")

    def _transpiled(self, job: BackendJob) -> QuantumCircuit:
        circuit = circuit_of(job)
        most = self._backend.target.num_qubits
        if most is not None and circuit.num_qubits > most:
            raise BackendRefused(f"The program has {circuit.num_qubits} qubits, and this backend {most}.")
        try:
            return self._passes.run(circuit)
        except QiskitError as error:
            raise BackendRefused(f"The program cannot be transpiled to this backend: {shortened(error)}") from error

    def _start(self, circuit: QuantumCircuit, job: BackendJob) -> Any:
        seed = {"seed_simulator": job.seed} if job.seed is not None and self._takes_seed() else {}
        return self._backend.run(circuit, shots=job.shots, **seed)

    def _counts(self, result: Any, circuit: QuantumCircuit, job: BackendJob) -> dict[str, int]:
        if not result.success or len(result.results) != 1:
            raise BackendFailed(f"The backend failed: {str(getattr(result, 'status', ''))[:300]}")
        # `get_counts` would leave out single bits, where there are registers as well.
        data = result.results[0].data
        if not hasattr(data, "counts"):
            raise BackendResultInvalid("The backend's result has no counts.")
        outcomes: dict[int, int] = {}
        for key, count in data.counts.items():
            outcome = outcome_of(key)
            outcomes[outcome] = outcomes.get(outcome, 0) + int(count)
        return counts_of(outcomes, job, circuit)

    def _job(self, remote_id: str) -> Any:
        job = self._jobs.get(remote_id)
        if job is None:
            job = self._jobs[remote_id] = self._retrieve(remote_id)
        return job

    def _retrieve(self, remote_id: str) -> Any:
        for owner, names in ((self._backend, ("retrieve_job",)), (self._backend.provider, ("retrieve_job", "job"))):
            for name in names:
                if (read := getattr(owner, name, None)) is not None:
                    return _retrieved(read, remote_id)
        raise BackendJobNotFound("The backend cannot read jobs that another process submitted.")

    def _takes_seed(self) -> bool:
        return hasattr(self._backend.options, "seed_simulator")

    def _max_shots(self) -> int | None:
        bounds = self._backend.options.validator.get("shots")
        return bounds[1] if isinstance(bounds, tuple) else getattr(self._backend, "max_shots", None)


def _retrieved(read: Callable[[str], Any], remote_id: str) -> Any:
    """Read a job; providers have errors of their own for one that does not exist, and for a lost connection."""
    try:
        return read(remote_id)
    except Exception as error:
        if isinstance(error, LookupError) or "NotFound" in type(error).__name__:
            raise BackendJobNotFound("The backend has no such job.") from error
        raise BackendUnavailable(f"The job cannot be read: {type(error).__name__}.") from error


def _coupling(target: Any) -> Sequence[tuple[int, int]] | None:
    coupling = target.build_coupling_map()
    return None if coupling is None else tuple(sorted(tuple(edge) for edge in coupling.get_edges()))


def _has_errors(target: Any) -> bool:
    properties = (each for operations in target.values() for each in (operations or {}).values())
    return any(each is not None and each.error for each in properties)
