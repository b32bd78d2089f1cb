"""The HTTP application, with its routes, middleware and exception handlers; `cli/server/serve.py` serves it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from ketline.api import backends, deliveries, devices, docs, health, history, metrics, usage, validate, workers
from ketline.api.access import audit, keys, projects, webhook_secrets, whoami
from ketline.api.administration import database, drains, pauses
from ketline.api.administration import tasks as task_interventions
from ketline.api.guard import Guard, guard, require_rights
from ketline.api.openapi import DescribedApi
from ketline.api.pages import audit as audit_page
from ketline.api.pages import bulk, downloads, files, project, provider_sign_in, sign_in, submit, system, task, tasks
from ketline.api.pages import devices as devices_page
from ketline.api.pages import keys as keys_page
from ketline.api.pages import usage as usage_page
from ketline.api.requests.cross_site import SameOrigin
from ketline.api.requests.hosts import AllowedHosts
from ketline.api.requests.middleware import BodyLimit, RequestContext
from ketline.api.requests.query_parameters import StorableParameters
from ketline.api.responses.compression import LargeResults
from ketline.api.responses.handlers import install_handlers
from ketline.api.services import ApiOptions
from ketline.api.tasks import batch, changes, circuit, ended, events, feed, lists, output, outputs, results, routes
from ketline.service.services import Services
from ketline.web.time_series import TimeSeries

__all__ = ["ApiOptions", "create_app"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Runs OpenQASM programs as durable background tasks on Qiskit Aer. Submit a program, keep the task
id, read the counts. Errors are problem documents (RFC 9457) with a stable `code`; every response has
`X-Correlation-ID`."""

_TAGS = [
    {"name": "tasks", "description": "Submit programs, and read their tasks and results."},
    {"name": "deliveries", "description": "Messages to callbacks about tasks that have ended."},
    {"name": "service", "description": "Simulators and workers of the service."},
    {"name": "access", "description": "API keys, projects, and who one is."},
    {"name": "administration", "description": "Pause claims, drain workers, intervene in tasks, free space."},
    {"name": "health", "description": "For load balancers and orchestrators."},
]


# Lists first, so that `/tasks/stats` is not taken for a task.
_MODULES = (
    health,
    metrics,
    lists,
    history,
    ended,
    feed,
    changes,
    batch,
    routes,
    results,
    output,
    outputs,
    circuit,
    events,
    validate,
    backends,
    devices,
    deliveries,
    workers,
    keys,
    projects,
    webhook_secrets,
    whoami,
    audit,
    pauses,
    drains,
    task_interventions,
    database,
    audit_page,
    keys_page,
    usage,
    docs,
    files,
    sign_in,
    provider_sign_in,
    project,
    submit,
    tasks,
    bulk,
    usage_page,
    devices_page,
    system,
    downloads,
    task,
)


def create_app(services: Services, options: ApiOptions, *, lifespan: Lifespan | None = None) -> FastAPI:
    """Create the application; `lifespan` opens and closes the services.

    The guard checks requests to every route, including pages, static files, the OpenAPI document and the probes.
    """
    app = DescribedApi(
        title="Ketline",
        summary="Durable tasks for quantum circuits",
        description=_DESCRIPTION,
        version=options.version,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's spans and logs would duplicate Ketline's, and contain the text of invalid programs.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=lifespan,
        middleware=[
            Middleware(RequestContext, metrics=services.metrics, tracing=services.tracing),
            Middleware(AllowedHosts, rule=options.hosts),
            Middleware(SameOrigin),
            Middleware(StorableParameters),
            Middleware(BodyLimit, max_bytes=options.max_body_bytes),
        ],
    )
    app.state.services = services
    app.state.options = options
    app.state.time_series = defaultdict(TimeSeries)
    app.state.broadcasts = {}
    app.state.large_results = LargeResults()
    app.state.guard = Guard(services)
    install_handlers(app)
    app.router.routes.extend(_guarded_routes())
    return app


@cache
def _guarded_routes() -> Sequence[BaseRoute]:
    """All routes, each behind the guard: built once, because FastAPI takes half a millisecond to analyse each of them.

    Raises:
        LookupError: routes and the table of rights differ.
    """
    router = APIRouter(redirect_slashes=False)
    guarded = [Depends(guard)]
    routes.add_submission(router, guarded)
    for module in _MODULES:
        router.include_router(module.router, dependencies=guarded)
    require_rights(router.routes)
    return router.routes
