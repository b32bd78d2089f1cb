"""The route of workers, `GET /workers`."""

from fastapi import APIRouter, Request, Response

from ketline.api.administration.pauses import view_pauses
from ketline.api.openapi import problem_responses
from ketline.api.services import services_of
from ketline.domain.attempts.worker import CurrentTask, LiveWorker
from ketline.schemas.inspection import CurrentTaskView, WorkersView, WorkerView

router = APIRouter(prefix="/workers", tags=["service"])


@router.get(
    "",
    operation_id="read_workers",
    response_model_exclude_none=True,
    responses=problem_responses("database_unavailable"),
)
async def read_workers(request: Request, response: Response) -> WorkersView:
    """List the live workers, their slots, and the tasks that they run with the state of each lease."""
    response.headers["Cache-Control"] = "no-store"
    services = services_of(request)
    workers = [_view(worker) for worker in await services.workers.live()]
    return WorkersView(workers=workers, pauses=view_pauses(await services.operations.pauses()) or None)


def _view(worker: LiveWorker) -> WorkerView:
    return WorkerView(
        worker_id=worker.identity.worker_id,
        slots=worker.identity.slots,
        version=worker.identity.version,
        conversion_slots=worker.identity.conversion_slots,
        queues=None if worker.identity.queues is None else list(worker.identity.queues),
        started_at=worker.started_at,
        last_seen_at=worker.last_seen_at,
        ready_slots=worker.condition.ready_slots if worker.condition is not None else None,
        problem=worker.condition.problem if worker.condition is not None else None,
        draining_since=worker.condition.draining_since if worker.condition is not None else None,
        drained_at=worker.drained_at,
        tasks=[_view_task(task) for task in worker.tasks],
    )


def _view_task(task: CurrentTask) -> CurrentTaskView:
    return CurrentTaskView(
        task_id=task.task_id,
        attempt=task.attempt,
        since=task.claimed_at,
        running_seconds=task.running_seconds,
        lease_expires_at=task.lease_expires_at,
        lease_seconds_left=task.lease_seconds_left,
    )
