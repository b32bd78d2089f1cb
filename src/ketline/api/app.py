"""The HTTP application: routes, middleware and exception handlers together."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.params import Depends
from starlette.middleware import Middleware

from ketline.api import backends, docs, health, validate, workers
from ketline.api.openapi import DescribedApi
from ketline.api.pages import bulk, downloads, files, submit, system, task, tasks
from ketline.api.requests.cross_site import SameOrigin
from ketline.api.requests.hosts import AllowedHosts
from ketline.api.requests.middleware import BodyLimit, RequestContext
from ketline.api.requests.query_parameters import StorableParameters
from ketline.api.responses.compression import LargeResults
from ketline.api.responses.handlers import install_handlers
from ketline.api.services import ApiOptions
from ketline.api.tasks import batch, changes, circuit, events, feed, lists, results, routes
from ketline.api.tasks.broadcast import Broadcasts
from ketline.service.services import Services
from ketline.web.time_series import TimeSeries

__all__ = ["ApiOptions", "create_app"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Runs OpenQASM programs as durable background tasks on Qiskit Aer. Submit a program, keep the task
id, read the counts. Errors are problem documents (RFC 9457) with a stable `code`; every response has
`X-Correlation-ID`."""

_TAGS = [
    {"name": "tasks", "description": "Submit programs, and read their tasks and results."},
    {"name": "service", "description": "Simulators and workers of the service."},
    {"name": "health", "description": "For load balancers and orchestrators."},
]


# Without dependencies such as authentication, because orchestrators and load balancers have no credentials.
_OPEN = (health,)
# Lists first, so that `/tasks/stats` is not taken for a task.
_GUARDED = (
    lists,
    feed,
    changes,
    batch,
    routes,
    results,
    circuit,
    events,
    validate,
    backends,
    workers,
    docs,
    files,
    submit,
    tasks,
    bulk,
    system,
    downloads,
    task,
)


def create_app(
    services: Services,
    options: ApiOptions,
    *,
    lifespan: Lifespan | None = None,
    dependencies: Sequence[Depends] = (),
) -> FastAPI:
    """Create the application.

    `lifespan` opens and closes the services. `dependencies` apply to all routes, including pages, static files and the
    OpenAPI document, except the probes of `ketline.api.health`.
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
        lifespan=lifespan,
        middleware=[
            Middleware(RequestContext),
            Middleware(AllowedHosts, rule=options.hosts),
            Middleware(SameOrigin),
            Middleware(StorableParameters),
            Middleware(BodyLimit, max_bytes=options.max_body_bytes),
        ],
    )
    app.state.services = services
    app.state.options = options
    app.state.time_series = TimeSeries()
    app.state.broadcasts = Broadcasts(services.catalogue, services.watch)
    app.state.large_results = LargeResults()
    install_handlers(app)
    routes.add_submission(app.router, dependencies)
    for module in _GUARDED:
        app.include_router(module.router, dependencies=dependencies)
    for module in _OPEN:
        app.include_router(module.router)
    return app
