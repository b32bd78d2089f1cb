"""Runs the processes of the service: API, worker, or both in one, from start to graceful stop.

The commands of `server.py` and the ephemeral server call it.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from ssl import SSLContext

import structlog
from fastapi import FastAPI

from ketline.api.app import ApiOptions, create_app
from ketline.api.metrics import create_metrics_app
from ketline.api.requests.hosts import HostRule
from ketline.cli.server.http import listen, serve_http, url_of
from ketline.cli.server.tls import tls_context
from ketline.config import Settings
from ketline.domain.access.principals import AuthMode
from ketline.domain.backends.backend_jobs import BackendName
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, TaskQueue
from ketline.domain.webhooks.callback_url import CallbackRule
from ketline.logs import drain_logs
from ketline.runtime.api import open_api
from ketline.runtime.embedded import open_embedded
from ketline.runtime.worker import WorkerParts, open_worker
from ketline.service.attempts.remote import RunOnBackend
from ketline.service.services import Services
from ketline.worker.backend_slots import BackendSlots
from ketline.worker.health import create_health_app
from ketline.worker.loop import OtherSlots, Worker
from ketline.worker.queue_slots import QueueSlots
from ketline.worker.short_slot import ShortPrograms

log = structlog.get_logger()

LOG_DRAIN_SECONDS = 0.5


async def serve_api(settings: Settings) -> None:
    """Serve the API of the distributed service until SIGTERM or SIGINT."""
    stop = _stop_on_signals()
    tls = tls_context(settings)
    with listen(settings) as listener, _listener(settings, settings.metrics_port) as metrics_listener:
        async with open_api(settings) as services:
            await asyncio.gather(
                serve_application(settings, services, listener, stop, tls),
                *_serving_metrics(settings, services, metrics_listener, stop),
            )


async def run_worker(settings: Settings) -> None:
    """Run tasks of the distributed service until SIGTERM or SIGINT."""
    stop = _stop_on_signals()
    with _listener(settings, settings.worker_port) as listener:
        async with open_worker(settings) as parts:
            health = () if listener is None else (serve_health(settings, parts, listener, stop),)
            await asyncio.gather(worker(settings, parts).run(stop), *health)


async def serve_embedded(settings: Settings, ready: Callable[[str], None]) -> None:
    """Run the embedded service until SIGTERM or SIGINT; call `ready` with its URL once it listens."""
    await serve_until(settings, settings.data_dir, _stop_on_signals(), ready)


async def serve_until(settings: Settings, directory: Path, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Run the embedded service on `directory` until `stop` is set; call `ready` with its URL once it listens."""
    tls = tls_context(settings)
    with listen(settings) as listener, _listener(settings, settings.metrics_port) as metrics_listener:
        async with open_embedded(settings, directory) as (services, parts):
            ready(url_of(listener, tls))
            await asyncio.gather(
                serve_application(settings, services, listener, stop, tls),
                *_serving_metrics(settings, services, metrics_listener, stop),
                worker(settings, parts).run(stop),
            )


async def serve_application(
    settings: Settings, services: Services, listener: socket.socket, stop: asyncio.Event, tls: SSLContext | None
) -> None:
    """Serve the API on open services until `stop` is set."""
    log.info("api.listening", url=url_of(listener, tls))
    app = application(settings, services, stop)
    await serve_http(app, settings, listener, stop, services.watch.close, tls, services.metrics)
    log.info("api.stopped")


async def serve_health(settings: Settings, parts: WorkerParts, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve this worker's health endpoints and metrics until `stop` is set."""
    log.info("worker.listening", url=url_of(listener))
    await serve_http(create_health_app(parts.health, stop.is_set, parts.scrape), settings, listener, stop)


def _serving_metrics(
    settings: Settings, services: Services, listener: socket.socket | None, stop: asyncio.Event
) -> Sequence[Coroutine[None, None, None]]:
    """Serve the metrics of an API on a port of their own until `stop` is set, if there is one."""
    if listener is None:
        return ()
    log.info("metrics.listening", url=url_of(listener))
    return (serve_http(create_metrics_app(services.operations.scrape), settings, listener, stop),)


@contextmanager
def _listener(settings: Settings, port: int | None) -> Iterator[socket.socket | None]:
    if port is None:
        yield None
        return
    with listen(settings, port) as listener:
        yield listener


def application(settings: Settings, services: Services, stop: asyncio.Event) -> FastAPI:
    """Build the HTTP application on open services."""
    options = ApiOptions(
        default_shots=settings.default_shots,
        max_shots=settings.max_shots,
        max_program_bytes=settings.max_program_bytes,
        version=version("ketline"),
        revision=settings.revision,
        max_timeout_seconds=settings.max_time_limit_s,
        max_attempts=settings.max_attempts,
        max_wait_seconds=settings.max_wait_s,
        result_shape=settings.result_shape,
        hosts=HostRule.of(settings.host_names, settings.host),
        stopping=stop.is_set,
        several_projects=AuthMode.OIDC in settings.auth_modes,
        callbacks=CallbackRule(settings.webhook_networks()),
    )
    return create_app(services, options)


def worker(settings: Settings, parts: WorkerParts) -> Worker:
    """Build the worker from its open parts."""
    short_programs = None
    if parts.short_runners is not None:
        short_programs = ShortPrograms(
            runners=parts.short_runners, seconds=settings.short_task_s, requeue=parts.outbox.put
        )
    return Worker(
        consumer=parts.consumer,
        runners=parts.runners,
        process=parts.process,
        clock=parts.clock,
        slots=settings.simulation_slots,
        grace_seconds=settings.shutdown_grace_s,
        simulators=parts.simulators,
        short_programs=short_programs,
        other_queues=partial(_other_queues, settings, parts),
        gate=parts.gate,
    )


def _other_queues(settings: Settings, parts: WorkerParts, stop: asyncio.Event) -> Sequence[OtherSlots]:
    """The slots for the kinds of tasks that are not simulated."""
    runners = parts.conversion_runners
    backends = [_backend_slots(parts, name, stop) for name in parts.backends.adapters]
    if TaskKind.CONVERT not in settings.kinds:
        return backends
    process = replace(parts.process, queue=CONVERSIONS)
    conversions = QueueSlots(parts.consumer, process, runners, settings.conversion_slots, stop, gate=parts.gate)
    return [conversions, *backends]


def _backend_slots(parts: WorkerParts, name: BackendName, stop: asyncio.Event) -> BackendSlots:
    process = replace(parts.process, queue=TaskQueue(TaskKind.RUN, name))
    run = RunOnBackend(process, parts.repository, parts.backends.adapters[name])
    slots = QueueSlots(parts.consumer, run, parts.conversion_runners, 1, stop, gate=parts.gate)
    return BackendSlots(slots, run, parts.backend_registry, parts.clock)


def _stop_on_signals() -> asyncio.Event:
    """Return an event that the first SIGINT or SIGTERM sets; the second ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            drain_logs(LOG_DRAIN_SECONDS)
            os._exit(128 + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return stop
