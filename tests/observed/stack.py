"""The service under observation, with everything around it: servers, Prometheus, a collector, a receiver."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.acceptance.processes import Api, Fleet, KetlineProcess, wait_until_healthy
from tests.acceptance.programs import BELL
from tests.acceptance.test_care import typed
from tests.chaos.verdict.records import Message
from tests.collector import Collector, open_collector
from tests.receivers import ACCEPTED, Received, Receiver, answer, receiving
from tests.servers import PostgresServer, PrometheusServer, RabbitServer
from tests.servers.ports import free_ports

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"
# Prometheus sees time pass so many times faster: an alert about 15 minutes is about 30 seconds here.
HASTE = 30
QUEUE = "observed"
WORKERS = ("worker-1", "worker-2")
SLOTS = 2
SETTINGS = {
    "KETLINE_AUTH": "keys",
    "KETLINE_LOG_LEVEL": "info",
    "KETLINE_LEASE_S": "3",
    "KETLINE_REAP_INTERVAL_S": "0.5",
    "KETLINE_WORKER_BEAT_S": "1",
    "KETLINE_SHORT_TASK_S": "2",
    "WORKER_RETRY_DELAY_S": "0.2",
    "KETLINE_REDISPATCH_S": "3",
    "KETLINE_PUBLISH_TIMEOUT_S": "2",
    "KETLINE_MAX_BACKLOG": "60",
    "KETLINE_HEADER_TIMEOUT_S": "1",
    "KETLINE_DATABASE_POOL_SIZE": "4",
    "KETLINE_FAILED_SIGN_IN_LIMIT": "600/minute",
    "KETLINE_WEBHOOK_ALLOW": "127.0.0.0/8",
    "KETLINE_WEBHOOK_TIMEOUT_S": "1",
    "TASK_QUEUE_NAME": QUEUE,
}


@dataclass(slots=True)
class Callbacks:
    """Accepts messages about ended tasks, or rejects them while `rejects` is True."""

    rejects: bool = False
    accepted: list[Message] = field(default_factory=list)

    def respond(self, received: Received) -> bytes:
        if self.rejects:
            return answer(503)
        data = received.json()["data"]
        self.accepted.append(Message(task_id=data["task_id"], status=data["status"], message_id=received.message_id))
        return ACCEPTED


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running service; `api` is a client with the rights of an administrator."""

    database: PostgresServer
    broker: RabbitServer
    prometheus: PrometheusServer
    collector: Collector
    receiver: Receiver
    callbacks: Callbacks
    fleet: Fleet
    api: Api
    key: str
    port: int
    api_process: KetlineProcess
    worker_ports: Mapping[str, int]
    workers: dict[str, KetlineProcess] = field(default_factory=dict)

    async def start_worker(self, name: str) -> None:
        """Start a worker under this name, which no live one has."""
        port = str(self.worker_ports[name])
        process = await self.fleet.start("worker", "--slots", str(SLOTS), WORKER_ID=name, KETLINE_WORKER_PORT=port)
        self.workers[name] = process
        await process.logged("worker.started")

    async def start_workers(self) -> None:
        """Start those workers that do not run."""
        gone = [
            name for name in WORKERS if name not in self.workers or self.workers[name].process.returncode is not None
        ]
        await asyncio.gather(*map(self.start_worker, gone))


def hasty(rules: str) -> str:
    """The rules with each time that is part of them divided by `HASTE`."""
    rules = re.sub(r"for: (\d+)m", lambda found: f"for: {int(found[1]) * 60 // HASTE}s", rules)
    rules = re.sub(r"\[(\d+)m\]", lambda found: f"[{int(found[1]) * 60 // HASTE}s]", rules)
    return re.sub(r"(_seconds\) > )(\d{3,})", lambda found: f"{found[1]}{int(found[2]) // HASTE}", rules)


@asynccontextmanager
async def open_stack(directory: Path) -> AsyncIterator[Stack]:
    """A service that works, with two workers; everything of it is gone after the context."""
    async with AsyncExitStack() as contexts:
        callbacks = Callbacks()
        receiver = await contexts.enter_async_context(receiving(callbacks.respond))
        collector = contexts.enter_context(open_collector())
        database, broker = PostgresServer(durable=True), RabbitServer()
        port, metrics_port, *worker_ports = free_ports(2 + len(WORKERS))
        targets = {
            "ketline-api": [f"127.0.0.1:{metrics_port}"],
            "ketline-worker": [f"127.0.0.1:{number}" for number in worker_ports],
        }
        prometheus = PrometheusServer(targets, rules=hasty(RULES.read_text(encoding="utf-8")))
        await asyncio.gather(*map(contexts.enter_async_context, (database, broker)))
        await database.create_database("ketline")
        fleet = Fleet(directory, _environment(database, broker, collector))
        contexts.push_async_callback(fleet.end)
        key = await _make_key(fleet)
        api_process = await fleet.start("api", "--port", str(port), KETLINE_METRICS_PORT=str(metrics_port))
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=bearer(key), timeout=60)
        api = Api(await contexts.enter_async_context(http))
        stack = Stack(
            database=database,
            broker=broker,
            prometheus=prometheus,
            collector=collector,
            receiver=receiver,
            callbacks=callbacks,
            fleet=fleet,
            api=api,
            key=key,
            port=port,
            api_process=api_process,
            worker_ports=dict(zip(WORKERS, worker_ports, strict=True)),
        )
        await asyncio.gather(stack.start_workers(), wait_until_healthy(api))
        await contexts.enter_async_context(prometheus)
        for kind in ({}, {"kind": "convert", "target": "qpy"}):  # once processes run these, they take milliseconds
            await api.ended(await api.submit(BELL, **kind))
        yield stack


def bearer(key: str) -> Mapping[str, str]:
    """The header that sends a key."""
    return {"Authorization": f"Bearer {key}"}


def _environment(database: PostgresServer, broker: RabbitServer, collector: Collector) -> Mapping[str, str]:
    servers = {"DATABASE_URL": database.url("ketline"), "KETLINE_QUEUE_URL": broker.url}
    return {**SETTINGS, **servers, **collector.environment}


async def _make_key(fleet: Fleet) -> str:
    await typed(fleet, "migrate")
    status, output, errors = await typed(fleet, "keys", "create", "--role", "administrator", "--owner", "observer")
    assert status == 0, errors
    return output.split()[-1]
