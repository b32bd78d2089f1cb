"""The route of the backend, `GET /backends`: methods, gates and limits, for clients."""

from fastapi import APIRouter, Request

from ketline.api.openapi import problem_responses
from ketline.api.services import services_of
from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.circuits.gates import GATES
from ketline.domain.devices.backend import BACKEND_NAME, METHODS, OPENQASM_VERSIONS, Backend, BackendLimits
from ketline.domain.tasks.queues import TaskQueue
from ketline.schemas.inspection import BackendsView, BackendView, ExternalBackendView, LimitsView, MethodView

router = APIRouter(prefix="/backends", tags=["service"])

_DESCRIPTION = "Simulation on Qiskit Aer, stim and PennyLane Lightning, ideal or with noise"


@router.get(
    "",
    operation_id="read_backends",
    response_model_exclude_none=True,
    responses=problem_responses("database_unavailable"),
)
async def read_backends(request: Request) -> BackendsView:
    """Read what programs are run on: the methods, limits, gates and versions of this service's simulators, and the
    external backends for tasks of kind `run`."""
    services = services_of(request)
    external = [_view_external(queue, described) for queue, described in (await services.external_backends()).items()]
    return BackendsView(backends=[_view(services.backend)], external=external)


def _view_external(queue: TaskQueue, described: BackendDescription) -> ExternalBackendView:
    assert queue.backend is not None  # the queue of a backend has its name
    return ExternalBackendView(
        name=queue.backend,
        description=described.description,
        queue=queue.name,
        online=described.online,
        offline_reason=described.offline_reason,
        simulator=described.simulator,
        noisy=described.noisy,
        dynamic=described.dynamic,
        num_qubits=described.num_qubits,
        max_shots=described.max_shots,
        formats=list(described.formats),
        gates=list(described.gates),
        coupling=None if described.coupling is None else [list(pair) for pair in described.coupling],
        pending_jobs=described.pending_jobs,
    )


def _view(backend: Backend) -> BackendView:
    return BackendView(
        name=BACKEND_NAME,
        description=_DESCRIPTION,
        methods=[MethodView(name=method, description=text) for method, text in METHODS.items()],
        limits=_view_limits(backend.limits),
        gates=list(GATES),
        openqasm_versions=list(OPENQASM_VERSIONS),
        versions=dict(backend.versions),
    )


def _view_limits(limits: BackendLimits) -> LimitsView:
    return LimitsView(
        max_qubits=limits.max_qubits,
        max_operations=limits.max_operations,
        max_shots=limits.max_shots,
        max_program_bytes=limits.max_program_bytes,
        max_result_megabytes=limits.max_result_bytes >> 20,
        memory_megabytes=limits.memory_bytes >> 20,
        default_timeout_s=limits.default_time_limit_seconds,
        max_timeout_s=limits.max_time_limit_seconds,
    )
