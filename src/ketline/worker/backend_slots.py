"""The slots of an external backend, with its registration; `worker.loop` runs them."""

import asyncio
from dataclasses import dataclass, field, replace

import structlog

from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.errors import BackendFailed
from ketline.ports.clock import Clock
from ketline.ports.operations.workers import BackendRegistry
from ketline.service.attempts.remote import RunOnBackend
from ketline.service.loop import Loop
from ketline.worker.queue_slots import QueueSlots

log = structlog.get_logger()

CANCEL_INTERVAL_SECONDS = 3.0
DESCRIBE_INTERVAL_SECONDS = 30.0


@dataclass(slots=True)
class BackendSlots:
    """Submits the jobs of tasks to one backend, cancels jobs that have to end early, and registers the backend."""

    slots: QueueSlots
    run_on_backend: RunOnBackend
    registry: BackendRegistry
    clock: Clock
    _description: BackendDescription | None = field(default=None, init=False)

    async def run(self) -> None:
        """Work until the worker stops; then hand back the tasks that wait for their jobs."""
        steps = (
            (self._register, DESCRIBE_INTERVAL_SECONDS),
            (self.run_on_backend.cancel_jobs, CANCEL_INTERVAL_SECONDS),
        )
        loops = [
            asyncio.create_task(
                Loop(step, seconds, delayed="backend.delayed", crashed="backend.crashed", sleep=self.clock.sleep).run()
            )
            for step, seconds in steps
        ]
        try:
            await self.slots.run()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self.run_on_backend.close()

    async def _register(self) -> None:
        name = self.run_on_backend.backend
        try:
            described = self._description = await self.run_on_backend.adapter.describe()
        except BackendFailed as error:
            log.warning("backend.not_described", backend=name, error=str(error))
            if self._description is None:
                described = BackendDescription(name=name, offline_reason=str(error))
            else:
                described = replace(self._description, offline_reason=str(error))
        await self.registry.register(name, described)
