"""The route of the backend, `GET /backends`: methods, gates and limits, for clients."""

from fastapi import APIRouter, Request

from ketline.api.openapi import problem_responses
from ketline.api.services import services_of
from ketline.domain.backend import BACKEND_NAME, METHODS, OPENQASM_VERSIONS, Backend, BackendLimits
from ketline.domain.gates import GATES
from ketline.schemas.inspection import BackendsView, BackendView, LimitsView, MethodView

router = APIRouter(prefix="/backends", tags=["service"])

_DESCRIPTION = "Ideal simulation on Qiskit Aer and stim"


@router.get("", operation_id="read_backends", responses=problem_responses())
async def read_backends(request: Request) -> BackendsView:
    """Read what programs are run on: methods, limits, gates and versions."""
    return BackendsView(backends=[_view(services_of(request).backend)])


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
