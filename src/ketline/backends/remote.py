"""The adapter of a backend whose client library blocks: its calls run in processes.

The adapters `qbraid` and `qiskit` use it, and those of other packages may.
"""

from collections.abc import Mapping
from dataclasses import replace

from ketline.backends.device_process import CALL_SECONDS, DeviceFactory, DevicePool, ProcessLost
from ketline.backends.wire import state_of
from ketline.domain.backends.backend_jobs import (
    BackendDescription,
    BackendJob,
    ClientToken,
    RemoteId,
    RemoteState,
    check_counts,
    description_from_json,
)
from ketline.domain.errors import BackendOutcomeUnknown


class RemoteAdapter:
    """Passes the calls to a `RemoteDevice`, up to `concurrency` at a time, each limited to `call_seconds`.

    If the process ends or does not answer during a submission, `submit` raises BackendOutcomeUnknown.
    """

    def __init__(self, factory: DeviceFactory, *, concurrency: int = 2, call_seconds: float = CALL_SECONDS) -> None:
        self._calls = DevicePool(factory, concurrency, call_seconds)

    async def describe(self) -> BackendDescription:
        return replace(description_from_json(await self._calls.call("describe")), local=False)

    async def validate(self, job: BackendJob) -> None:
        await self._calls.call("validate", job)

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        try:
            return RemoteId(await self._calls.call("submit", job, token))
        except ProcessLost as error:
            raise BackendOutcomeUnknown(f"{error} The backend may have the job.") from error

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        return state_of(await self._calls.call("poll", remote_id))

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        counts: Mapping[str, int] = await self._calls.call("result", remote_id, job)
        check_counts(counts, job)
        return counts

    async def cancel(self, remote_id: RemoteId) -> None:
        await self._calls.call("cancel", remote_id)

    async def reattach(self, token: ClientToken) -> RemoteId | None:
        found = await self._calls.call("reattach", token)
        return None if found is None else RemoteId(found)

    async def close(self) -> None:
        await self._calls.close()
